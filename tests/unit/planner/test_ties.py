"""Greatest lags: who must follow in time, and what is told when that cannot be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from planner.checker import check
from planner.command_line import report
from planner.decoder.locks import LocksConflict
from planner.decoder.proposal import Choice, decode, proposal_of
from planner.dispatch import best_dispatch
from planner.document import Labels, plan_document
from planner.effort import Effort
from planner.explain import Cause, why_late
from planner.fault import InvalidProblem
from planner.objective import score
from planner.problem import (
    After,
    Link,
    Lock,
    Operation,
    Problem,
    Published,
    Release,
    Setup,
    Started,
    Unit,
    WorkCenter,
)
from planner.promise import Desk
from planner.replan import repair, replan
from planner.schedule import Reason, Schedule
from planner.solve import solve
from planner.ties import Excess, excesses
from tests.unit.planner.plants import FAMILIES, people, plant, shifts, step, store, through


def tied(most: int, minutes: int = 10, *units: str, order: str = "A", **changes: Any) -> Operation:
    """The second step of an order, at a greatest lag after the first."""
    link = Link(f"{order}-1", most=most)
    return step(f"{order}-2", minutes, *(units or ("N",)), predecessors=(link,), **changes)


def planned(problem: Problem, *first: str) -> Schedule:
    units = {o.id: o.alternatives[0].unit for o in problem.operations}
    plan = decode(problem, [Choice(name, units[name]) for name in first])
    assert check(problem, plan) == []
    return plan


def test_washing_waits_until_painting_can_follow_in_time() -> None:
    problem = plant(step("A-1", 10), tied(5), step("B-1", 60, "N"), due={"A": 20})
    plan = planned(problem, "B-1")
    washed, painted = plan.by_operation["A-1"], plan.by_operation["A-2"]
    assert (washed.start, washed.end, painted.start) == (45, 55, 60)
    assert (washed.reason.code, washed.reason.params) == ("tied", {"operation": "A-2"})
    assert why_late(problem, plan)["A"] == (Cause("tied", 45, "A-2"), Cause("unit", 5, "N", "B"))


def test_what_must_follow_in_time_waits_for_its_place_in_a_buffer() -> None:
    """A-1 needs no place, but A-2, which is tied to it, has to wait for the one that B leaves."""
    bound = (step("A-1", 5, "O"), tied(4, 10, "M"), step("A-3", 10, "N", after="A-2"))
    units = (*store(1)["units"], Unit("O", "W", "always"))
    problem = plant(*bound, *through("B", 10, 20), *through("C", 30, 10), **store(1) | {"units": units})
    rows = planned(problem, "C-1", "C-2", "B-1", "A-1").by_operation
    assert [rows[name].start for name in ("C-2", "B-1", "B-2")] == [30, 30, 40]
    assert [rows[name].start for name in ("A-1", "A-2", "A-3")] == [31, 40, 60]
    assert rows["A-1"].reason == Reason("tied", {"operation": "A-2"})
    last = planned(problem, "A-1", "A-3", "B-1", "B-2", "C-1").by_operation
    assert [last[name].start for name in ("A-1", "A-2", "B-1", "C-1")] == [0, 5, 15, 25]
    found = solve(problem, Effort(seconds=0.5))
    assert check(problem, found.schedule) == []
    assert found.status == "optimal"


def test_three_steps_are_shifted_from_the_last_to_the_first() -> None:
    rows = (step("A-1", 10), tied(2, 7), step("A-3", 5, predecessors=(Link("A-2", 1, most=3),)))
    plan = planned(plant(*rows, step("B-1", 40), due={"A": 30}), "A-1", "B-1")
    assert [plan.by_operation[f"A-{k}"].start for k in (1, 2, 3)] == [0, 10, 18]
    assert plan.by_operation["B-1"].start == 23
    plan = planned(plant(*rows, step("B-1", 40), **shifts((0, 20), (100, 500))), "A-1")
    assert [plan.by_operation[f"A-{k}"].start for k in (1, 2, 3)] == [0, 10, 18]
    assert plan.by_operation["A-3"].end == 103


def test_a_break_between_two_steps_counts() -> None:
    rows = (step("A-1", 10, resumable=False), tied(30, 30, resumable=False))
    plan = planned(plant(*rows, **shifts((0, 35), (70, 500))))
    assert (plan.by_operation["A-1"].start, plan.by_operation["A-2"].start) == (70, 80)


def test_what_a_follower_waits_for_beside_its_head_shifts_the_head() -> None:
    glue = step("A-1", 5)
    join = step("A-2", 5, "N", predecessors=(Link("A-1", most=4), Link("B-1")))
    plan = planned(plant(glue, join, step("B-1", 50, "N")), "A-1")
    assert (plan.by_operation["A-1"].end, plan.by_operation["A-2"].start) == (46, 50)


def test_nobody_else_goes_between_the_steps_of_a_chain_on_one_unit() -> None:
    plan = planned(plant(step("A-1", 10), tied(0, 10, "M"), step("B-1", 5)), "A-1", "B-1", "A-2")
    assert [a.operation for a in plan.by_unit["M"]] == ["A-1", "A-2", "B-1"]


def test_dough_goes_into_the_oven_when_its_batch_does() -> None:
    units = (Unit("M", "W", "always"), Unit("N", "W", "always", places=3))
    rows = [row for name in "ABC" for row in (step(f"{name}-1", 10), tied(25, 60, order=name))]
    problem = plant(step("X-1", 50, "N"), *rows, units=units)
    plan = planned(problem, "X-1", "A-1", "B-1", "C-1")
    assert [plan.by_operation[f"{name}-1"].end for name in "ABC"] == [25, 35, 45]
    assert {plan.by_operation[f"{name}-2"].start for name in "ABC"} == {50}


def test_people_that_are_needed_at_both_steps_are_not_counted_twice() -> None:
    rows = (step("A-1", 10, skill="BAKING"), tied(12, 10, skill="BAKING", family="40"))
    plan = planned(plant(*rows, crews=(people(1, "BAKING"),), **FAMILIES))
    assert (plan.by_operation["A-1"].end, plan.by_operation["A-2"].start) == (10, 20)


def test_a_chain_that_never_fits_before_the_horizon_goes_behind_it() -> None:
    rows = (step("A-1", 10, skill="BAKING"), tied(5, 10, skill="BAKING", family="40"))
    plan = planned(plant(*rows, crews=(people(1, "BAKING"),), **FAMILIES))
    assert plan.by_operation["A-1"].end > 900


def test_a_step_ends_late_enough_for_a_locked_one_behind_it() -> None:
    problem = plant(step("A-1", 10), tied(15, lock=Lock("N", 100)))
    assert planned(problem).by_operation["A-1"].end == 85
    with pytest.raises(LocksConflict, match="Move the lock to minute 10 or later"):
        decode(plant(step("A-1", 10), tied(15, lock=Lock("N", 9))), [])


@pytest.mark.parametrize("held", [{"started": Started("M", -5)}, {"lock": Lock("M", 0)}])
def test_after_work_under_way_the_next_step_goes_first_and_the_excess_is_told(held: dict[str, Any]) -> None:
    problem = plant(
        step("A-1", 10, **held), tied(5), step("B-1", 60, "N", lock=Lock("N", 0)), step("C-1", 30, "N")
    )
    plan = planned(problem, "C-1", "A-2")
    assert (plan.by_operation["A-2"].start, plan.by_operation["C-1"].start) == (60, 70)
    assert excesses(problem.operations, plan) == [Excess("A-2", "A-1", 5, 45)]
    found = solve(problem, Effort(0.2, workers=1))
    assert found.schedule.by_operation["A-2"].start == 60


def test_what_came_out_of_the_oven_is_coated_before_all_that_may_wait() -> None:
    """The oven step is complete since minute -20, and is known no more; it may wait until minute 40."""
    coat = replace(step("A-2", 10, "N"), after=After("A-1", -20, 60))
    problem = plant(coat, step("B-1", 60, "N"), due={"A": 500, "B": 60})
    for plan in (planned(problem, "B-1", "A-2"), best_dispatch(problem)[1]):
        assert plan.by_operation["A-2"].start == 0
        assert not excesses(problem.operations, plan)
    assert solve(problem, Effort(0.2, workers=1)).schedule.by_operation["A-2"].start == 0


@pytest.mark.parametrize(("ready", "first"), [(30, "A-2"), (200, "B-1")])
def test_who_must_still_dry_for_long_after_a_complete_step_holds_up_nobody(ready: int, first: str) -> None:
    dries = replace(step("A-2", 10, "N"), after=After("A-1", 0, 400), releases=(Release(ready, "lag"),))
    plan = planned(plant(dries, step("B-1", 60, "N")), "B-1", "A-2")
    assert plan.by_unit["N"][0].operation == first


def test_what_is_too_late_after_a_complete_step_is_told() -> None:
    late = replace(step("A-2", 10, "N"), after=After("A-1", -20, 60))
    problem = plant(late, step("B-1", 70, "N", started=Started("N", -5)))
    plan = planned(problem)
    assert plan.by_operation["A-2"].start == 70
    assert excesses(problem.operations, plan) == [Excess("A-2", "A-1", 60, 30)]
    document = plan_document(problem, report(problem, solve(problem, Effort(0.1, workers=1))), Labels())
    params = {"operation": "A-2", "before": "A-1", "most": 60, "minutes": 30}
    assert document["orders"][0]["unkept"] == [{"code": "excess", "params": params}]


@pytest.mark.parametrize(
    ("after", "what"),
    [
        (After("A-1", 5, 60), "is over at minute 5"),
        (After("A-1", -5, -1), "may start at most -1 minutes after A-1"),
    ],
)
def test_a_complete_step_that_cannot_be_is_refused(after: After, what: str) -> None:
    with pytest.raises(InvalidProblem, match=what):
        plant(replace(step("A-2"), after=after))
    with pytest.raises(InvalidProblem, match="has greatest lags after A-1 and X-1"):
        plant(step("A-1"), replace(tied(5), after=After("X-1", 0, 60)))


def test_frozen_steps_keep_their_distance() -> None:
    rows = (
        step("A-1", 10, frozen=True, published=Published("M", 45)),
        tied(5, frozen=True, published=Published("N", 60)),
        step("B-1", 60, "N", started=Started("N")),
    )
    plan = planned(plant(*rows))
    assert plan.by_operation["A-1"].start == 45
    assert plan.by_operation["A-1"].reason.code == "tied"
    assert not excesses(rows, plan)


def test_a_plan_that_is_timed_again_keeps_its_sequences() -> None:
    problem = plant(step("A-1", 10), tied(5), step("B-1", 8, "N"), step("C-1", 10))
    plan = planned(problem, "B-1", "A-1", "C-1")
    assert [a.operation for a in plan.by_unit["N"]] == ["B-1", "A-2"]
    assert decode(problem, proposal_of(problem, plan)) == plan


def test_whoever_comes_too_late_is_found_out() -> None:
    problem = plant(step("A-1", 10), tied(50))
    plan = planned(plant(*problem.operations, step("B-1", 40, "N")), "B-1")
    short = plant(step("A-1", 10), tied(20), step("B-1", 40, "N"))
    assert check(short, plan) == ["A-2 starts 10 minutes too late after A-1"]


def test_cp_sat_keeps_greatest_lags() -> None:
    problem = plant(
        *(step("A-1", 10), tied(5), step("B-1", 10), tied(0, 10, order="B"), step("C-1", 25, "N")),
        due={"A": 30, "B": 20, "C": 60},
    )
    found = solve(problem, Effort(1, workers=1))
    assert found.status == "optimal"
    assert check(problem, found.schedule) == []
    assert found.score == score(problem, found.schedule)
    best = best_dispatch(problem)[1]
    assert found.bound == found.score.total <= score(problem, best).total


def test_a_date_that_is_asked_for_keeps_greatest_lags() -> None:
    problem = plant(step("B-1", 60, "N"))
    desk = Desk(problem, planned(problem, "B-1"))
    quote = desk.quote((step("A-1", 10), tied(5)))
    assert [(fit.start, fit.end) for fit in quote.steps] == [(45, 55), (60, 70)]
    assert desk.decoder.schedule() == planned(problem, "B-1")


def test_a_plan_goes_on_when_the_unit_of_the_second_step_has_stopped() -> None:
    rows = [
        replace(row, published=Published(row.alternatives[0].unit, start))
        for row, start in ((step("A-1", 10), 0), (tied(5), 10), (step("B-1", 10), 10))
    ]
    stopped = (
        Unit("M", "W", "always"),
        replace(Unit("N", "W", "always"), stops=shifts((0, 100))["calendars"][0].windows),
    )
    problem = plant(*rows, units=stopped)
    for plan in (repair(problem), replan(problem, Effort(0.2, workers=1)).kept.schedule):
        assert check(problem, plan) == []
        assert plan.by_operation["A-1"].end == 95
        assert plan.by_operation["B-1"].start == 0


@pytest.mark.parametrize(
    ("rows", "changes", "said"),
    [
        (
            [step("A-1"), step("A-2", predecessors=(Link("A-1", 5, most=3),))],
            {},
            "operations A-2: may start at most 3 minutes after A-1, and at least 5. Give 5 or more",
        ),
        (
            [step("A-1"), step("A-2", predecessors=(Link("A-1", 0, 2, 30),))],
            {},
            "operations A-2: has a greatest lag after A-1 and gets 2 sub-lots of it. Keep one of the two",
        ),
        (
            [step("A-1"), step("A-2"), step("A-3", predecessors=(Link("A-1", most=1), Link("A-2", most=1)))],
            {},
            "operations A-3: has greatest lags after A-1 and A-2. Keep one of them",
        ),
        (
            [step("A-1"), tied(5), step("A-3", predecessors=(Link("A-1", most=5),))],
            {},
            "operations A-3: has a greatest lag after A-1, as A-2 has. Keep one of them",
        ),
        (
            [step("A-1", family="65"), tied(9, 10, "M", family="40")],
            FAMILIES,
            "operations A-2: comes at most 9 minutes after A-1, but its set-up behind that on M takes 10.",
        ),
        (
            [
                step("A-1"),
                step("A-2", 10, "N", predecessors=(Link("A-1", most=5), Link("B-1"))),
                step("B-1", 5, after="A-1"),
            ],
            {},
            "Take one of the links away, or a greatest lag: what is between two steps that it ties waits for",
        ),
    ],
)
def test_what_no_plan_can_keep_is_refused(rows: list[Operation], changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidProblem, match=said.replace(".", r"\.")):
        plant(*rows, **changes)


def test_a_set_up_on_a_common_unit_has_the_time_of_the_steps_between() -> None:
    centers = (WorkCenter("W", (Setup("40", 20),)),)
    rows = (
        step("A-1", 5, family="65"),
        tied(5, 10),
        step("A-3", 5, family="40", predecessors=(Link("A-2", most=5),)),
    )
    assert planned(plant(*rows, work_centers=centers)).by_operation["A-3"].start == 25
    narrow = (rows[0], rows[1], replace(rows[2], predecessors=(Link("A-2", most=4),)))
    with pytest.raises(InvalidProblem, match="comes at most 19 minutes after A-1"):
        plant(*narrow, work_centers=centers)


def test_locks_that_a_greatest_lag_keeps_apart_are_named() -> None:
    free = step("A-1", 10, releases=(Release(200),))
    problem = plant(free, tied(5, lock=Lock("N", 100)))
    with pytest.raises(LocksConflict) as refused:
        solve(problem, Effort(0.2, workers=1))
    assert refused.value.operation == "A-2"
