"""The planning engine against its peers, at equal CPU.

`make bench ARGS="planner"` runs the lists of `suite.toml` in about an hour on two cores; `--full` all
stored instances. Parts whose both sides have the same CPU run beside each other, those that measure CPU
itself alone. Options: `--instances=FOLDER` (with folders `jsp`, `fjsp`, `sdst`), `--seeds=11,12,13`,
`--only=` a part (`plants`, `operators`, `flexible`, `classic`, `first`, `repair`, `promise`, `rolling`,
`size`, `seed`, `stop`, `share`) or the name of a figure, several with commas: the figures of the other parts
stay in `build/bench/planner.json` as they are.

All budgets are seconds of this process's CPU: on a busy machine both sides slow down alike.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from planner import kernel
from planner.anneal import Budget, Engine
from planner.bench import Instance
from planner.command_line import collect_seldom, report
from planner.effort import Effort
from planner.pack import pack
from planner.problem import Problem
from planner.solve import solve
from tests.benchmarks.figure import Figure
from tests.benchmarks.planner import disturbed, plants, rolling
from tests.benchmarks.planner.instances import DATA, every, listed, suite
from tests.benchmarks.planner.machines import Duel, first_solution_s, geometric, ratios
from tests.benchmarks.planner.synthetic import plant, with_moulds

SEEDS = (11, 12, 13, 14, 15)
"""Plants on which nothing was tuned."""

FEWER = 3
"""Of these seeds, where each takes a minute for every instance."""

BREAKDOWNS = 20
"""Of all seeds together."""

ALONE = ("size", "first", "seed", "stop")
"""Parts that measure seconds, or put a load on the machine themselves."""

LANES = 2
"""Parts beside each other."""

OPTIONS = ("full", "instances", "seeds", "only")
"""Words of the command line, without their dashes."""


class Options:
    """What the command line asks for."""

    def __init__(self, words: list[str]) -> None:
        given = dict(word[2:].partition("=")[::2] for word in words if word.startswith("--"))
        self.full = "full" in given
        self.folder = Path(given.get("instances") or DATA)
        self.seeds = tuple(int(s) for s in given["seeds"].split(",")) if "seeds" in given else SEEDS
        self.fewer = self.seeds if "seeds" in given else SEEDS[:FEWER]
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
    "repair": ("repair_ms", "repair_answer_ms", "repair5s_vs_60s", "frozen_moved"),
    "promise": ("promise_p95_ms", "promise_answer_p95_ms", "promises_kept", "promise_calibration"),
    "rolling": ("rolling20d_vs_rolling_atcs", "rolling_moved_share", "rolling_busy_moved_share"),
    "size": ("industrial_first_plan_cpu_s", "industrial_vs_dispatch", "memory_100k_mb"),
    "seed": ("same_seed_same_plan",),
    "stop": ("stop_worst_s",),
    "share": ("cp_gain_150", "cp_gain_300", "cp_gain_600", "cp_gain_2000"),
}
"""Part -> its figures."""


async def run() -> list[Figure]:
    """Measure what is asked for."""
    options = Options(sys.argv)
    kernel.compile_all()
    wanted = [part for part in PARTS if any(map(options.asks, FIGURES[part]))]
    found: list[Figure] = []
    for lanes, here in ((LANES, set(wanted) - set(ALONE)), (1, set(ALONE))):
        with _processes(lanes) as pool:
            rows = [pool.submit(measure, part, options) for part in wanted if part in here]
            found += [figure for row in rows for figure in row.result()]
    return found


def _processes(lanes: int) -> ProcessPoolExecutor:
    """Processes of which each measures one thing and ends: nobody inherits another's memory."""
    return ProcessPoolExecutor(lanes, get_context("spawn"), max_tasks_per_child=1)


def measure(part: str, options: Options) -> list[Figure]:
    """The figures of a part, in a process of its own."""
    kernel.compile_all()
    return list(PARTS[part](options))


def _ratio(name: str, value: float, limit: float, note: str = "") -> Figure:
    return Figure(name, value, "ratio", f"limit {limit} {note}".rstrip())


def _middle(seeds: tuple[int, ...]) -> str:
    return f"median of {len(seeds)} seeds"


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
        seeds = options.fewer if seconds == 60 else options.seeds
        found = ratios(options.listed(f"seconds_{seconds}"), float(seconds), seeds, pyjobshop)
        values = [duel.ratio for duel in found.values()]
        worst.append(max(values))
        yield _ratio(name, geometric(values), limit, f"{len(values)} instances, {_middle(seeds)}")
        if seconds == 60:
            yield from _gap(options, found)
    yield _ratio("fjsp_worst", max(worst), 1.05, f"at 60 s {_middle(options.fewer)}")


def _gap(options: Options, found: dict[str, Duel]) -> Iterator[Figure]:
    """How far the mean of mk01 to mk10 is from the best known."""
    known = {row.name: row.best_known for row in every(options.folder) if row.name.startswith("mk")}
    gaps = [duel.ours / best - 1 for name, duel in found.items() if (best := known.get(name))]
    if gaps:
        yield Figure("mk_gap_60s", sum(gaps) / len(gaps), "share", "limit 0.03")


def _classic(options: Options) -> Iterator[Figure]:
    from tests.benchmarks.planner.peers import cp_sat

    found = ratios(options.listed("classic_30"), 30.0, options.seeds, cp_sat)
    values = [duel.ratio for duel in found.values()]
    yield _ratio(
        "ta_vs_cpsat_30s", geometric(values), 1.0, f"{len(values)} instances, {_middle(options.seeds)}"
    )


def _first(options: Options) -> Iterator[Figure]:
    rows = [row.problem for row in every(options.folder)]
    rows += [plant(10_000, 100, seed, operators=people) for seed in options.seeds for people in (0.0, 1.0)]
    slowest = max(first_solution_s(problem) for problem in rows)
    yield Figure("first_solution_worst_s", slowest, "CPU s", f"limit 2, {len(rows)} problems")


def _repair(options: Options) -> Iterator[Figure]:
    seeds = options.seeds
    count = -(-BREAKDOWNS // len(seeds))
    found = [disturbed.repairs(disturbed.published(seed, 30.0), seed, count) for seed in seeds]
    values = [value for row in found for value in row.ratio]
    held = "limit 20, the repair alone, of a plan whose arrays the kernel holds"
    yield Figure("repair_ms", median(ms for row in found for ms in row.milliseconds), "CPU ms", held)
    whole = "the product's first answer, from the plant as it is to a checked plan, no limit"
    yield Figure("repair_answer_ms", median(ms for row in found for ms in row.answers), "CPU ms", whole)
    yield _ratio("repair5s_vs_60s", median(values), 1.15, f"{len(values)} breakdowns, {len(seeds)} seeds")
    yield Figure("frozen_moved", sum(row.frozen_moved for row in found), "operations", "limit 0")


def _promise(options: Options) -> Iterator[Figure]:
    found = [disturbed.promises(disturbed.published(seed, 10.0), seed, 500) for seed in options.seeds]
    middle = _middle(options.seeds)
    yield Figure("promise_p95_ms", median(row.milliseconds for row in found), "CPU ms", f"limit 2, {middle}")
    whole = f"date and all other ways, no limit, {middle}"
    yield Figure("promise_answer_p95_ms", median(row.whole for row in found), "CPU ms", whole)
    yield Figure("promises_kept", min(row.kept for row in found), "share", "limit 1, the least of all seeds")
    value = median(row.calibrated for row in found)
    yield Figure("promise_calibration", value, "share", f"limit 0.87 to 0.93, {middle}")


def _rolling(options: Options) -> Iterator[Figure]:
    ratios_found, found = [], []
    for seed in options.seeds:
        rules = rolling.roll(seed, rolling.by_rules)
        engine = rolling.roll(seed, rolling.by_replanning(2.0, seed))
        ratios_found.append(engine.late / max(1, rules.late))
        found.append(engine)
        shares = f"moved {engine.moved:.3f}, of much work {engine.busy_moved:.3f}"
        print(f"    rolling {seed} {ratios_found[-1]:.3f} {shares}", flush=True)
    middle = _middle(options.seeds)
    yield _ratio("rolling20d_vs_rolling_atcs", median(ratios_found), 0.70, middle)
    share = median(row.moved for row in found)
    yield Figure("rolling_moved_share", share, "share", f"limit 0.05, {middle}")
    busy = f"{rolling.BUSY} operations and more, no limit, {middle}"
    yield Figure("rolling_busy_moved_share", median(row.busy_moved for row in found), "share", busy)


def industrial(seed: int) -> tuple[float, float, float]:
    """A plant of 100,000 operations: CPU seconds to the first plan, the cost of 30 s of search against
    dispatch, and the MB that the process has had.
    """
    kernel.compile_all()
    problem = plant(100_000, 500, seed)
    began = time.process_time()
    engine = Engine(pack(problem))
    first = engine.ranked(-engine.latest.astype(float), "least slack")
    seconds = time.process_time() - began
    grid = engine.grid()
    found = engine.search(Budget(seconds=30.0, seed=seed))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return seconds, found.cost / min(grid.cost, first.cost), memory


def _size(options: Options) -> Iterator[Figure]:
    with _processes(1) as pool:
        seconds, ratio, memory = (
            median(row) for row in zip(*pool.map(industrial, options.seeds), strict=True)
        )
    middle = _middle(options.seeds)
    yield Figure("industrial_first_plan_cpu_s", seconds, "CPU s", f"limit 10, {middle}")
    yield _ratio("industrial_vs_dispatch", ratio, 1.0, middle)
    yield Figure("memory_100k_mb", memory, "MB", f"limit 1024, {middle}")


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
    """CPU seconds from a `stop` in the middle of the search until the checked plan is written as JSON."""
    seed = options.seeds[0]
    problems = [plant(2_000, 50, seed), plant(10_000, 100, seed), plant(2_000, 50, seed, operators=1.0)]
    staffed = plant(10_000, 100, seed, operators=1.0)
    problems += [staffed, with_moulds(staffed, 1.0)]
    problems += [plant(400, 12, seed), listed(["jsp/ta21"])[0].problem]
    found = [_from_stop_to_plan(problem, after) for problem in problems for after in (3.0, 6.0, 9.0)]
    yield Figure("stop_worst_s", max(found), "CPU s", f"limit 0.5, {len(found)} stops")


def _share(options: Options) -> Iterator[Figure]:
    """CP-SAT's part of what the searches save against the dispatch rules, in plants with people."""
    for operations, units in ((150, 6), (300, 10), (600, 16), (2_000, 50)):
        if not options.asks(name := f"cp_gain_{operations}"):
            continue
        problems = [plant(operations, units, seed, operators=1.0) for seed in options.fewer]
        found = [solve(problem, Effort(seconds=5.0, kernel=True)) for problem in problems]
        asked = "" if any(one.cp for one in found) else ", CP-SAT is not asked"
        value = median(one.cp_share or 0.0 for one in found)
        yield Figure(name, value, "share", f"no limit, {_middle(options.fewer)}{asked}")


def _from_stop_to_plan(problem: Problem, after: float) -> float:
    collect_seldom()  # as the solver's process does
    told: list[float] = []
    began = time.process_time()

    def stop() -> bool:
        if not told and time.process_time() - began >= after:
            told.append(time.process_time())
        return len(told) > 0

    found = solve(problem, Effort(seconds=60.0, kernel=True), stop=stop)
    json.dumps(report(problem, found, explain=False))
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


PARTS: dict[str, Callable[[Options], Iterator[Figure]]] = {
    "flexible": _flexible,
    "repair": _repair,
    "classic": _classic,
    "rolling": _rolling,
    "plants": _plants,
    "promise": _promise,
    "operators": _operators,
    "size": _size,
    "first": _first,
    "seed": _seed,
    "stop": _stop,
    "share": _share,
}
"""Those that take longest first: both lanes end together."""
