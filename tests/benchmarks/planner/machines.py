"""Public instances: the engine against PyJobShop and plain CP-SAT, at equal CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import exp, log

from planner.anneal import Budget, Engine
from planner.bench import Instance
from planner.checker import check
from planner.decoder import decode
from planner.objective import score
from planner.pack import pack
from planner.problem import Problem


def ours(problem: Problem, cpu_seconds: float, seed: int) -> int:
    """The makespan of the engine's plan, which the checker has seen."""
    engine = Engine(pack(problem))
    found = engine.search(Budget(seconds=cpu_seconds, seed=seed))
    plan = decode(problem, engine.choices(found))
    faults = check(problem, plan)
    if faults:
        raise AssertionError(faults[:3])
    return score(problem, plan).makespan


def ratios(
    rows: list[Instance], cpu_seconds: float, seed: int, peer: Callable[[Problem, float], int]
) -> dict[str, tuple[int, int]]:
    """Instance -> (ours, the peer's)."""
    found: dict[str, tuple[int, int]] = {}
    for row in rows:
        problem = row.problem
        found[row.name] = (ours(problem, cpu_seconds, seed), peer(problem, cpu_seconds))
        print(f"    {row.name:20} {found[row.name][0]:>7} {found[row.name][1]:>7}", flush=True)
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
