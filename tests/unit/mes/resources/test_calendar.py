"""Calendars on the clock: shifts past midnight, breaks, clipping, nights when clocks change."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mes.resources import calendar
from mes.resources.model import Break, Calendar, Shift

SUZHOU = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
THREE_SHIFTS = Calendar(
    code="three",
    shifts=(
        Shift(name="A", starts=time(6), minutes=480),
        Shift(name="B", starts=time(14), minutes=480),
        Shift(name="C", starts=time(22), minutes=480),
    ),
    breaks=(Break(after_minutes=240, minutes=10),),
)
MIDNIGHT = datetime(2026, 3, 1, 16, tzinfo=UTC)
"""00:00 of 2 March in Suzhou."""


def test_a_day_of_three_shifts_has_three_breaks() -> None:
    found = calendar.windows(THREE_SHIFTS, SUZHOU, MIDNIGHT, MIDNIGHT + timedelta(days=1))
    breaks = [one for one in found if one.kind == "break"]
    assert [one.starts_at.astimezone(SUZHOU).hour for one in breaks] == [2, 10, 18]
    assert sum((one.ends_at - one.starts_at for one in found), timedelta()) == timedelta(days=1)


def test_breaks_that_lie_whole_in_a_stretch_are_rest() -> None:
    hour = timedelta(hours=1)
    whole = calendar.rest(THREE_SHIFTS, SUZHOU, MIDNIGHT + hour, MIDNIGHT + 11 * hour)
    begun = calendar.rest(THREE_SHIFTS, SUZHOU, MIDNIGHT + hour, MIDNIGHT + 2 * hour + hour / 12)
    exact = calendar.rest(THREE_SHIFTS, SUZHOU, MIDNIGHT + 2 * hour, MIDNIGHT + 2 * hour + hour / 6)
    assert [one.total_seconds() / 60 for one in (whole, begun, exact)] == [20, 0, 10]


def test_the_night_shift_belongs_to_the_day_it_began() -> None:
    shift = calendar.shift_at(THREE_SHIFTS, SUZHOU, MIDNIGHT)
    assert shift is not None
    assert (shift.name, shift.starts_at) == ("C", MIDNIGHT - timedelta(hours=2))


def test_a_crew_works_its_own_shift() -> None:
    crew = calendar.only_shift(THREE_SHIFTS, "B")
    found = calendar.windows(crew, SUZHOU, MIDNIGHT, MIDNIGHT + timedelta(days=2))
    assert {one.shift for one in found} == {"B"}
    assert len(found) == 6


def test_weekends_are_free_where_the_shift_says_so() -> None:
    weekdays = Calendar(
        code="week", shifts=(Shift(name="A", starts=time(8), minutes=480, days=(1, 2, 3, 4, 5)),), breaks=()
    )
    found = calendar.windows(weekdays, SUZHOU, MIDNIGHT, MIDNIGHT + timedelta(days=7))
    assert [one.starts_at.astimezone(SUZHOU).isoweekday() for one in found] == [1, 2, 3, 4, 5]


def test_a_shift_keeps_its_length_when_the_clocks_change() -> None:
    night = Calendar(code="n", shifts=(Shift(name="N", starts=time(22), minutes=480),), breaks=())
    spring = datetime(2026, 3, 28, 12, tzinfo=UTC)
    (found,) = calendar.windows(night, BERLIN, spring, spring + timedelta(hours=20))
    assert found.ends_at - found.starts_at == timedelta(hours=8)
    assert found.ends_at.astimezone(BERLIN).hour == 7


@given(st.integers(0, 10_000), st.integers(1, 4000))
def test_stretches_are_in_order_inside_the_span_and_never_overlap(after: int, minutes: int) -> None:
    begin = MIDNIGHT + timedelta(minutes=after)
    end = begin + timedelta(minutes=minutes)
    found = calendar.windows(THREE_SHIFTS, SUZHOU, begin, end)
    assert found[0].starts_at == begin
    assert found[-1].ends_at == end
    assert all(one.ends_at == two.starts_at for one, two in pairwise(found))


WEEKDAYS = (1, 2, 3, 4, 5)
PAUSE = (Break(after_minutes=240, minutes=10),)
SITE = calendar.SiteCalendars(
    {
        "one": Calendar(
            code="one", shifts=(Shift(name="day", starts=time(6), minutes=480, days=WEEKDAYS),), breaks=PAUSE
        ),
        "three": replace(THREE_SHIFTS, breaks=PAUSE),
    },
    ZoneInfo("UTC"),
)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of November 2026; the 16th is a Monday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


FRIDAY_TO_MONDAY = (at(20, 13), at(23, 7))


@pytest.mark.parametrize(
    ("code", "span", "seen", "minutes"),
    [
        ("one", (at(16, 12), at(17, 8)), [], 4 * 60),
        ("one", (at(16, 6), at(17, 14)), [], 2 * 470),
        ("one", FRIDAY_TO_MONDAY, [], 2 * 60),
        ("one", FRIDAY_TO_MONDAY, [(at(20, 13), at(20, 15, 30)), (at(21, 9), at(21, 10))], 2 * 60 + 90 + 60),
        ("one", (at(16, 13), at(16, 15)), [(at(16, 13), at(16, 15))], 2 * 60),
        ("one", (at(21, 8), at(21, 12)), [(at(21, 8), at(21, 9))], 60),
        ("one", (at(16, 9), at(16, 11)), [(at(16, 9), at(16, 11))], 110),
        ("one", (at(16, 10, 2), at(16, 10, 8)), [], 6),
        ("three", (at(16, 12), at(17, 8)), [], 20 * 60 - 20),
        ("three", (at(16, 10, 5), at(16, 11)), [], 55),
        (None, (at(16, 12), at(17, 8)), [], 20 * 60),
        ("gone", (at(16, 12), at(17, 8)), [], 20 * 60),
    ],
)
def test_nights_and_days_off_are_no_work_unless_it_was_seen(
    code: str | None, span: calendar.Span, seen: list[calendar.Span], minutes: int
) -> None:
    assert SITE.worked(code, *span, seen) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 28), 23), (date(2026, 10, 24), 24)],
)
def test_shifts_that_overlap_when_the_clocks_change_are_worked_once(day: date, hours: int) -> None:
    """From 6 to 6: in spring the night shift goes on into the morning's, in autumn it ends an hour before."""
    begin, end = (
        datetime.combine(one, time(6), BERLIN).astimezone(UTC) for one in (day, day + timedelta(days=1))
    )
    site = calendar.SiteCalendars({"three": replace(THREE_SHIFTS, breaks=())}, BERLIN)
    assert site.worked("three", begin, end, seen=()) == timedelta(hours=hours)
