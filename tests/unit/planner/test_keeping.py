"""Locks that dispatch rules do not keep: a plan with them, or the smallest set that contradicts itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from planner.checker import check
from planner.command_line import report
from planner.contradiction import Contradiction, LockedPlace, Mend, unlocked
from planner.decoder.locks import LocksConflict
from planner.dispatch import best_dispatch
from planner.document import Labels, plan_document
from planner.effort import Effort
from planner.problem import (
    Lock,
    Operation,
    Problem,
    Published,
    Release,
    Setup,
    Started,
    Tool,
    ToolUse,
    Unit,
    Window,
    WorkCenter,
)
from planner.replan import replan
from planner.solve import solve
from tests.unit.planner.plants import FAMILIES, people, plant, shifts, step, store, through

AT_ONCE = Effort(seconds=0.0)


def contradiction(problem: Problem) -> Contradiction:
    with pytest.raises(LocksConflict) as refusal:
        solve(problem, AT_ONCE)
    assert refusal.value.contradiction is not None
    return refusal.value.contradiction


def on(unit: str, start: int) -> dict[str, Any]:
    return {"lock": Lock(unit, start)}


def test_the_first_lock_leaves_the_fastest_unit_to_the_second() -> None:
    fast = tuple(replace(a, minutes=40 if a.unit == "N" else 60) for a in step("A", 1, "M", "N").alternatives)
    rows = (
        replace(step("A-1"), alternatives=fast),
        step("A-2", 5, "P", after="A-1", **on("P", 65)),
        step("B-1", 40, "N"),
        step("B-2", 5, "P", after="B-1", **on("P", 75)),
    )
    problem = plant(*rows, units=tuple(Unit(name, "W", "always") for name in "MNP"))
    with pytest.raises(LocksConflict):
        best_dispatch(problem)
    found = solve(problem, AT_ONCE)
    assert check(problem, found.schedule) == []
    assert found.schedule.by_operation["A-1"].unit == "M"


@pytest.mark.parametrize(
    ("rows", "changes", "rules", "mend"),
    [
        ((step("A-1", **on("M", 20)), step("B-1", **on("M", 25))), {}, ("unit",), Mend("A-1", 15)),
        (
            (step("A-1", family="40", **on("M", 20)), step("B-1", family="65", **on("M", 35))),
            FAMILIES,
            ("setup",),
            Mend("B-1", 40),
        ),
        (
            (step("A-1", 30, "N", **on("N", 20)), step("A-2", after="A-1", **on("M", 40))),
            {},
            ("route",),
            Mend("A-1", 10),
        ),
        ((step("A-1", **on("M", 20)),), shifts((0, 15), (30, 100)), ("calendar",), Mend("A-1", 14)),
        (
            (step("A-1", **on("M", 20)),),
            {"units": (Unit("M", "W", "always", stops=(Window(0, 23),)),)},
            ("stop",),
            Mend("A-1", 23),
        ),
        (
            (step("A-1", skill="X", **on("M", 20)), step("B-1", 10, "N", skill="X", **on("N", 27))),
            {"crews": (people(1, "X"),)},
            ("people",),
            Mend("A-1", 17),
        ),
        (
            (
                step("A-1", tools=(ToolUse("T"),), **on("M", 20)),
                step("B-1", 10, "N", tools=(ToolUse("T"),), **on("N", 27)),
            ),
            {"tools": (Tool("T"),)},
            ("tool",),
            Mend("A-1", 17),
        ),
        ((step("A-1", releases=(Release(30),), **on("M", 20)),), {}, ("material",), Mend("A-1", 30)),
        (
            (step("B-1", 40, started=Started("M")), step("A-1", **on("M", 20))),
            {},
            ("unit",),
            Mend("A-1", 40),
        ),
    ],
)
def test_a_refusal_names_the_smallest_set_its_rules_and_the_nearest_mend(
    rows: tuple[Operation, ...], changes: dict[str, Any], rules: tuple[str, ...], mend: Mend
) -> None:
    fine = step("Z-1", 5, rows[0].alternatives[0].unit, **on(rows[0].alternatives[0].unit, 300))
    found = contradiction(plant(*rows, fine, **changes))
    named = {o.id: LockedPlace(o.id, o.lock.unit, o.lock.start) for o in rows if o.lock}
    assert {lock.operation: lock for lock in found.locks} == named
    assert (found.rules, found.proved) == (rules, True)
    assert mend in found.mends
    distance = {m.operation: abs((m.minute or 0) - named[m.operation].start) for m in found.mends}
    assert distance[found.mends[0].operation] == min(distance.values())


def test_a_new_plan_goes_without_the_fewest_locks_and_says_why() -> None:
    rows = (
        step("A-1", 10, **on("M", 20)),
        step("B-1", 10, **on("M", 25)),
        step("C-1", 10, **on("M", 32)),
        step("D-1", 10, published=Published("N", 0), alternatives=step("D", 10, "N").alternatives),
    )
    problem = plant(*rows)
    found = replan(problem, AT_ONCE)
    released = found.kept.released
    assert [row.lock for row in released] == [LockedPlace("B-1", "M", 25)]
    assert released[0].because.rules == ("unit",)
    assert check(unlocked(problem, {"B-1"}), found.kept.schedule) == []


def test_what_a_plan_goes_without_is_in_its_document() -> None:
    problem = plant(step("A-1", **on("M", 20)), step("B-1", **on("M", 25)))
    document = plan_document(problem, report(problem, replan(problem, AT_ONCE).kept), Labels())
    (row,) = document["released"]
    assert (row["rules"], len(row["with"]), row["proved"]) == (["unit"], 1, True)
    assert {o["job_order"] for o in document["operations"] if o["locked"]} == {row["with"][0]["job_order"]}


def test_frozen_work_behind_a_released_lock_is_free() -> None:
    held = {"frozen": True, "published": Published("N", 40)}
    rows = (
        step("A-1", 10, **on("M", 20)),
        step("A-2", 10, "N", after="A-1", **held),
        step("B-1", 30, started=Started("M")),
    )
    assert not unlocked(plant(*rows), {"A-1"}).operation_by_id["A-2"].frozen
    assert check(unlocked(plant(*rows), {"A-1"}), replan(plant(*rows), AT_ONCE).kept.schedule) == []


def test_a_lock_before_a_manned_run_of_another_family_is_over_is_refused_with_the_next_minute() -> None:
    rows = (
        step("A-1", 30, family="65", skill="X", started=Started("M")),
        step("B-1", 30, family="40", skill="X", published=Published("M", 35), **on("M", 35)),
    )
    problem = plant(*rows, **FAMILIES, crews=(people(1, "X"),))
    found = contradiction(problem)
    assert (found.rules, found.mends) == (("setup",), (Mend("B-1", 40),))
    released = replan(problem, AT_ONCE).kept.released
    assert [row.lock.operation for row in released] == ["B-1"]


def test_a_refusal_that_the_solver_proves_without_naming_a_lock_names_the_lock() -> None:
    change = WorkCenter("W", (Setup("80", 2),))
    rows = (
        step("A-1", 24),
        step("A-2", 3, "N", after="A-1"),
        step("A-3", 5, "N", after="A-2", **on("N", 4)),
        step("B-1", 24, started=Started("M")),
        step("C-1", 24, releases=(Release(17),)),
    )
    open_for = {"horizon": 200, **shifts((0, 52), (173, 189))}
    units = (Unit("M", "W", "always", family="80"), Unit("N", "W", "always"))
    found = contradiction(plant(*rows, work_centers=(change,), units=units, **open_for))
    assert (found.rules, found.mends) == (("route",), (Mend("A-3", 51),))


@pytest.mark.parametrize("plan", [solve, replan])
def test_held_work_that_finds_no_place_is_no_lock_s_fault(plan: Callable[[Problem, Effort], object]) -> None:
    with pytest.raises(LocksConflict, match="operations A-1: finds no place in RACK"):
        plan(never_in(), AT_ONCE)


def never_in(*others: Operation) -> Problem:
    """The rack is full for ever: who is to go first cannot get in."""
    lying = step("S-1", 50, "N", stored=True, published=Published("N", 60), kept=True)
    first, second = through("A", 10, 30)
    ahead = replace(second, published=Published("N", 20), kept=True)
    return plant(lying, first, ahead, *others, **store(1))


def test_where_held_work_finds_no_place_a_lock_beside_it_is_a_guess() -> None:
    problem = never_in(step("B-1", 10, **on("M", 400)))
    found = contradiction(problem)
    assert ([lock.operation for lock in found.locks], found.proved) == (["B-1"], False)
