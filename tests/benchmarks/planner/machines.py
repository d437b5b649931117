"""Public instances: the engine against PyJobShop and plain CP-SAT, at equal CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log
from statistics import median

from planner.anneal import Engine
from planner.bench import Instance
from planner.checker import check
from planner.effort import Effort
from planner.pack import pack
from planner.problem import Problem
from planner.solve import solve


@dataclass(frozen=True)
class Duel:
    """Makespans of the engine, the median over the seeds, and of a peer."""

    ours: float
    theirs: int

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs


def ours(problem: Problem, cpu_seconds: float, seed: int) -> int:
    """The makespan of the engine's plan, which the checker has seen; two workers like the peers."""
    found = solve(problem, Effort(cpu_seconds, workers=2, seed=seed, kernel=True, chains=1, clocked=True))
    faults = check(problem, found.schedule)
    if faults:
        raise AssertionError(faults[:3])
    return found.score.makespan


def ratios(
    rows: list[Instance], cpu_seconds: float, seeds: tuple[int, ...], peer: Callable[[Problem, float], int]
) -> dict[str, Duel]:
    """One duel for each instance."""
    found: dict[str, Duel] = {}
    for row in rows:
        problem = row.problem
        values = [ours(problem, cpu_seconds, seed) for seed in seeds]
        found[row.name] = duel = Duel(median(values), peer(problem, cpu_seconds))
        words = " ".join(map(str, values))
        print(f"    {row.name:20} {words:24} {duel.theirs:>7} {duel.ratio:.3f}", flush=True)
    return found


def geometric(values: list[float]) -> float:
    """The geometric mean."""
    return exp(sum(log(value) for value in values) / len(values))


def first_solution_s(problem: Problem) -> float:
    """CPU seconds from the problem to the first plan, the kernel being loaded."""
    began = time.process_time()
    engine = Engine(pack(problem))
    engine.ranked(engine.packed.tail.astype(float), "most work remaining")
    return time.process_time() - began
