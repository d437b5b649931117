"""The plant's clock: aware UTC, everywhere."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return this moment as an aware UTC datetime (microseconds)."""
    return datetime.now(UTC)
