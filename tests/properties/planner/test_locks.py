"""Locks out of a plan that can be done are never refused; those refused cannot be kept, all of them."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings

from planner.checker import check
from planner.contradiction import Contradiction, unlocked
from planner.cp.cp_sat import cp_model
from planner.cp.search import build
from planner.decoder.locks import LocksConflict
from planner.decoder.proposal import Choice, decode
from planner.dispatch import dispatch, edd
from planner.effort import Effort
from planner.problem import Alternative, Lock, Operation, Problem
from planner.replan import replan
from planner.solve import solve
from tests.properties.planner.strategies import locked
from tests.unit.planner.plants import FAMILIES, people, plant, shifts, step

AT_ONCE = Effort(seconds=0.0)


def random_plant(random: Random) -> Problem:
    """Two units; set-ups, people and breaks by chance."""
    has_families, has_people, has_breaks = (random.random() < 0.5 for _ in range(3))
    rows: list[Operation] = []
    for order in range(random.randint(2, 4)):
        for number in range(random.randint(1, 3)):
            row = step(
                f"O{order}-{number}",
                1,
                after=f"O{order}-{number - 1}" if number else "",
                family=random.choice(("40", "65", "80")) if has_families else None,
                skill=random.choice("AB") if has_people else None,
                resumable=random.random() < 0.7,
            )
            units = random.sample("MN", random.choice((1, 2)))
            on = tuple(Alternative(unit, random.randint(3, 20)) for unit in units)
            rows.append(replace(row, alternatives=on))
    changes: dict[str, Any] = {**(FAMILIES if has_families else {}), **(breaks(random) if has_breaks else {})}
    if has_people:
        changes["crews"] = (people(1, "A"), people(1, "A", "B"))
    return plant(*rows, **changes, due={f"O{i}": random.randint(10, 60) for i in range(4)})


def breaks(random: Random) -> dict[str, Any]:
    opens, windows = 0, []
    while opens < 300:
        closes = opens + random.randint(20, 60)
        windows.append((opens, closes))
        opens = closes + random.randint(3, 20)
    return shifts(*windows)


def locked_where_it_is(problem: Problem, random: Random, move: tuple[int, ...] = (0,)) -> Problem:
    """Lock two fifths of the work where a random plan has it, some moved by so many minutes."""
    names, choices = list(problem.operations), list[Choice]()
    random.shuffle(names)
    choices = [Choice(o.id, random.choice(o.alternatives).unit) for o in names]
    places = decode(problem, choices).by_operation
    rows = tuple(
        replace(o, lock=Lock(places[o.id].unit, max(0, places[o.id].start + random.choice(move))))
        if random.random() < 0.4
        else o
        for o in problem.operations
    )
    return replace(problem, operations=rows)


@pytest.mark.parametrize("seed", range(60))
def test_locks_out_of_a_plan_that_can_be_done_are_never_refused(seed: int) -> None:
    random = Random(seed)
    problem = locked_where_it_is(random_plant(random), random)
    assert check(problem, solve(problem, AT_ONCE).schedule) == []


@pytest.mark.parametrize("seed", range(16))
def test_what_is_refused_cannot_be_kept_and_no_plant_is_left_without_a_plan(seed: int) -> None:
    random = Random(seed)
    problem = locked_where_it_is(random_plant(random), random, (0, 0, -7, 5))
    why = refusal(problem)
    if why is not None:
        assert why.proved
        named = {lock.operation for lock in why.locks}
        others = {o.id for o in problem.operations if o.lock} - named
        assert not can_be(unlocked(problem, others))
        for name in named:
            fewer = unlocked(problem, others | {name})
            assert check(fewer, solve(fewer, AT_ONCE).schedule) == []
        found = replan(problem, AT_ONCE).kept
        released = {row.lock.operation for row in found.released}
        assert released
        assert check(unlocked(problem, released), found.schedule) == []


@settings(max_examples=20, deadline=None)
@given(locked())
def test_whatever_runs_is_frozen_or_locked_there_is_a_plan_or_a_lock_to_take_off(problem: Problem) -> None:
    why = refusal(problem)
    assert why is None or (why.locks and why.mends)
    found = replan(problem, AT_ONCE).kept
    released = {row.lock.operation for row in found.released}
    assert bool(released) or why is None or not why.proved
    assert check(unlocked(problem, released), found.schedule) == []


def refusal(problem: Problem) -> Contradiction | None:
    try:
        assert check(problem, solve(problem, AT_ONCE).schedule) == []
    except LocksConflict as refused:
        return refused.contradiction or pytest.fail("refused without a reason")
    return None


def can_be(problem: Problem) -> bool:
    """Whether the model of whole plans has one with all locks: it is asked without any assumption."""
    free = unlocked(problem, {o.id for o in problem.operations if o.lock})
    incumbent = dispatch(free, edd(free))
    model = build(free, incumbent)
    for operation in problem.operations:
        if operation.lock:
            model.cp.add(model.starts[operation.id] == operation.lock.start)
            model.cp.add(model.on(operation.id, operation.lock.unit) == 1)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    return solver.status_name(solver.solve(model.cp)) != "INFEASIBLE"
