"""A finished job's hours of work by the calendar, and the standard of its set-up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from mes.dispatching.finished import rules_of, standard_setup_s, worked
from mes.dispatching.store import BusyInterval, FinishedJob
from mes.kernel.ids import EquipmentId, JobOrderId
from mes.resources.calendar import SiteCalendars
from mes.resources.model import Break, Calendar, SetupRule, Shift

JOB = FinishedJob(
    id=JobOrderId("WO-1-10"),
    work_center=EquipmentId("MC"),
    family="40",
    family_before="65",
    run_s=Decimal(15),
    setup_s=Decimal(60),
    good=Decimal(4),
    scrap=Decimal(0),
    alone=True,
)
RULES = [
    SetupRule(work_center=EquipmentId("MC"), from_family=before, to_family="40", seconds=seconds)
    for before, seconds in (("65", 90), ("80", 240))
]


@pytest.mark.parametrize(
    ("rules", "before", "seconds"),
    [
        ([], "65", 60),
        ([], "40", 0),
        (RULES, "65", 90),
        (RULES, "80", 240),
        (RULES, "40", 0),
        (RULES, "100", 0),
    ],
)
def test_a_set_up_has_the_standard_that_plans_give_it(
    rules: list[SetupRule], before: str, seconds: int
) -> None:
    assert standard_setup_s(rules_of(rules), replace(JOB, family_before=before)) == seconds


def test_what_has_no_family_needs_no_set_up() -> None:
    assert standard_setup_s({}, replace(JOB, family=None)) == 0


WEEKDAYS = (1, 2, 3, 4, 5)
PAUSE = (Break(after_minutes=240, minutes=10),)
CALENDARS = SiteCalendars(
    {
        "one": Calendar(
            code="one", shifts=(Shift(name="day", starts=time(6), minutes=480, days=WEEKDAYS),), breaks=PAUSE
        ),
        "three": Calendar(
            code="three",
            shifts=tuple(Shift(name=str(hour), starts=time(hour), minutes=480) for hour in (6, 14, 22)),
            breaks=PAUSE,
        ),
    },
    ZoneInfo("UTC"),
)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of November 2026; the 16th is a Monday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


Span = tuple[datetime, datetime]
FRIDAY_TO_MONDAY = (at(20, 13), at(23, 7))


@pytest.mark.parametrize(
    ("calendar", "span", "labour", "minutes"),
    [
        ("one", (at(16, 12), at(17, 8)), [], 4 * 60),
        ("one", (at(16, 6), at(17, 14)), [], 2 * 470),
        ("one", FRIDAY_TO_MONDAY, [], 2 * 60),
        ("one", FRIDAY_TO_MONDAY, [(at(20, 13), at(20, 15, 30)), (at(21, 9), at(21, 10))], 2 * 60 + 90 + 60),
        ("one", (at(16, 13), at(16, 15)), [(at(16, 13), at(16, 15))], 2 * 60),
        ("one", (at(21, 8), at(21, 12)), [(at(21, 8), at(21, 9))], 4 * 60),
        ("one", (at(16, 10), at(16, 10, 10)), [], 10),
        ("one", (at(16, 10, 2), at(16, 10, 8)), [], 6),
        ("three", (at(16, 12), at(17, 8)), [], 20 * 60 - 20),
        ("three", (at(16, 10, 5), at(16, 11)), [], 55),
        (None, (at(16, 12), at(17, 8)), [], 20 * 60),
        ("gone", (at(16, 12), at(17, 8)), [], 20 * 60),
    ],
)
def test_nights_and_days_off_are_no_work_unless_somebody_was_there(
    calendar: str | None, span: Span, labour: list[Span], minutes: int
) -> None:
    interval = BusyInterval(JOB.id, calendar, *span)
    assert worked(CALENDARS, interval, labour) == timedelta(minutes=minutes)
