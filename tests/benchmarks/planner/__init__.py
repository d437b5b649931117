"""The planning engine against its peers, at equal CPU.

`make bench ARGS="planner"` runs the lists of `suite.toml` in about an hour; `--full` all stored
instances. Options: `--instances=FOLDER` (with folders `jsp`, `fjsp`, `sdst`), `--seeds=11,12,13`,
`--only=` a part (`plants`, `operators`, `flexible`, `classic`, `first`, `repair`, `promise`, `rolling`,
`size`, `seed`, `stop`) or the name of a figure, several with commas: the figures of the other parts stay in
`build/bench/planner.json` as they are.

All budgets are seconds of this process's CPU: on a busy machine both sides slow down alike.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from planner import kernel
from planner.anneal import Budget, Engine
from planner.bench import Instance
from planner.effort import Effort
from planner.pack import pack
from planner.problem import Problem
from planner.solve import solve
from tests.benchmarks.figure import Figure
from tests.benchmarks.planner import disturbed, plants, rolling
from tests.benchmarks.planner.instances import DATA, every, listed, suite
from tests.benchmarks.planner.machines import Duel, first_solution_s, geometric, ratios
from tests.benchmarks.planner.synthetic import plant

SEEDS = (11, 12, 13, 14, 15)
"""Plants on which nothing was tuned."""

FEWER = 3
"""Of the seeds, where each takes minutes."""


class Options:
    """What the command line asks for."""

    def __init__(self, words: list[str]) -> None:
        given = dict(word[2:].partition("=")[::2] for word in words if word.startswith("--"))
        self.full = "full" in given
        self.folder = Path(given.get("instances") or DATA)
        self.seeds = tuple(int(s) for s in given["seeds"].split(",")) if "seeds" in given else SEEDS
        self.only = frozenset(given["only"].split(",")) if "only" in given else frozenset()
        known = {name for part, names in FIGURES.items() for name in (part, *names)}
        if unknown := sorted(self.only - known):
            raise SystemExit(f"no part or figure {', '.join(unknown)}; there are {', '.join(sorted(known))}")

    def asks(self, figure: str) -> bool:
        """Whether a figure is wanted, itself or with its part."""
        part = next(part for part, names in FIGURES.items() if figure in names)
        return not self.only or bool(self.only & {part, figure})

    def listed(self, name: str) -> list[Instance]:
        """A list of the suite, or all instances of the folder that fit it."""
        if not self.full and self.folder == DATA:
            return listed(suite()[name])
        kinds = {"jsp"} if name.startswith("classic") else {"fjsp", "sdst"}
        return [row for row in every(self.folder) if row.format in kinds]


FIGURES = {
    "plants": (
        *("twt2000_vs_atcs_grid", "twt2000_vs_random_atcs"),
        *("twt10000_vs_atcs_grid", "twt10000_vs_random_atcs", "setups_vs_atcs_grid"),
    ),
    "operators": ("twt2000_operators_vs_atcs_grid",),
    "flexible": ("fjsp_vs_pyjobshop_10s", "fjsp_vs_pyjobshop_60s", "fjsp_worst", "mk_gap_60s"),
    "classic": ("ta_vs_cpsat_30s",),
    "first": ("first_solution_worst_s",),
    "repair": ("repair_ms", "repair5s_vs_60s", "frozen_moved"),
    "promise": ("promise_p95_ms", "promises_kept", "promise_calibration"),
    "rolling": ("rolling20d_vs_rolling_atcs", "rolling_moved_share"),
    "size": ("industrial_first_plan_cpu_s", "industrial_vs_dispatch", "memory_100k_mb"),
    "seed": ("same_seed_same_plan",),
    "stop": ("stop_worst_s",),
}
"""Part -> its figures."""


async def run() -> list[Figure]:
    """Measure what is asked for."""
    options = Options(sys.argv)
    kernel.compile_all()
    parts: dict[str, Callable[[Options], Iterator[Figure]]] = {
        "size": _size,  # first: it measures the memory of the whole process
        "plants": _plants,
        "operators": _operators,
        "flexible": _flexible,
        "classic": _classic,
        "first": _first,
        "repair": _repair,
        "promise": _promise,
        "rolling": _rolling,
        "seed": _seed,
        "stop": _stop,
    }
    wanted = [part for name, part in parts.items() if any(map(options.asks, FIGURES[name]))]
    return [figure for part in wanted for figure in part(options)]


def _ratio(name: str, value: float, limit: float, note: str = "") -> Figure:
    return Figure(name, value, "ratio", f"limit {limit} {note}".rstrip())


def _middle(options: Options) -> str:
    return f"median of {len(options.seeds[:FEWER])} seeds"


def _plants(options: Options) -> Iterator[Figure]:
    setups: list[float] = []
    sizes = (("twt2000", plants.TWO_THOUSAND, 0.48, 0.58), ("twt10000", plants.TEN_THOUSAND, 0.68, 0.78))
    for name, size, grid, rules in sizes:
        pair = (f"{name}_vs_atcs_grid", f"{name}_vs_random_atcs")
        if not any(map(options.asks, (*pair, "setups_vs_atcs_grid"))):
            continue
        rows = plants.duels(size, options.seeds)
        setups += [row.setups_grid for row in rows]
        late = f"{min(r.late for r in rows):.0%} to {max(r.late for r in rows):.0%} of orders late"
        yield _ratio(pair[0], plants.middle(rows, "tardiness_grid"), grid, late)
        yield _ratio(pair[1], plants.middle(rows, "tardiness_random"), rules)
    yield _ratio("setups_vs_atcs_grid", median(setups), 1.05, f"{len(setups)} plants")


def _operators(options: Options) -> Iterator[Figure]:
    rows = plants.duels(plants.WITH_OPERATORS, options.seeds)
    late = f"{min(r.late for r in rows):.0%} to {max(r.late for r in rows):.0%} of orders late"
    value = plants.middle(rows, "tardiness_grid")
    yield _ratio("twt2000_operators_vs_atcs_grid", value, 0.75, late)


def _flexible(options: Options) -> Iterator[Figure]:
    from tests.benchmarks.planner.peers import pyjobshop

    worst: list[float] = []
    for seconds, limit in ((10, 0.98), (60, 1.0)):
        name = f"fjsp_vs_pyjobshop_{seconds}s"
        if not any(map(options.asks, (name, "fjsp_worst", "mk_gap_60s")[: 3 if seconds == 60 else 2])):
            continue
        found = ratios(options.listed(f"seconds_{seconds}"), float(seconds), options.seeds[:FEWER], pyjobshop)
        values = [duel.ratio for duel in found.values()]
        worst.append(max(values))
        yield _ratio(name, geometric(values), limit, f"{len(values)} instances, {_middle(options)}")
        if seconds == 60:
            yield from _gap(options, found)
    yield _ratio("fjsp_worst", max(worst), 1.05, _middle(options))


def _gap(options: Options, found: dict[str, Duel]) -> Iterator[Figure]:
    """How far the mean of mk01 to mk10 is from the best known."""
    known = {row.name: row.best_known for row in every(options.folder) if row.name.startswith("mk")}
    gaps = [duel.ours / best - 1 for name, duel in found.items() if (best := known.get(name))]
    if gaps:
        yield Figure("mk_gap_60s", sum(gaps) / len(gaps), "share", "limit 0.03")


def _classic(options: Options) -> Iterator[Figure]:
    from tests.benchmarks.planner.peers import cp_sat

    found = ratios(options.listed("classic_30"), 30.0, options.seeds[:FEWER], cp_sat)
    values = [duel.ratio for duel in found.values()]
    yield _ratio("ta_vs_cpsat_30s", geometric(values), 1.0, f"{len(values)} instances, {_middle(options)}")


def _first(options: Options) -> Iterator[Figure]:
    rows = [row.problem for row in every(options.folder)]
    rows += [
        plant(10_000, 100, seed, operators=people) for seed in options.seeds[:2] for people in (0.0, 1.0)
    ]
    slowest = max(first_solution_s(problem) for problem in rows)
    yield Figure("first_solution_worst_s", slowest, "CPU s", f"limit 2, {len(rows)} problems")


def _repair(options: Options) -> Iterator[Figure]:
    base = disturbed.published(options.seeds[0], 30.0)
    found = disturbed.repairs(base, options.seeds[0], 20, 6)
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
    for seed in options.seeds[:FEWER]:
        rules, _ = rolling.roll(seed, rolling.by_rules)
        engine, share = rolling.roll(seed, rolling.by_engine(1.0, seed))
        ratios_found.append(engine / max(1, rules))
        shares.append(share)
    yield _ratio("rolling20d_vs_rolling_atcs", median(ratios_found), 0.70, _middle(options))
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


def _seed(options: Options) -> Iterator[Figure]:
    """A large plant, a small one that CP-SAT plans too, and a job shop, on a calm and on a busy machine."""
    seed = options.seeds[0]
    shop = listed(["jsp/ta21"])[0].problem
    problems = [plant(2_000, 50, seed), plant(400, 12, seed), shop]
    effort = Effort(seconds=2.0, seed=seed, kernel=True)
    calm = [solve(problem, effort).schedule for problem in problems]
    with _load(4):
        hurried = [solve(problem, effort).schedule for problem in problems]
    same = sum(one == two for one, two in zip(calm, hurried, strict=True)) / len(problems)
    yield Figure("same_seed_same_plan", same, "", "limit 1, four processes beside the second run")


def _stop(options: Options) -> Iterator[Figure]:
    """CPU seconds from a `stop` in the middle of the search until the checked plan is there."""
    seed = options.seeds[0]
    problems = [plant(2_000, 50, seed), plant(10_000, 100, seed), plant(2_000, 50, seed, operators=1.0)]
    problems += [plant(400, 12, seed), listed(["jsp/ta21"])[0].problem]
    found = [_from_stop_to_plan(problem, after) for problem in problems for after in (3.0, 6.0, 9.0)]
    yield Figure("stop_worst_s", max(found), "CPU s", f"limit 0.5, {len(found)} stops")


def _from_stop_to_plan(problem: Problem, after: float) -> float:
    told: list[float] = []
    began = time.process_time()

    def stop() -> bool:
        if not told and time.process_time() - began >= after:
            told.append(time.process_time())
        return len(told) > 0

    solve(problem, Effort(seconds=60.0, kernel=True), stop=stop)
    return time.process_time() - told[0]


@contextmanager
def _load(processes: int) -> Iterator[None]:
    """Keep the machine busy."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()
