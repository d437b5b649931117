"""Why an order is late, in minutes that add up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.command_line import report
from planner.decoder.proposal import Choice, decode
from planner.document import Labels, plan_document
from planner.effort import Effort
from planner.explain import Cause, Explainer, why_late
from planner.fixes import fixes, remedies
from planner.problem import Calendar, Link, Operation, Problem, Release, Started, Tool, ToolUse, Unit, Window
from planner.schedule import Assignment, Schedule
from planner.solve import solve
from planner.too_long import TooLong, too_long
from planner.unmanned import Unmanned, unmanned
from planner.worktime import WorkTime
from tests.unit.planner.plants import FAMILIES, people, plant, shifts, step


def why(problem: Problem, order: str, *first: str) -> tuple[Cause, ...]:
    units = {o.id: o.alternatives[0].unit for o in problem.operations}
    plan = decode(problem, [Choice(name, units[name]) for name in first])
    return why_late(problem, plan).get(order, ())


def test_an_order_in_time_has_nothing_to_explain() -> None:
    assert why(plant(step("A-1")), "A") == ()


def test_its_own_work_may_be_too_long() -> None:
    assert why(plant(step("A-1", 30), due={"A": 20}), "A") == (Cause("work", 10),)


def test_what_was_due_before_now_is_overdue() -> None:
    assert why(plant(step("A-1", 30), due={"A": -15}), "A") == (Cause("work", 30), Cause("overdue", 15))


def test_another_order_was_on_the_unit() -> None:
    problem = plant(step("A-1", 30), step("B-1", 10), due={"B": 10})
    assert why(problem, "B", "A-1") == (Cause("unit", 30, "M", "A"),)


def test_slack_eats_the_earliest_waits() -> None:
    problem = plant(
        step("A-1", 20),
        step("B-1", 10),
        step("B-2", 10, "N", after="B-1"),
        step("C-1", 45, "N"),
        due={"B": 35},
    )
    causes = why(problem, "B", "A-1", "B-1", "C-1")
    assert causes == (Cause("unit", 15, "N", "C"), Cause("unit", 5, "M", "A"))


def test_the_wait_of_a_step_that_overlaps_begins_when_it_has_its_sub_lots() -> None:
    link = Link("A-1", sublots=4)
    rows = (step("A-1", 100), step("A-2", 100, "N", predecessors=(link,)), step("B-1", 100, "N"))
    assert why(plant(*rows, due={"A": 125}), "A", "B-1") == (Cause("unit", 75, "N", "B"),)
    slow = (rows[0], step("A-2", 20, "N", predecessors=(replace(link, lag=30),)))
    assert why(plant(*slow, due={"A": 100}), "A") == (Cause("lag", 30, "A-2"), Cause("work", 5))


def test_closed_hours_stops_material_people_and_set_ups_are_told_apart() -> None:
    closed = plant(step("A-1", 20), due={"A": 20}, **shifts((0, 10), (15, 100)))
    assert why(closed, "A") == (Cause("calendar", 5, "M"),)
    stopped = plant(step("A-1"), due={"A": 10}, units=(Unit("M", "W", "always", stops=(Window(0, 30),)),))
    assert why(stopped, "A") == (Cause("stop", 30, "M"),)
    short = plant(step("A-1", releases=(Release(25, "material", "SEAL"),)), due={"A": 10})
    assert why(short, "A") == (Cause("material", 25, "SEAL"),)
    alone = plant(
        step("A-1", 40, "N", skill="X"), step("B-1", skill="X"), crews=(people(1, "X"),), due={"B": 10}
    )
    assert why(alone, "B", "A-1", "B-1") == (Cause("people", 40, "X"),)
    changed = plant(step("A-1", family="40"), due={"A": 10}, **FAMILIES)
    assert why(changed, "A") == (Cause("setup", 10, "M"),)


def test_what_still_dries_after_a_complete_step_is_told_so_and_nobody_can_hurry_it() -> None:
    problem = plant(step("A-1", releases=(Release(25, "lag"),)), due={"A": 10})
    assert why(problem, "A") == (Cause("lag", 25, "A-1"),)
    assert ways(problem, "A") == []


def test_who_may_not_pause_waits_for_the_break_and_not_for_others() -> None:
    """At minute 10 the unit has 40 minutes left until its break, and the run takes 60."""
    rows = (step("A-1", 10), step("B-1", 60, resumable=False))
    problem = plant(*rows, due={"B": 70}, **shifts((0, 50), (80, 500)))
    assert why(problem, "B", "A-1", "B-1") == (Cause("break", 40, "M"), Cause("calendar", 30, "M"))
    assert ways(problem, "B", "A-1", "B-1")[0][:2] == ("overtime", "M")


def test_an_order_that_nobody_can_date_is_not_walked_minute_by_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    far = 90 * 1440
    never = step("A-1", releases=(Release(far, "material", "SEAL"),))
    days = tuple(Window(1440 * day, 1440 * day + 480) for day in range(90))
    problem = plant(never, due={"A": 60}, horizon=far, calendars=(Calendar("always", days),))
    asked: list[int] = []
    cause_at = Explainer._cause_at

    def count(self: Explainer, operation: Operation, row: Assignment, minute: int, free: int) -> Cause:
        asked.append(minute)
        return cause_at(self, operation, row, minute, free)

    monkeypatch.setattr(Explainer, "_cause_at", count)
    assert why(problem, "A") == (Cause("material", far - 50, "SEAL"),)
    assert asked == [0]


def ways(problem: Problem, order: str, *first: str) -> list[tuple[str, str, int, int]]:
    units = {o.id: o.alternatives[0].unit for o in problem.operations}
    plan = decode(problem, [Choice(name, units[name]) for name in first])
    return [(fix.code, fix.subject, fix.minutes, fix.saves) for fix in fixes(problem, plan, order)]


def test_an_order_in_time_needs_no_fix() -> None:
    assert ways(plant(step("A-1")), "A") == []


def test_what_helps_a_late_order_is_tried_and_told() -> None:
    closed = plant(step("A-1", 120), due={"A": 120}, **shifts((0, 100), (400, 900)))
    assert ways(closed, "A") == [("overtime", "M", 20, 300)]
    stopped = plant(step("A-1"), due={"A": 10}, units=(Unit("M", "W", "always", stops=(Window(0, 30),)),))
    assert ways(stopped, "A") == [("repair", "M", 30, 30)]
    short = plant(step("A-1", releases=(Release(25, "material", "SEAL"),)), due={"A": 10})
    assert ways(short, "A") == [("sooner", "SEAL", 25, 25)]
    alone = plant(
        step("A-1", 40, "N", skill="X"), step("B-1", skill="X"), crews=(people(1, "X"),), due={"B": 10}
    )
    assert ways(alone, "B", "A-1", "B-1") == [("person", "X", 10, 40)]


MOULD = (ToolUse("MOULD"),)


def test_one_more_tool_helps_who_waits_for_it() -> None:
    rows = (step("A-1", 50, "N", tools=MOULD), step("B-1", 10, tools=MOULD))
    assert ways(plant(*rows, tools=(Tool("MOULD"),), due={"B": 10}), "B", "A-1", "B-1") == [
        ("tool", "MOULD", 10, 50)
    ]


def test_a_unit_that_is_free_helps_before_anybody_is_delayed() -> None:
    problem = plant(step("A-1", 50), step("B-1", 10, "M", "N"), due={"A": 50, "B": 10})
    plan = decode(problem, [Choice("A-1", "M"), Choice("B-1", "M")])
    first, second = fixes(problem, plan, "B")
    assert (first.code, first.subject, first.minutes, first.saves, first.price) == ("unit", "N", 10, 50, 0)
    assert (second.code, second.subject, second.saves) == ("before", "A", 50)
    assert second.price == 10 * (problem.weights.tardiness + problem.weights.flow)


def test_who_goes_after_its_own_family_needs_no_set_up() -> None:
    rows = [step(f"{name}-1", 20, family=family) for name, family in (("A", "40"), ("B", "65"), ("C", "40"))]
    problem = plant(*rows, due={"C": 50}, **FAMILIES)
    plan = decode(problem, [Choice(f"{name}-1", "M") for name in "ABC"])
    assert [(fix.code, fix.subject, fix.minutes) for fix in fixes(problem, plan, "C")] == [
        ("before", "B", 30),
        ("grouped", "A", 10),
    ]


def test_who_waits_for_a_batch_may_lead_it() -> None:
    problem = plant(
        step("A-1", 10), step("A-2", 30, "H", after="A-1"), step("B-1", 30, "H"),
        due={"B": 30},
        units=(Unit("M", "W", "always"), Unit("H", "W", "always", places=2)),
    )  # fmt: skip
    assert ways(problem, "B", "A-1", "A-2", "B-1") == [("before", "A", 10, 10)]


def test_a_repair_is_of_the_stop_that_holds_now_and_of_no_other() -> None:
    stops = (Window(0, 60), Window(600, 900))
    stopped = plant(step("A-1"), due={"A": 10}, units=(Unit("M", "W", "always", stops=stops),))
    assert ways(stopped, "A") == [("repair", "M", 60, 60)]
    planned = plant(
        step("A-1", 40), due={"A": 40}, units=(Unit("M", "W", "always", stops=(Window(30, 60),)),)
    )
    assert ways(planned, "A") == []


def test_unlike_ways_have_prices_that_can_be_compared() -> None:
    """Somebody more for an hour is dearer than material an hour sooner, and overtime dearer than both."""
    alone = plant(
        step("A-1", 60, "N", skill="X"), step("B-1", 60, skill="X"), crews=(people(1, "X"),), due={"B": 60}
    )
    late = plant(step("A-1", releases=(Release(60, "material", "SEAL"),)), due={"A": 10})
    stopped = plant(step("A-1"), due={"A": 10}, units=(Unit("M", "W", "always", stops=(Window(0, 60),)),))
    closed = plant(step("A-1", 160), due={"A": 160}, **shifts((0, 100), (400, 900)))

    def price(problem: Problem, order: str) -> int:
        (fix,) = fixes(problem, decode(problem, []), order)
        return fix.price

    assert [price(late, "A"), price(alone, "B"), price(closed, "A"), price(stopped, "A")] == [
        60,
        480,
        600,
        1200,
    ]


def test_who_goes_before_another_costs_that_ones_lateness() -> None:
    problem = plant(step("A-1", 30), step("B-1", 10), due={"A": 35, "B": 10})
    plan = decode(problem, [Choice("A-1", "M"), Choice("B-1", "M")])
    (fix,) = fixes(problem, plan, "B")
    assert (fix.code, fix.subject, fix.saves) == ("before", "A", 30)
    assert fix.price == 5 * problem.weights.tardiness + 10 * problem.weights.flow


def test_what_a_way_saves_is_counted_from_the_plan_that_people_read() -> None:
    """B begins four minutes later than it could: a way that only took these would be none."""
    problem = plant(step("A-1", 30), step("B-1", 10), due={"A": 35, "B": 10})
    plan = decode(problem, [Choice("A-1", "M"), Choice("B-1", "M")])
    first, second = plan.assignments
    read = Schedule((first, replace(second, setup_start=34, start=34, end=44)))
    (fix,) = fixes(problem, read, "B")
    assert (fix.code, fix.subject, fix.saves) == ("before", "A", 34)


def test_what_others_gain_by_overtime_is_told_and_does_not_pay_for_it() -> None:
    """B gains more by A's hour of overtime than the hour costs; the hour is paid for all the same."""
    rows = (step("A-1", 160), step("B-1", 40))
    problem = plant(*rows, due={"A": 160, "B": 160}, **shifts((0, 100), (400, 900)))
    (fix,) = fixes(problem, decode(problem, [Choice("A-1", "M"), Choice("B-1", "M")]), "A")
    assert (fix.code, fix.minutes, fix.saves) == ("overtime", 60, 300)
    assert fix.price == 60 * problem.weights.overtime
    assert fix.also_saves == 60


def test_what_an_order_loses_is_not_paid_by_what_another_gains() -> None:
    """A is ten minutes later for B, and D, which follows B, thirty minutes sooner."""
    rows = (step("A-1", 30), step("B-1", 10), step("B-2", 50, "N", after="B-1"), step("D-1", 60, "N"))
    problem = plant(*rows, due={"A": 30, "B": 60, "D": 60})
    places = (("A-1", "M"), ("B-1", "M"), ("B-2", "N"), ("D-1", "N"))
    found = fixes(problem, decode(problem, [Choice(*place) for place in places]), "B")
    (fix,) = [fix for fix in found if fix.code == "before"]
    assert fix.price == 10 * (problem.weights.tardiness + problem.weights.flow)
    assert fix.also_saves == 30


def test_overtime_keeps_one_person_for_the_minutes_that_are_needed() -> None:
    """Two of the skill go home at 100, and only the late order's unit gets one back, for its 20 minutes."""
    rows = (step("A-1", 120, skill="X"), step("B-1", 120, "N", skill="X"))
    problem = plant(
        *rows,
        due={"A": 120, "B": 120},
        units=(Unit("M", "W", "shift"), Unit("N", "W", "always")),
        calendars=(
            Calendar("shift", (Window(0, 100), Window(400, 900))),
            Calendar("always", (Window(0, 1000),)),
        ),
        crews=(replace(people(2, "X"), windows=(Window(0, 100), Window(400, 900))),),
    )
    plan = decode(problem, [Choice("A-1", "M"), Choice("B-1", "N")])
    (remedy,) = [r for r in remedies(problem, plan, "A") if r.fix.code == "overtime"]
    stays = [crew for crew in remedy.problem.crews if crew not in problem.crews]
    assert [(crew.count, crew.windows) for crew in stays] == [(1, (Window(100, 120),))]
    assert WorkTime.of(remedy.problem, remedy.problem.unit_by_id["M"]).windows_until(400) == [(0, 120)]
    assert (remedy.fix.minutes, remedy.fix.saves, remedy.fix.also_saves) == (20, 300, 0)


def test_a_step_that_fits_into_no_shift_is_told_with_both_lengths() -> None:
    days = shifts((100, 300), (400, 600), (700, 850))
    problem = plant(step("A-1", 250, "M", "N", resumable=False), step("B-1", 250), **days)
    assert too_long(problem) == [TooLong("A-1", "M", 250, 200)]
    document = plan_document(problem, report(problem, solve(problem, Effort(0.1, workers=1))), Labels())
    told = {row["work_order"]: row["unkept"] for row in document["orders"]}
    params = {"operation": "A-1", "unit": "M", "minutes": 250, "longest": 200}
    assert told == {"A": [{"code": "too-long", "params": params}], "B": []}


def test_a_step_whose_skill_nobody_has_is_told_with_the_skill() -> None:
    rows = (step("A-1", skill="TURNIN"), step("B-1", skill="TURNING"), step("C-1"))
    problem = plant(*rows, crews=(people(1, "TURNING"),))
    document = plan_document(problem, report(problem, solve(problem, Effort(0.1, workers=1))), Labels())
    told = {row["work_order"]: row["unkept"] for row in document["orders"]}
    nobody = [{"code": "unmanned", "params": {"operation": "A-1", "skill": "TURNIN"}}]
    assert told == {"A": nobody, "B": [], "C": []}


def test_nobody_is_missed_where_work_runs_or_is_done_outside() -> None:
    row = step("A-1", skill="TURNIN")
    empty = replace(people(1, "TURNIN"), windows=())
    assert unmanned(plant(row, crews=(empty,))) == [Unmanned("A-1", "TURNIN")]
    assert not unmanned(plant(replace(row, started=Started("M"))))
    away = plant(row)
    assert not unmanned(replace(away, units=tuple(replace(u, subcontractor=True) for u in away.units)))


def test_overtime_and_a_unit_that_never_closes_make_a_long_step_fit() -> None:
    long = step("A-1", 250, resumable=False)
    assert not too_long(plant(long, **shifts((100, 360), (400, 600))))
    assert not too_long(plant(long))
    assert not too_long(plant(replace(long, started=Started("M")), **shifts((100, 300), (400, 600))))
    assert not too_long(plant(long, **shifts((0, 200), (900, 1000))))  # nobody knows how long these are
