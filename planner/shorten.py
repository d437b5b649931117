"""Job shops: chains of the kernel's tabu search, and the least makespan that any plan can have.

Source:
    Carlier, Pinson, Management Science 35 (1989): the preemptive bound of one machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from heapq import heappop, heappush

import numpy as np

from planner import kernel
from planner.pack import Ints, Pack

PACE = 4e6
"""Iterations in a second, times operations, before it is known better."""

Times = tuple[int, int, int]
"""What must pass before an operation, its own minutes, and what must pass behind it."""


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


def one_after_the_other(rows: Iterable[Times]) -> int:
    """When all is done at the earliest if one machine may interrupt one operation for another."""
    waiting: list[list[int]] = []
    left = sorted(rows, reverse=True)
    now = longest = 0
    while left or waiting:
        if not waiting:
            now = max(now, left[-1][0])
        while left and left[-1][0] <= now:
            _, minutes, tail = left.pop()
            heappush(waiting, [-tail, minutes])
        until = min(now + waiting[0][1], left[-1][0] if left else now + waiting[0][1])
        waiting[0][1] -= until - now
        now = until
        if not waiting[0][1]:
            longest = max(longest, now - heappop(waiting)[0])
    return longest
