"""Replanning: nobody moves unasked, and what would move is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from planner.checker import check
from planner.decoder.proposal import Choice, decode
from planner.difference import by_cause, difference, moved_by_itself
from planner.effort import Effort
from planner.explain import Cause
from planner.material import Material, MaterialUse, Receipt
from planner.problem import (
    Buffer,
    Link,
    Order,
    Problem,
    Published,
    Release,
    Setup,
    Started,
    Unit,
    Window,
    WorkCenter,
)
from planner.promise import Desk
from planner.replan import as_published, repair, replan
from planner.solve import Solution, solve
from tests.unit.planner.plants import people, plant, step, store

EFFORT = Effort(seconds=0.5, workers=1)


def published(problem: Problem) -> Problem:
    """The problem with its best plan published."""
    plan = solve(problem, EFFORT).schedule.by_operation
    rows = tuple(
        replace(o, published=Published(plan[o.id].unit, plan[o.id].start)) for o in problem.operations
    )
    return replace(problem, operations=rows)


def two_orders() -> Problem:
    rows = (step("A-1", 20, "M", "N"), step("B-1", 20, "M", "N"))
    return published(plant(*rows, due={"A": 20, "B": 20}))


def test_a_first_plan_is_free() -> None:
    found = replan(plant(step("A-1", 20, "M", "N")), EFFORT)
    assert found.fresh
    assert found.better is None


def test_nothing_happened_so_nothing_moves() -> None:
    found = replan(two_orders(), EFFORT)
    assert found.better is None
    assert found.kept.score.late == 0


def test_frozen_work_keeps_its_order_where_a_set_up_begins_before_the_step_before_it_does() -> None:
    centers = (WorkCenter("W", (Setup("LONG", 45), Setup("SHORT", 20))),)
    rows = (
        step("A-1", 30, "N", published=Published("N", 100), frozen=True),
        step("A-2", 10, "M", after="A-1", family="LONG", published=Published("M", 130), frozen=True),
        step("B-1", 10, "M", family="SHORT", published=Published("M", 160), frozen=True),
    )
    stopped = (Unit("M", "W", "always", stops=(Window(90, 200),)), Unit("N", "W", "always"))
    problem = plant(*rows, units=stopped, work_centers=centers)
    plan = as_published(problem)
    assert check(problem, plan) == []
    assert [row.operation for row in plan.by_unit["M"]] == ["A-2", "B-1"]


def test_a_person_who_is_kept_for_a_step_of_soon_is_kept_for_it() -> None:
    soon = step("A-1", 20, "M", skill="S", releases=(Release(15),), published=Published("M", 15))
    later = step("B-1", 60, "N", skill="S", published=Published("N", 35))
    problem = plant(soon, later, due={"A": 35, "B": 100}, crews=(people(1, "S"),))
    assert repair(problem).by_operation["A-1"].start == 60
    told: list[Solution] = []
    replan(problem, EFFORT, on_repaired=told.append, on_kept=told.append, consider_moving=False)
    for plan in told:
        starts = {name: row.start for name, row in plan.schedule.by_operation.items()}
        assert starts == {"A-1": 15, "B-1": 35}


def test_a_stop_keeps_its_work_until_a_planner_agrees_to_move_it() -> None:
    problem = two_orders()
    stuck = next(o for o in problem.operations if o.published and o.published.unit == "M")
    stopped = Unit("M", "W", "always", stops=(Window(0, 60),))
    problem = replace(problem, units=(stopped, Unit("N", "W", "always")))
    first: list[Solution] = []
    found = replan(problem, EFFORT, on_repaired=first.append, on_kept=first.append)
    assert [plan.schedule for plan in first] == [repair(problem), found.kept.schedule]
    assert found.kept.schedule.by_operation[stuck.id].start == 60
    assert found.better is not None
    assert found.changes is not None
    assert [move.operation for move in found.changes.moved] == [stuck.id]
    assert [shift.cause for shift in found.changes.saved] == [Cause("stop", 60, "M")]
    assert found.changes.moved[0].cause == Cause("stop", 60, "M")
    assert found.better.score.total < found.kept_objective


def test_new_work_goes_where_it_harms_nobody() -> None:
    problem = two_orders()
    rush = step("R-1", 5, "M", "N")
    problem = replace(
        problem,
        orders=(*problem.orders, Order("R", 5, 8)),
        operations=(*problem.operations, rush),
    )
    found = replan(problem, EFFORT)
    assert check(problem, found.kept.schedule) == []
    for name in ("A-1", "B-1"):
        assert found.kept.schedule.by_operation[name].end == 20
    assert found.better is not None
    assert found.better.schedule.by_operation["R-1"].end == 5


def test_a_repair_overtakes_only_what_cannot_start() -> None:
    problem = plant(
        replace(step("A-1"), published=Published("M", 0)),
        replace(step("B-1"), published=Published("M", 10)),
    )
    assert [a.operation for a in repair(problem).assignments] == ["A-1", "B-1"]
    late = replace(problem.operations[0], releases=(Release(40, "material", "SEAL"),))
    problem = replace(problem, operations=(late, problem.operations[1]))
    assert [a.operation for a in repair(problem).assignments] == ["B-1", "A-1"]


def test_those_that_jump_the_queue_are_the_moved_ones() -> None:
    rows = [replace(step(f"{n}-1"), published=Published("M", 10 * i)) for i, n in enumerate("ABCD")]
    problem = plant(*rows, due={"A": 10, "B": 20, "C": 30, "D": 10})
    kept = decode(problem, [Choice(f"{n}-1", "M") for n in "ABCD"])
    new = decode(problem, [Choice(f"{n}-1", "M") for n in "DABC"])
    changes = by_cause(difference(problem, kept, new), problem, kept, new)
    assert [move.operation for move in changes.moved] == ["D-1"]
    assert changes.moved[0].cause == changes.saved[0].cause
    assert changes.saved[0].cause in {Cause("unit", 10, "M", name) for name in "ABC"}
    assert changes.late[0].cause == Cause("unit", 10, "M", "D")


def test_a_promise_uses_the_gap_and_says_what_binds() -> None:
    problem = plant(step("A-1", 30, "N"), step("A-2", 30, "M", after="A-1"))
    plan = decode(problem, [])
    desk = Desk(problem, plan)
    short = desk.quote((step("Q-1", 20, "M"),))
    assert (short.end, short.binding.code) == (20, "now")
    long = desk.quote((step("Q-1", 40, "M"),))
    assert (long.end, long.binding.code) == (100, "unit")


def test_a_promise_between_two_steps_that_are_tied_is_kept() -> None:
    paint = step("A-2", 10, predecessors=(Link("A-1", 20, most=60),), published=Published("M", 30))
    rows = (
        step("A-1", 10, published=Published("M", 0)),
        paint,
        step("W-1", 15, published=Published("M", 10)),
    )
    problem = plant(*rows, step("N-1", 5), due={"W": 25})
    told: list[Solution] = []
    replan(problem, EFFORT, on_repaired=told.append, on_kept=told.append, consider_moving=False)
    for plan in told:
        starts = {name: row.start for name, row in plan.schedule.by_operation.items()}
        assert starts == {"A-1": 0, "A-2": 30, "W-1": 10, "N-1": 25}


def test_a_plan_that_goes_on_by_itself_says_what_it_moves() -> None:
    rows = [replace(step(f"{n}-1"), published=Published("M", 10 * i)) for i, n in enumerate("ABC")]
    problem = plant(*rows, due={"A": 100, "B": 20, "C": 30})
    changes = moved_by_itself(problem, decode(problem, [Choice(f"{n}-1", "M") for n in "BCA"]))
    assert [(m.operation, m.from_start, m.to_start) for m in changes.moved] == [("A-1", 0, 20)]
    assert changes.moved[0].cause == Cause("unit", 0, "M", "B")
    assert (changes.late, changes.saved) == ((), ())
    later = moved_by_itself(problem, decode(problem, [Choice(f"{n}-1", "M") for n in "ABC"]))
    assert later.moved == ()


def test_material_that_new_work_takes_is_not_used_a_second_time() -> None:
    old = step("A-1", 10, "M", materials=(MaterialUse("SEAL", 1),), published=Published("M", 0))
    new = step("B-1", 10, "N", materials=(MaterialUse("SEAL", 1),))
    seals = Material("SEAL", 1, (Receipt(100, 1),))
    problem = plant(old, new, due={"A": 500, "B": 20}, materials=(seals,))
    for way in (as_published, repair):
        plan = way(problem)
        assert check(problem, plan) == []
        assert plan.by_operation["B-1"].start == 0
    assert replan(problem, EFFORT).kept.score.late == 0


def test_new_work_finds_the_place_taken_that_work_on_a_stopped_machine_delivers_to() -> None:
    """The machine stands still, but whatever it has begun has its place in the rack."""
    rack = store(1)
    stopped = Unit("M", "W", "always", stops=(Window(0, 50),))
    rack["units"] = (stopped, Unit("K", "W", "always"), rack["units"][1])
    under_way = step("A-1", 10, "M", started=Started("M", -5))
    rows = (
        under_way,
        step("A-2", 10, "N", after="A-1", published=Published("N", 10)),
        step("B-1", 10, "K"),
        step("B-2", 10, "N", after="B-1"),
    )
    problem = plant(*rows, due={"A": 500, "B": 20}, **rack)
    for way in (as_published, repair):
        plan = way(problem)
        assert check(problem, plan) == []
        assert plan.by_operation["B-1"].start >= plan.by_operation["A-2"].start


def test_whoever_cannot_stay_moves_and_a_plan_is_there() -> None:
    """The second may begin when the first has gone on, and that is behind it on its machine."""
    rack: dict[str, Any] = {
        "buffers": (Buffer("RACK", 1),),
        "work_centers": (WorkCenter("W", buffer="RACK"),),
    }
    rows = (
        step("A-1", 10, "M", published=Published("M", 0), frozen=True),
        step("A-2", 10, "M", "N", after="A-1", published=Published("M", 30)),
        step("B-1", 10, "M", published=Published("M", 10), frozen=True),
        step("B-2", 10, "N", after="B-1", published=Published("N", 40)),
    )
    problem = plant(*rows, **rack)
    kept = replan(problem, EFFORT).kept.schedule
    assert check(problem, kept) == []
    assert kept.by_operation["A-2"].unit == "N"
