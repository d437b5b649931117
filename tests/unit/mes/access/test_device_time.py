"""A device's clock is believed where it can be true."""

from datetime import UTC, datetime, timedelta

import pytest

from mes.access.guard import business_time

NOW = datetime(2026, 11, 2, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("device_time", "believed"),
    [
        (None, NOW),
        (NOW - timedelta(hours=9), NOW - timedelta(hours=9)),
        (NOW + timedelta(seconds=3), NOW),
        (NOW + timedelta(days=400), NOW),
        (datetime(1970, 1, 1, tzinfo=UTC), NOW),
    ],
)
def test_business_time(device_time: datetime | None, believed: datetime) -> None:
    assert business_time(device_time, NOW) == believed
