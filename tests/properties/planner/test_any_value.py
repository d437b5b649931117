"""Whatever is written in a field of a problem: the answer is a plan that the checker accepts, or a fault.

The plants, one of them large enough for the kernel, have a row of each kind with all its fields.
"""

from __future__ import annotations

import json
import os
from copy import deepcopy
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.checker import check
from planner.contradiction import unlocked
from planner.decoder.locks import LocksConflict
from planner.effort import Effort
from planner.fault import InvalidProblem
from planner.form import problem_from_json
from planner.material import Material, MaterialUse, Receipt
from planner.problem import (
    After,
    Away,
    Buffer,
    Calendar,
    Crew,
    Link,
    Lock,
    Operation,
    Order,
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
from planner.ranges import RANGES
from planner.solve import Solution, solve, wants_kernel
from tests.unit.planner.plants import plant, step

pytestmark = pytest.mark.usefixtures("compiled_kernel")

RUNS = settings(max_examples=int(os.environ.get("ANY_VALUE_EXAMPLES", "30")), deadline=None)

FEW = Effort(kernel=True, moves=20, workers=1, chains=1)

Place = tuple[str | int, ...]
"""Where a value is: the fields and list places that lead there."""


def whole(orders: int) -> Problem:
    """A plant with a row of each kind; every order goes over a lathe, an oven and a bench."""
    rows: list[Operation] = []
    for number in range(orders):
        name = f"O{number}"
        turn = step(f"{name}-1", 20, "M", "N", family=("40", "65")[number % 2])
        bake = step(f"{name}-2", 30, "OVEN", predecessors=(Link(turn.id, 5),), places=1, family="40")
        pack = step(f"{name}-3", 10, "B", predecessors=(Link(bake.id, sublots=2),), skill="PACKING")
        rows += (
            replace(
                turn,
                tools=(ToolUse("JIG"),),
                releases=(Release(3 * number),),
                published=Published("M", 9 * number),
            ),
            bake,
            replace(pack, materials=(MaterialUse("BOX", 2),)),
        )
    rows += (
        step("X-1", 15, "M", started=Started("M", -5, 3)),
        step("X-2", 15, "N", lock=Lock("N", 100)),
        step("X-3", 15, "B"),
        step("X-4", 15, "N", predecessors=(Link("X-3", 2, most=60),)),
        replace(step("Y-1", 15, "A"), after=After("X-0", -10, 500)),
        step("Z-1", 15, "M", releases=(Release(50),)),
    )
    always, shift = (Window(0, 1000),), (Window(0, 400), Window(450, 900))
    return plant(
        *rows,
        calendars=(Calendar("always", always), Calendar("shift", shift)),
        work_centers=(
            WorkCenter("W", (Setup("40", 10), Setup("65", 15, "40"))),
            WorkCenter("P", buffer="RACK"),
            WorkCenter("H"),
            WorkCenter("S"),
        ),
        units=(
            Unit("M", "W", "shift", "40", (Window(200, 220),)),
            Unit("N", "W", "always"),
            Unit("OVEN", "H", "always", places=4),
            Unit("B", "P", "shift"),
            Unit("A", "S", "always", subcontractor=True),
        ),
        crews=(Crew("C", ("PACKING",), shift, 2, ("Ann", "Bo")),),
        orders=(
            *(Order(f"O{number}", 100 + 10 * number, 1 + number % 5) for number in range(orders)),
            *(Order("X", 200), Order("Y", -50)),
            Order("Z", 300, kind="maintenance"),
        ),
        tools=(Tool("JIG", 2, (Away(100, 150),)),),
        materials=(Material("BOX", 50, (Receipt(300, 500),)),),
        buffers=(Buffer("RACK", 6),),
        named_until=60,
        overtime=30,
    )


def form(problem: Problem) -> Any:
    """The problem as JSON with all its fields, those that could be left out, too."""
    return json.loads(json.dumps(asdict(problem) | {"origin": problem.origin.isoformat()}))


def places(data: Any, at: Place = ()) -> list[Place]:
    """Where all values are that another one can be written over."""
    found = [at] if at else []
    if isinstance(data, dict):
        found += [place for name, value in data.items() for place in places(value, (*at, name))]
    if isinstance(data, list):
        found += [place for i, value in enumerate(data) for place in places(value, (*at, i))]
    return found


def written(data: Any, place: Place, value: Any) -> Any:
    data = deepcopy(data)
    row = data
    for name in place[:-1]:
        row = row[name]
    row[place[-1]] = value
    return data


EDGES = sorted({edge for limits in RANGES.values() for edge in (limits.least, limits.most)})
VALUES = (
    st.sampled_from(EDGES)
    | st.sampled_from((2**31, 2**63 - 1, 2**63, -(2**63), 10**19, -(10**19), 10**30, -(10**30)))
    | st.integers(-50, 1500)
    | st.sampled_from((None, True, False, 0.5, 1e308, float("nan"), float("inf")))
    | st.sampled_from(("", " ", "M", "40", "A-1", "X-1", "\N{SNOWMAN}", "2026-11-02"))
    | st.sampled_from(([], [1], [None], [[]], {}, {"id": "M"}, {"start": 0, "end": 10}))
)
LARGE, SMALL = form(whole(35)), form(whole(2))


def kind_of(place: Place) -> tuple[str | int, ...]:
    """A place without the numbers of its rows: each field is as likely as another."""
    return tuple(name for name in place if isinstance(name, str))


def by_kind(data: Any) -> st.SearchStrategy[Place]:
    found: dict[tuple[str | int, ...], list[Place]] = {}
    for place in places(data):
        found.setdefault(kind_of(place), []).append(place)
    return st.sampled_from(sorted(found)).flatmap(lambda kind: st.sampled_from(found[kind]))


def plan_or_fault(data: Any) -> None:
    answer = answered(json.loads(json.dumps(data)))
    if isinstance(answer, InvalidProblem):
        assert answer.faults
        assert all(fault.row and fault.what and fault.remedy for fault in answer.faults)
    elif isinstance(answer, LocksConflict):
        assert answer.operation
        assert answer.remedy
    else:
        problem, found = answer
        assert check(unlocked(problem, [row.lock.operation for row in found.released]), found.schedule) == []


def answered(data: Any) -> tuple[Problem, Solution] | InvalidProblem | LocksConflict:
    try:
        problem = problem_from_json(data)
        return problem, solve(problem, FEW)
    except (InvalidProblem, LocksConflict) as refused:
        return refused


def test_the_large_plant_is_one_for_the_kernel() -> None:
    assert wants_kernel(problem_from_json(LARGE))
    assert not wants_kernel(problem_from_json(SMALL))


@RUNS
@given(by_kind(LARGE), VALUES)
def test_any_value_in_a_large_plant(place: Place, value: Any) -> None:
    plan_or_fault(written(LARGE, place, value))


@RUNS
@given(by_kind(SMALL), VALUES)
def test_any_value_in_a_small_plant(place: Place, value: Any) -> None:
    plan_or_fault(written(SMALL, place, value))
