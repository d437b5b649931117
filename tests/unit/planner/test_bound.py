"""What no plan can cost less than, on plants so small that it can be counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.bound import least_cost
from planner.effort import Effort
from planner.material import Material, MaterialUse, Receipt
from planner.problem import Link, Lock, Operation, Problem, Published, Started, Weights
from planner.solve import solve
from tests.unit.planner.plants import hardening, oven, plant, shifts, step

FLOW = Weights(tardiness=0, setup=0, moved=0, shift=0)
LATE = Weights(setup=0, moved=0, shift=0, flow=0)
STABLE = Weights(tardiness=0, setup=0, flow=0)
SHORT = Weights(0, 0, 0, 0, 0, 0, 1)
CASTINGS = (Material("CAST", 3, (Receipt(40, 2), Receipt(60, 9))),)
FIVE = (MaterialUse("CAST", 5),)


def route(*, lag: int = 0, sublots: int = 1) -> tuple[Operation, ...]:
    second = step("A-2", 20, "N")
    return step("A-1", 10), replace(second, predecessors=(Link("A-1", lag, sublots),))


def four(*units: str) -> tuple[Operation, ...]:
    return tuple(step(f"{name}-1", 10, *units) for name in "ABCD")


NOW = dict.fromkeys("ABCD", 0)


@pytest.mark.parametrize(
    ("problem", "least"),
    [
        (plant(weights=FLOW), 0),
        (plant(*route(lag=5), weights=FLOW), 35),
        (plant(*route(sublots=2), weights=FLOW), 25),
        (plant(step("A-1", 10), weights=FLOW, **shifts((0, 6), (50, 100))), 54),
        (plant(step("A-1", 10, resumable=False), weights=FLOW, **shifts((0, 6), (50, 100))), 60),
        (plant(step("A-1", 10), weights=LATE, due={"A": 4}), 600),
        (plant(step("A-1", 10, lock=Lock("M", 7)), weights=FLOW), 17),
        (plant(step("A-1", 10, started=Started("M", -5)), weights=FLOW), 10),
        (plant(step("A-1", 10, materials=FIVE), materials=CASTINGS, weights=FLOW), 50),
    ],
)
def test_an_order_needs_its_own_way(problem: Problem, least: int) -> None:
    assert least_cost(problem) == least


@pytest.mark.parametrize(
    ("problem", "least"),
    [
        (plant(*four(), weights=FLOW), 10 + 20 + 30 + 40),
        (plant(*four(), weights=LATE, due=NOW), 100 * (10 + 20 + 30 + 40)),
        (plant(*four(), weights=LATE, due=dict.fromkeys("ABCD", 20)), 100 * (10 + 20 + 30 + 40 - 4 * 20)),
        (plant(*four(), weights=SHORT), 40),
        (plant(*four("M", "N"), weights=FLOW), 4 * 10 + 4 * 5),  # two units as one that is twice as quick
        (plant(*four(), weights=FLOW, **oven(4)), 4 * 10),
        (plant(*four("H"), weights=FLOW, **hardening()), 4 * 10),
    ],
)
def test_orders_that_share_a_unit_wait_for_one_another(problem: Problem, least: int) -> None:
    assert least_cost(problem) == least


def test_changes_that_cannot_be_helped_are_charged() -> None:
    gone = step("A-1", 10, "M", "N", published=Published("N", 0), lock=Lock("M", 0))
    late = step("A-1", published=Published("M", 3), lock=Lock("M", 13))
    assert least_cost(plant(gone, weights=STABLE)) == STABLE.moved
    assert least_cost(plant(late, weights=STABLE)) == 10 * STABLE.shift


def test_a_plan_that_costs_no_more_is_the_best_without_a_search() -> None:
    found = solve(plant(*four()), Effort(seconds=3600))
    assert (found.status, found.bound, found.gap, found.cp) == ("optimal", 100, 0, None)
