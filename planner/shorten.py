"""Job shops: chains of the kernel's tabu search, and the least makespan that any plan can have."""

from __future__ import annotations

import time

import numpy as np

from planner import kernel
from planner.bound import Times, one_after_the_other
from planner.pack import Ints, Pack

PACE = 4e6
"""Iterations in a second, times operations, before it is known better."""


class Shortener:
    """One chain of the tabu search."""

    def __init__(self, packed: Pack, perm: Ints, unit_of: Ints, makespan: int, seed: int) -> None:
        """Begin with a plan."""
        self.plant = packed.plant
        size, units = len(perm), int(self.plant[kernel.UNIT_COUNT])
        self.perm, self.unit_of = perm.copy(), unit_of.copy()
        self.best_perm, self.best_unit = perm.copy(), unit_of.copy()
        self.pairs, self.places = np.zeros(size * size, np.int64), np.zeros(size * units, np.int64)
        self.io = np.zeros(kernel.IO, np.int64)
        self.io[kernel.SEED] = seed * 7919 % 2147483646 + 1
        self.io[kernel.T_BEST] = makespan
        self.pace = PACE / size

    @property
    def makespan(self) -> int:
        """Of the best plan that it met."""
        return int(self.io[kernel.T_BEST])

    @property
    def iterations(self) -> int:
        return int(self.io[kernel.T_ITERATION])

    def go(self, iterations: int) -> None:
        """Make so many moves."""
        began = time.thread_time()
        kernel.tabu(
            *(self.plant, self.perm, self.unit_of, self.best_perm, self.best_unit),
            *(self.pairs, self.places, self.io, iterations),
        )
        self.pace = iterations / max(1e-4, time.thread_time() - began)

    def go_on_from(self, perm: Ints, unit_of: Ints, makespan: int) -> None:
        """Continue from another plan, which is no worse than its own best one."""
        self.perm[:] = self.best_perm[:] = perm
        self.unit_of[:] = self.best_unit[:] = unit_of
        self.io[kernel.T_BEST] = makespan
        self.io[kernel.T_IMPROVED] = self.io[kernel.T_ITERATION]


def least_makespan(packed: Pack) -> int:
    """No plan of a job shop is shorter: each order alone, each unit with what only it can do."""
    problem = packed.problem
    shortest, tails = packed.shortest.tolist(), packed.tail.tolist()
    row_of = {o.id: row for row, o in enumerate(problem.operations)}
    heads = [0] * len(tails)
    alone: dict[str, list[Times]] = {}
    for row in sorted(range(len(tails)), key=lambda k: -tails[k]):  # what is waited for comes first
        operation = problem.operations[row]
        before = [(row_of[link.operation], link.lag) for link in operation.predecessors]
        heads[row] = max([operation.release, *(heads[k] + shortest[k] + lag for k, lag in before)])
        if len(operation.alternatives) == 1:
            times = (heads[row], shortest[row], tails[row] - shortest[row])
            alone.setdefault(operation.alternatives[0].unit, []).append(times)
    alone_in_time = [head + tail for head, tail in zip(heads, tails, strict=True)]
    return max([*alone_in_time, *(one_after_the_other(rows) for rows in alone.values())], default=0)
