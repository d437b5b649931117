"""What finished jobs say of a floor's pace and yield: many of them, few, wrong ones, none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from math import exp
from statistics import NormalDist
from zoneinfo import ZoneInfo

import pytest

from mes.resources.calendar import SiteCalendars, Span
from mes.resources.model import Calendar, Shift
from planner.delays import Delays
from planner.pace import (
    BETWEEN,
    PRIOR,
    Finished,
    Pace,
    Paces,
    evidence,
    measured,
    own_delay,
    paces_from_json,
    paces_to_json,
)


def jobs(center: str, *ratios: float | None, scrap: int = 0, good: int = 10) -> list[Finished]:
    return [Finished(center, ratio, Decimal(good), Decimal(scrap)) for ratio in ratios]


def spread_around(middle: float, count: int) -> list[float]:
    logs = NormalDist(0.0, 0.2)
    return [middle * exp(logs.inv_cdf((n + 0.5) / count)) for n in range(count)]


def test_many_jobs_are_believed() -> None:
    paces = measured([*jobs("MC", *spread_around(1.3, 100)), *jobs("PK", *spread_around(0.9, 100), scrap=1)])
    slow, fast = paces.of("MC"), paces.of("PK")
    assert (slow.mean, slow.deviation) == (pytest.approx(1.32, abs=0.03), pytest.approx(0.2, abs=0.03))
    assert fast.mean == pytest.approx(0.92, abs=0.04)
    assert (slow.jobs, slow.doubt) == (100, pytest.approx(0.02, abs=0.005))
    assert fast.first_time_yield == pytest.approx(10 / 11, abs=0.01)
    assert fast.scrapping > 0.9
    assert fast.again == pytest.approx(0.1, abs=0.02)


DAY_SHIFT = Shift(name="day", starts=time(6), minutes=480, days=(1, 2, 3, 4, 5))
ONE_SHIFT = SiteCalendars({"one": Calendar(code="one", shifts=(DAY_SHIFT,), breaks=())}, ZoneInfo("UTC"))


def one_after_another(lengths: list[float]) -> Iterator[Span]:
    """Jobs of so many minutes on a unit that works from 6 to 14 on weekdays and is theirs at night."""
    monday = datetime(2026, 6, 1, 6, tzinfo=UTC)

    def clock(minute: float) -> datetime:
        weeks, in_week = divmod(minute, 5 * 480)
        days, in_day = divmod(in_week, 480)
        return monday + timedelta(weeks=weeks, days=days, minutes=in_day)

    at = 0.0
    for length in lengths:
        yield clock(at), clock(at + length)
        at += length


@pytest.mark.parametrize("minutes", [60, 300, 480])
def test_jobs_that_lie_over_a_night_are_not_slow(minutes: int) -> None:
    shares = [exp(NormalDist(0.0, 0.1).inv_cdf((37 * n % 100 + 0.5) / 100)) for n in range(100)]
    intervals = one_after_another([minutes * share for share in shares])
    busy = [ONE_SHIFT.worked("one", *one, seen=()).total_seconds() / 60 for one in intervals]
    pace = measured(jobs("MC", *(lasted / minutes for lasted in busy))).of("MC")
    assert pace.mean == pytest.approx(1.0, abs=0.02)
    assert pace.deviation < 0.15
    assert own_delay(Paces(centers={"MC": pace}), [("MC", float(minutes))]) < 0.25 * minutes


def test_without_a_job_there_is_what_is_believed_of_any_floor() -> None:
    assert measured([]) == Paces(PRIOR)
    assert evidence(measured([]), [("MC", 30.0)]).jobs == 0


def test_few_jobs_move_little_and_are_doubted() -> None:
    one = measured(jobs("MC", 2.0)).of("MC")
    assert 1.0 < one.mean < 1.6
    assert 0.05 < one.doubt < BETWEEN
    many = measured(jobs("MC", *[2.0] * 50)).of("MC")
    assert many.mean == pytest.approx(2.0, abs=0.05)
    assert many.doubt < one.doubt


def test_a_work_centre_without_jobs_is_like_the_site_and_more_doubted() -> None:
    paces = measured(jobs("MC", *spread_around(1.3, 100)))
    other = paces.of("NEW")
    assert other.mean == pytest.approx(paces.of("MC").mean, abs=0.05)
    assert other.doubt >= BETWEEN > paces.of("MC").doubt


def test_a_job_that_somebody_forgot_to_end_is_no_proof_of_a_slow_floor() -> None:
    usual = spread_around(1.0, 40)
    plain = measured(jobs("MC", *usual)).of("MC")
    with_it = measured(jobs("MC", *usual, 400.0)).of("MC")
    assert plain.mean < with_it.mean < 1.06 * plain.mean


def test_jobs_that_made_nothing_or_waited_say_nothing() -> None:
    nothing = measured(jobs("MC", None, 0.0, good=0)).of("MC")
    assert (nothing.mean, nothing.first_time_yield, nothing.jobs) == (1.0, PRIOR.first_time_yield, 0)
    waited = measured(jobs("MC", None, good=0, scrap=10)).of("MC")
    assert (waited.mean, waited.jobs) == (1.0, 0)
    assert waited.first_time_yield < PRIOR.first_time_yield


def test_all_scrap_is_no_division_by_nothing() -> None:
    lost = measured(jobs("MC", *[1.0] * 500, good=0, scrap=10)).of("MC")
    assert 0 < lost.first_time_yield < 0.05
    assert 0.9 < lost.again <= 1.0
    assert Pace(first_time_yield=1.0, scrapping=0.0).again == 0.0


def test_the_evidence_is_that_of_the_centres_that_the_order_goes_through() -> None:
    rows = [*jobs("MC", *[2.0] * 60), *jobs("PK", *[1.0] * 40), *jobs("TB", *[9.0] * 20)]
    found = evidence(measured(rows), [("MC", 30.0), ("PK", 10.0), ("MC", 10.0)])
    assert found.jobs == 100
    assert found.pace == pytest.approx(1.8, abs=0.1)
    assert found.first_time_yield == pytest.approx(measured(rows).of("MC").first_time_yield ** 3, abs=0.02)


def test_slow_or_unsteady_work_is_later_than_its_standard() -> None:
    steady = Paces(Pace(deviation=0.02, scrapping=0.0))
    slow = Paces(Pace(mean=1.5, deviation=0.02, scrapping=0.0))
    unsteady = Paces(Pace(deviation=0.4))
    work = [("MC", 100.0), ("PK", 50.0)]
    assert own_delay(steady, work) < 5 < own_delay(unsteady, work)
    assert 75 <= own_delay(slow, work) < 85
    assert own_delay(Paces(Pace(mean=0.5)), work) == 0


def test_paces_come_through_json_as_they_are() -> None:
    paces = measured(jobs("MC", 1.2, 0.8, None, scrap=1))
    assert paces_from_json(paces_to_json(paces)) == paces


def test_what_is_planned_after_all_that_was_learned_is_as_late_as_the_last() -> None:
    delays = Delays((100, 200), (10, 30))
    assert [delays.latest(end) for end in (50, 100, 101, 900)] == [60, 110, 131, 930]
    assert Delays().latest(70) == 70
