"""Job shops: tabu search and CP-SAT take turns, and who has gained more by the second goes on.

Each begins from the best plan that either has found. CP-SAT knows when nothing better is left; the
tabu search is quicker on everything that is not small. This loads the kernel.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial

from planner.anneal import Budget, Engine
from planner.cp.search import improve
from planner.decoder.proposal import decode
from planner.effort import Effort
from planner.measure import iterations_in
from planner.problem import Problem
from planner.progress import Watch
from planner.schedule import Schedule
from planner.share import CpShare

TABU, CP = "tabu search", "cp-sat"

OPENING = ((TABU, 0.2), (CP, 0.15), (TABU, 0.15))
"""Who begins, and with which shares of the effort."""

LATER = (0.25, 0.25)
"""Shares of those who have gained more."""

MOST_CHOICES = 1_500
"""Pairs of operation and unit above which CP-SAT does not get beyond its hint in a turn (measured)."""


@dataclass
class Found:
    """The best plan so far.

    Args:
        solver: Who found it; empty while it is the one to begin with.
        bound: No plan costs less.
        cp: What CP-SAT brought, in all its turns; None before the first.
    """

    schedule: Schedule
    cost: int
    bound: int
    solver: str = ""
    cp: CpShare | None = None


class Portfolio:
    """Two searches on one job shop."""

    def __init__(self, engine: Engine, first: Schedule, effort: Effort, watch: Watch) -> None:
        """Begin with a plan.

        Args:
            watch: Is told every plan that is better than all before, and asked whether to go on.
        """
        self.engine, self.effort, self.watch = engine, effort, watch
        self.problem: Problem = engine.packed.problem
        start = engine.sequences(first)
        start.cost = engine.retime(start)
        bound = engine.least_makespan * self.problem.weights.makespan
        self.found = Found(first, start.cost, bound)
        self.chains = engine.shorteners(start, Budget(seed=effort.seed, chains=effort.chains))
        self.gains = {TABU: 0.0, CP: 0.0}
        self.ends = time.process_time() + effort.seconds

    def search(self) -> Found:
        """Spend the effort, or end when nothing better is left."""
        if sum(len(o.alternatives) for o in self.problem.operations) > MOST_CHOICES:
            self._turn(TABU, self.effort.seconds)
            return self.found
        for name, share in OPENING:
            self._turn(name, share * self.effort.seconds)
        for share in LATER:
            self._turn(max(self.gains, key=lambda name: self.gains[name]), share * self.effort.seconds)
        return self.found

    def _turn(self, name: str, seconds: float) -> None:
        """Let one of them search, and note what it gained by the second."""
        if self.effort.clocked:
            seconds = min(seconds, self.ends - time.process_time())
        if self.found.cost <= self.found.bound or seconds <= 0 or self.watch.stop():
            return
        before = self.found.cost
        if name == TABU:
            self._shorten(seconds)
        else:
            self._ask_cp(seconds)
        self.gains[name] = (before - self.found.cost) / seconds

    def _shorten(self, seconds: float) -> None:
        moves = iterations_in(seconds, len(self.problem.operations))
        budget = Budget(seconds, None if self.effort.clocked else moves)
        plan = self.engine.shorten(
            self.chains, budget, partial(self.watch.met, TABU, bound=self.found.bound), self.watch.stop
        )
        if plan.cost < self.found.cost:
            self._keep(decode(self.problem, self.engine.choices(plan)), plan.cost, TABU)

    def _ask_cp(self, seconds: float) -> None:
        effort = replace(self.effort, seconds=seconds)
        found = improve(self.problem, self.found.schedule, effort, self.watch)
        self.found.bound = max(self.found.bound, found.bound)
        share = found.share(self.found.cost)
        self.found.cp = self.found.cp + share if self.found.cp else share
        if found.schedule is None or found.cost >= self.found.cost:
            return
        self._keep(found.schedule, found.cost, CP)
        plan = self.engine.sequences(found.schedule)
        for chain in self.chains:
            chain.go_on_from(plan.perm, plan.unit_of, found.cost // self.problem.weights.makespan)

    def _keep(self, schedule: Schedule, cost: int, solver: str) -> None:
        self.found.schedule, self.found.cost, self.found.solver = schedule, cost, solver
        self.watch.met(solver, cost, self.found.bound)
