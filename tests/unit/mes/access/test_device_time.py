"""One clock says when an act was: ours; a device says only for how long it kept the act."""

from datetime import UTC, datetime, timedelta

import pytest

from mes.access.guard import business_time

NOW = datetime(2026, 11, 2, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("waited_s", "believed"),
    [
        (None, NOW),
        ("0", NOW),
        ("32400.5", NOW - timedelta(hours=9, seconds=0.5)),
        ("604800", NOW - timedelta(days=7)),
        ("604801", NOW),
        ("1795000000", NOW),
        ("1e300", NOW),
        ("-3", NOW),
        ("nan", NOW),
        ("inf", NOW),
        ("soon", NOW),
        ("", NOW),
    ],
)
def test_business_time(waited_s: str | None, believed: datetime) -> None:
    assert business_time(waited_s, NOW) == believed
