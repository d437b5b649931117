"""Calendars on the clock: shifts past midnight, breaks, clipping, nights when clocks change."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

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
