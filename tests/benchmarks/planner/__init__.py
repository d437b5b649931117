"""The planning engine against its peers, at equal CPU.

`make bench ARGS="planner"` runs the lists of `suite.toml`; `--full` all stored instances. Options:
`--instances=FOLDER` (with folders `jsp`, `fjsp`, `sdst`), `--seeds=11,12,13`, `--only=plants` (or
`operators`, `flexible`, `classic`, `repair`, `promise`, `rolling`, `size`), several with commas.

All budgets are seconds of this process's CPU: on a busy machine both sides slow down alike.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from planner.anneal import Budget, Engine, Sequences
from planner.bench import Instance
from planner.pack import pack
from planner.problem import Problem
from tests.benchmarks.figure import Figure
from tests.benchmarks.planner import disturbed, plants, rolling
from tests.benchmarks.planner.instances import DATA, every, listed, suite
from tests.benchmarks.planner.machines import first_solution_s, geometric, ratios
from tests.benchmarks.planner.synthetic import plant

SEEDS = (11, 12, 13, 14, 15)
"""Plants on which nothing was tuned."""


class Options:
    """What the command line asks for."""

    def __init__(self, words: list[str]) -> None:
        given = dict(word[2:].partition("=")[::2] for word in words if word.startswith("--"))
        self.full = "full" in given
        self.folder = Path(given.get("instances") or DATA)
        self.seeds = tuple(int(s) for s in given["seeds"].split(",")) if "seeds" in given else SEEDS
        self.only = frozenset(given["only"].split(",")) if "only" in given else frozenset()

    def listed(self, name: str) -> list[Instance]:
        """A list of the suite, or all instances of the folder that fit it."""
        if not self.full and self.folder == DATA:
            return listed(suite()[name])
        kinds = {"jsp"} if name.startswith("classic") else {"fjsp", "sdst"}
        return [row for row in every(self.folder) if row.format in kinds]


async def run() -> list[Figure]:
    """Measure what is asked for."""
    options = Options(sys.argv)
    parts: dict[str, Callable[[Options], Iterator[Figure]]] = {
        "plants": _plants,
        "operators": _operators,
        "flexible": _flexible,
        "classic": _classic,
        "repair": _repair,
        "promise": _promise,
        "rolling": _rolling,
        "size": _size,
    }
    return [
        figure
        for name, part in parts.items()
        if not options.only or name in options.only
        for figure in part(options)
    ]


def _ratio(name: str, value: float, limit: float, note: str = "") -> Figure:
    return Figure(name, value, "ratio", f"limit {limit} {note}".rstrip())


def _plants(options: Options) -> Iterator[Figure]:
    setups: list[float] = []
    sizes = (("twt2000", plants.TWO_THOUSAND, 0.48, 0.58), ("twt10000", plants.TEN_THOUSAND, 0.68, 0.78))
    for name, size, grid, rules in sizes:
        rows = plants.duels(size, options.seeds)
        setups += [row.setups_grid for row in rows]
        late = f"{min(r.late for r in rows):.0%} to {max(r.late for r in rows):.0%} of orders late"
        yield _ratio(f"{name}_vs_atcs_grid", plants.middle(rows, "tardiness_grid"), grid, late)
        yield _ratio(f"{name}_vs_random_atcs", plants.middle(rows, "tardiness_random"), rules)
    yield _ratio("setups_vs_atcs_grid", median(setups), 1.05)


def _operators(options: Options) -> Iterator[Figure]:
    rows = plants.duels(plants.WITH_OPERATORS, options.seeds)
    late = f"{min(r.late for r in rows):.0%} to {max(r.late for r in rows):.0%} of orders late"
    value = plants.middle(rows, "tardiness_grid")
    yield _ratio("twt2000_operators_vs_atcs_grid", value, 0.75, late)


def _flexible(options: Options) -> Iterator[Figure]:
    from tests.benchmarks.planner.peers import pyjobshop

    worst: list[float] = []
    for name, limit in (("10", 0.98), ("60", 1.0)):
        found = ratios(options.listed(f"seconds_{name}"), float(name), options.seeds[0], pyjobshop)
        values = [ours / theirs for ours, theirs in found.values()]
        worst.append(max(values))
        yield _ratio(f"fjsp_vs_pyjobshop_{name}s", geometric(values), limit, f"{len(values)} instances")
    known = {row.name: row.best_known for row in every(options.folder) if row.name.startswith("mk")}
    gaps = [ours / best - 1 for name, (ours, _) in found.items() if (best := known.get(name))]
    yield _ratio("fjsp_worst", max(worst), 1.05)
    if gaps:
        yield Figure("mk_gap_60s", sum(gaps) / len(gaps), "share", "limit 0.03")


def _classic(options: Options) -> Iterator[Figure]:
    from tests.benchmarks.planner.peers import cp_sat

    found = ratios(options.listed("classic_30"), 30.0, options.seeds[0], cp_sat)
    values = [ours / theirs for ours, theirs in found.values()]
    yield _ratio("ta_vs_cpsat_30s", geometric(values), 1.0, f"{len(values)} instances")
    slowest = max(first_solution_s(row.problem) for row in every(options.folder))
    yield Figure("first_solution_worst_s", slowest, "CPU s", "limit 2")


def _repair(options: Options) -> Iterator[Figure]:
    base = disturbed.published(options.seeds[0], 30.0)
    found = disturbed.repairs(base, options.seeds[0], 20, 2)
    yield Figure("repair_ms", median(found.milliseconds), "CPU ms", "limit 20")
    yield _ratio("repair5s_vs_60s", median(found.ratio), 1.15, f"{len(found.ratio)} of 20 breakdowns")
    yield Figure("frozen_moved", found.frozen_moved, "operations", "limit 0")


def _promise(options: Options) -> Iterator[Figure]:
    base = disturbed.published(options.seeds[0], 10.0)
    found = disturbed.promises(base, options.seeds[0], 500)
    yield Figure("promise_p95_ms", found.milliseconds, "CPU ms", "limit 2")
    yield Figure("promises_kept", found.kept, "share", "limit 1")
    yield Figure("promise_calibration", found.calibrated, "share", "limit 0.87 to 0.93")


def _rolling(options: Options) -> Iterator[Figure]:
    ratios_found, shares = [], []
    for seed in options.seeds[:3]:
        rules, _ = rolling.roll(seed, rolling.by_rules)
        engine, share = rolling.roll(seed, rolling.by_engine(1.0, seed))
        ratios_found.append(engine / max(1, rules))
        shares.append(share)
    yield _ratio("rolling20d_vs_rolling_atcs", median(ratios_found), 0.70, "3 seeds")
    yield Figure("rolling_moved_share", median(shares), "share", "limit 0.05")


def _size(options: Options) -> Iterator[Figure]:
    problem = plant(100_000, 500, options.seeds[0])
    began = time.process_time()
    engine = Engine(pack(problem))
    first = engine.ranked(-engine.latest.astype(float), "least slack")
    yield Figure("industrial_first_plan_cpu_s", time.process_time() - began, "CPU s", "limit 10")
    grid = engine.grid()
    found = engine.search(Budget(seconds=30.0, seed=options.seeds[0]))
    yield _ratio("industrial_vs_dispatch", found.cost / min(grid.cost, first.cost), 1.0)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield Figure("memory_100k_mb", memory, "MB", "limit 1024")
    small = plant(2_000, 50, options.seeds[0])
    calm = _planned(small)
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        hurried = _planned(small)
    finally:
        for other in others:
            other.kill()
            other.wait()
    same = (calm.perm == hurried.perm).all() and (calm.unit_of == hurried.unit_of).all()
    yield Figure("same_seed_same_plan", float(same), "", "limit 1, four processes beside the second run")


def _planned(problem: Problem) -> Sequences:
    return Engine(pack(problem)).search(Budget(moves=200_000, seed=5))
