"""Random plants: the engine against a grid of ATCS rules and against random ones, at equal CPU."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import Random
from statistics import median

import numpy as np

from planner import kernel
from planner.anneal import Budget, Engine, Sequences
from planner.checker import check
from planner.decoder.proposal import decode
from planner.pack import pack
from tests.benchmarks.planner.synthetic import plant


@dataclass(frozen=True)
class Size:
    """A kind of plant, and the CPU seconds that each side gets.

    Load and slack are such that 10 to 30 % of orders are late in the plan of the grid.
    """

    operations: int
    units: int
    seconds: float
    load: float
    slack: float
    operators: float = 0.0


TWO_THOUSAND = Size(2_000, 50, 10.0, load=1.1, slack=0.2)
TEN_THOUSAND = Size(10_000, 100, 30.0, load=1.0, slack=0.3)
WITH_OPERATORS = Size(2_000, 50, 10.0, load=1.1, slack=0.2, operators=1.0)


@dataclass(frozen=True)
class Duel:
    """One plant: ratios of the engine to its peers, and what the plant is like.

    Args:
        late: Share of orders that are late in the grid's plan.
    """

    tardiness_grid: float
    tardiness_random: float
    setups_grid: float
    late: float
    moves: int


def duel(size: Size, seed: int) -> Duel:
    """Plan one plant by the grid, by random rules and by the engine."""
    problem = plant(
        size.operations, size.units, seed, load=size.load, slack=size.slack, operators=size.operators
    )
    packed = pack(problem)
    engine = Engine(packed)
    grid = engine.grid()
    began = time.process_time()
    rules = engine.random_rules(grid, lambda: time.process_time() - began < size.seconds, Random(seed))
    found = engine.search(Budget(seconds=size.seconds, seed=seed))
    faults = check(problem, decode(problem, engine.choices(found)))
    if faults:
        raise AssertionError(faults[:3])
    base, setups, late = measure(engine, grid)
    ours, our_setups, _ = measure(engine, found)
    peer, _, _ = measure(engine, rules)
    return Duel(ours / base, ours / peer, our_setups / max(1, setups), late, engine.report.moves)


def measure(engine: Engine, plan: Sequences) -> tuple[int, int, float]:
    """Weighted late minutes, minutes of set-up, and the share of orders that are late."""
    problem = engine.packed.problem
    engine.retime(plan)
    rows = engine.packed.rows(engine.st)
    ends: dict[str, int] = {}
    for row, operation in enumerate(problem.operations):
        ends[operation.order] = max(ends.get(operation.order, 0), int(rows[row, kernel.END]))
    late = {o.id: max(0, ends[o.id] - o.due) for o in problem.orders}
    tardiness = sum(late[o.id] * o.weight for o in problem.orders)
    return tardiness, int(np.sum(rows[:, kernel.SETUP])), sum(m > 0 for m in late.values()) / len(late)


def duels(size: Size, seeds: tuple[int, ...]) -> list[Duel]:
    """One duel for each seed."""
    return [duel(size, seed) for seed in seeds]


def middle(rows: list[Duel], name: str) -> float:
    """The median of a figure over the seeds."""
    return float(median(getattr(row, name) for row in rows))
