"""A floor with habits of its own, of which nobody is told: known are the jobs that it has finished.

The habits are drawn from other distributions (gamma, binomial) than those that the planner believes in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from planner.anneal import Engine, Sequences
from planner.confidence import Shares
from planner.pace import Finished
from planner.problem import Problem

PIECES = (1, 40)
"""Of an order, the least and the most."""

JOBS = (0, 100)
"""Finished job orders of a work centre that are known, likewise."""


@dataclass(frozen=True)
class Habit:
    """What a work centre really makes of standard times and pieces.

    Args:
        mean: Real minutes for a minute of standard time.
        deviation: Standard deviation of the same.
        first_time_yield: Good pieces of all pieces.
    """

    mean: float
    deviation: float
    first_time_yield: float

    def speeds(self, random: np.random.Generator, count: int) -> Shares:
        """Real minutes for a minute of standard time, of so many jobs."""
        shape = (self.mean / self.deviation) ** 2
        return random.gamma(shape, self.mean / shape, count)


Habits = Mapping[str, Habit]


def habits(problem: Problem, seed: int) -> Habits:
    """The habits of the work centres of a plant."""
    random = np.random.default_rng(seed)
    return {
        center.id: Habit(
            mean=float(np.exp(random.normal(0.05, 0.1))),
            deviation=float(random.uniform(0.08, 0.3)),
            first_time_yield=float(random.uniform(0.94, 0.998)),
        )
        for center in problem.work_centers
    }


def finished(known: Habits, seed: int) -> list[Finished]:
    """What a floor with these habits has finished."""
    random = np.random.default_rng(seed)
    return [
        Finished(center, float(speed), Decimal(int(good)), Decimal(pieces - int(good)))
        for center, habit in known.items()
        for speed in habit.speeds(random, int(random.integers(*JOBS)))
        for pieces in [int(random.integers(*PIECES))]
        for good in [random.binomial(pieces, habit.first_time_yield)]
    ]


def lived(engine: Engine, plan: Sequences, known: Habits, random: np.random.Generator) -> Shares:
    """What a floor with these habits makes of each operation of a plan: scrap is made again, once."""
    problem = engine.packed.problem
    found = np.ones(len(plan.unit_of))
    for number, (operation, row) in enumerate(zip(problem.operations, plan.unit_of, strict=True)):
        habit = known[problem.units[row].work_center]
        pieces = 1 + sum(operation.order.encode()) % PIECES[1]
        bad = random.binomial(pieces, 1 - habit.first_time_yield)
        found[number] = habit.speeds(random, 1)[0] * (1 + bad / pieces)
    return found
