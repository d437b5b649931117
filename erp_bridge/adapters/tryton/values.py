"""Values as Tryton sends and wants them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

CLOSING_TIME = time(18, 0)
"""A date without a time means this time of the site's day."""


def decimal_of(sent: float) -> Decimal:
    """Return Tryton's float as the decimal that was meant (its units have few digits)."""
    return Decimal(repr(sent)).quantize(Decimal("0.000001")).normalize()


def site_time(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return a time of a day at the site, in UTC."""
    return datetime.combine(day, at, zone).astimezone(UTC)
