"""What happens on the floor: breakdowns, and customers who ask when."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import zip_longest
from random import Random
from statistics import median, quantiles

import numpy as np

from planner.anneal import Budget, Engine, Sequences
from planner.checker import check
from planner.confidence import learn, live, places
from planner.decoder.proposal import decode
from planner.delays import latest
from planner.effort import Effort
from planner.mend import Mender
from planner.objective import order_ends
from planner.pace import measured
from planner.pack import pack
from planner.problem import Operation, Order, Problem, Window
from planner.problem import Published as Place
from planner.promise import Alike, Desk, Quote
from planner.replan import replan
from planner.schedule import Schedule
from tests.benchmarks.planner.asked import whole_answers
from tests.benchmarks.planner.habits import finished, habits, lived
from tests.benchmarks.planner.synthetic import DAY, plant

FROZEN_MIN = 480
"""Minutes behind the event in which nothing may move."""


@dataclass(frozen=True)
class Published:
    """A plan of 10,000 operations that people have read."""

    problem: Problem
    engine: Engine
    plan: Sequences
    schedule: Schedule


def published(seed: int, cpu_seconds: float, operations: int = 10_000, units: int = 100) -> Published:
    """Plan a random plant."""
    problem = plant(operations, units, seed, load=1.0, slack=0.3)
    engine = Engine(pack(problem))
    plan = engine.search(Budget(seconds=cpu_seconds, seed=seed))
    return Published(problem, engine, plan, decode(problem, engine.choices(plan)))


@dataclass(frozen=True)
class Repairs:
    """Figures of a row of breakdowns.

    Args:
        milliseconds: CPU of each repair of a plan of which the kernel's arrays are held.
        answers: CPU of the product's whole first answer, from the plant as it is now to a checked plan.
        ratio: What each plan of 5 s costs against one of 60 s from the same event.
        frozen_moved: Operations of the frozen zone that another plan has elsewhere.
    """

    milliseconds: list[float]
    answers: list[float]
    ratio: list[float]
    frozen_moved: int


def repairs(base: Published, seed: int, count: int) -> Repairs:
    """Break units at random and repair; compare a short and a long search."""
    random = Random(seed)
    mender = Mender(base.engine.packed, base.plan)
    last_day = max(1, int(np.max(mender.ends)) // DAY // 2)
    rows, answers, ratios, moved = [], [], [], 0
    for _ in range(count):
        start = random.randrange(0, last_day) * DAY + random.randrange(480, 960)
        unit = random.randrange(len(base.problem.units))
        stop = (unit, start, start + random.choice((60, 240, 480, 1440)), start + FROZEN_MIN)
        began = time.process_time()
        engine, plan = mender.after_stop(*stop)
        rows.append(1000 * (time.process_time() - began))
        moved += _frozen_moved(engine, plan, mender)
        milliseconds, elsewhere = first_answer(base, *stop)
        answers.append(milliseconds)
        moved += elsewhere
        short = engine.search(Budget(seconds=5.0, seed=seed), known=plan.copy(), before=mender.starts)
        long = engine.search(Budget(seconds=60.0, seed=seed), known=plan.copy(), before=mender.starts)
        moved += _frozen_moved(engine, short, mender) + _frozen_moved(engine, long, mender)
        ratios.append(short.cost / long.cost)
        print(
            f"    {seed} stop {stop[2] - stop[1]:5} min, cost against the plan before: repaired "
            f"{plan.cost / mender.cost:.3f}, 5 s {short.cost / mender.cost:.3f}, "
            f"60 s {long.cost / mender.cost:.3f}, ratio {ratios[-1]:.3f}",
            flush=True,
        )
    return Repairs(rows, answers, ratios, moved)


def first_answer(base: Published, unit: int, start: int, end: int, frozen_until: int) -> tuple[float, int]:
    """What the product says first when a unit stands still: the plan put right, with whoever is new in gaps.

    Args:
        unit: Row of the unit.
        start: First minute of the stop.
        end: The minute in which it goes on.
        frozen_until: What starts before this minute is frozen.

    Returns:
        CPU milliseconds until it is checked, and the operations of the frozen zone that are on another unit
        or in another order there than published.
    """
    problem, places = base.problem, base.schedule.by_operation
    row = problem.units[unit]
    after = replace(
        problem,
        units=tuple(
            replace(u, stops=(*u.stops, Window(start, end))) if u is row else u for u in problem.units
        ),
        operations=tuple(
            replace(
                o,
                published=Place(places[o.id].unit, places[o.id].start),
                frozen=places[o.id].start < frozen_until,
            )
            for o in problem.operations
        ),
    )
    told: list[tuple[float, Schedule]] = []
    began = time.process_time()
    replan(
        after,
        Effort(seconds=0.0, kernel=True),
        consider_moving=False,
        on_repaired=lambda plan: told.append((time.process_time(), plan.schedule)),
    )
    at, plan = told[0]
    frozen = {o.id for o in after.operations if o.frozen}
    moved = 0
    for name, old in base.schedule.by_unit.items():
        held, found = (
            [r.operation for r in rows if r.operation in frozen] for rows in (old, plan.by_unit.get(name, ()))
        )
        moved += sum(one != two for one, two in zip_longest(held, found))
    return 1000 * (at - began), moved


def _frozen_moved(engine: Engine, plan: Sequences, mender: Mender) -> int:
    """Held operations that are on another unit, or in another order there."""
    first = engine.packed.first
    elsewhere = int(np.sum(plan.unit_of[first] != mender.unit_of[first]))
    return elsewhere + int(np.sum(plan.perm[: len(first)] != first))


@dataclass(frozen=True)
class Promised:
    """A plant with orders whose dates were accepted.

    Args:
        whole: All its orders, at the places that a plan publishes of them.
        desk: Where they were accepted.
        dates: Accepted order -> the minute that was told.
        quotes: The answers to the questions, in the order of asking.
        milliseconds: CPU of each.
    """

    whole: Problem
    desk: Desk
    dates: dict[str, int]
    quotes: list[Quote]
    milliseconds: list[float]

    def share(self, plan: Schedule) -> float:
        """Share of the accepted dates that a plan keeps."""
        ends = order_ends(self.whole, plan)
        return sum(ends[name] <= date for name, date in self.dates.items()) / len(self.dates)


def promised(base: Published, seed: int, count: int) -> Promised:
    """Ask for dates and accept every one, so that the next has it in its way."""
    desk, alike = Desk(base.problem, base.schedule), Alike(base.problem, seed)
    times, dates, quotes = [], {}, []
    rows: list[Operation] = []
    for number in range(count):
        steps = alike.order(f"Q{number}")
        began = time.process_time()
        quotes.append(desk.quote(steps))
        times.append(1000 * (time.process_time() - began))
        desk.accept(steps)
        dates[steps[0].order] = quotes[-1].end
        rows += steps
    at = desk.decoder.schedule().by_operation
    whole = replace(
        base.problem,
        orders=(*base.problem.orders, *(Order(name, date) for name, date in dates.items())),
        operations=tuple(
            replace(o, published=Place(at[o.id].unit, at[o.id].start))
            for o in (*base.problem.operations, *rows)
        ),
    )
    return Promised(whole, desk, dates, quotes, times)


@dataclass(frozen=True)
class Promises:
    """Figures of a row of promises.

    Args:
        milliseconds: CPU of a quote, 95th percentile.
        whole: CPU milliseconds of the whole answer of the product, with all other ways, 95th percentile.
        kept: Share that is kept when nothing else changes: the less of the plan timed anew, and of the
            product's next plan that comes in force by itself.
        calibrated: Share kept of those given with 90 % confidence, on a floor whose speed and yield are known
            by its finished jobs alone.
    """

    milliseconds: float
    whole: float
    kept: float
    calibrated: float


def promises(base: Published, seed: int, count: int) -> Promises:
    """Promise, and see what is kept.

    The whole plant with all promised orders is timed anew and checked, planned again by the product, and
    lived through on a floor with habits of its own.
    """
    known = habits(base.problem, seed)
    paces = measured(finished(known, seed))
    delays = learn(base.problem, base.schedule, paces, expected=count, seed=seed + 1)
    asked = promised(base, seed, count)
    safe = {
        name: latest(asked.desk, quote, delays, paces)
        for name, quote in zip(asked.dates, asked.quotes, strict=True)
    }
    whole = asked.whole
    engine = Engine(pack(whole))
    plan = engine.sequences(asked.desk.decoder.schedule())
    kept = decode(whole, engine.choices(plan))
    faults = check(whole, kept)
    if faults:
        raise AssertionError(faults[:3])
    share = min(asked.share(kept), asked.share(next_plan(asked.whole, seed)))
    last = {o.order: row for row, o in enumerate(whole.operations) if o.order in asked.dates}
    random = np.random.default_rng(seed + 100)
    starts, _ = places(engine, plan)
    good = []
    for _ in range(20):
        ends_there = live(engine, plan, starts, lived(engine, plan, known, random))
        good += [ends_there[last[name]] <= date for name, date in safe.items()]
    whole_times = whole_answers(base.problem, base.schedule, seed, count)
    quick, slow = (quantiles(row, n=20)[-1] for row in (asked.milliseconds, whole_times))
    return Promises(quick, slow, share, sum(good) / len(good))


def next_plan(problem: Problem, seed: int) -> Schedule:
    """What the product puts in force by itself when it plans again; what moves people is not looked for."""
    told: list[Schedule] = []
    replan(
        problem,
        Effort(seconds=5.0, kernel=True, seed=seed),
        consider_moving=False,
        on_kept=lambda found: told.append(found.schedule),
        stop=lambda: len(told) > 0,
    )
    return told[0]


def middle(values: list[float]) -> float:
    """The median."""
    return median(values)
