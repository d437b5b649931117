"""How sure is a date? The plan is lived through many times with the speed and yield of the floor.

Work takes longer or shorter than its standard, and some of it is done again: by the measured pace of its
work centre, whose mean is itself only known as well as the finished jobs tell. In each life everybody
stays on the unit of the plan and takes what lies ready in the plan's order, so that delays run on over
units and routes as they would; what is not there is overtaken, as it is on a floor (holding on to the
plan's sequences would pile up delays of weeks). How much later than planned orders end, early in the
plan and late in it, is what a new promise has to reckon with too: an order in a gap more than one that
the search has placed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner import kernel
from planner.anneal import Engine, Sequences
from planner.delays import CONFIDENCE, Delays
from planner.mend import on_units
from planner.pace import Paces
from planner.pack import Ints, ints, pack
from planner.problem import Order, Problem
from planner.promise import Alike, Desk
from planner.schedule import Schedule

GROUPS = 24
"""Stretches of the plan, with as many orders each, that have a spread of their own."""

LIVES = 42
FILLS = 3
"""Likely futures of a plan: which orders come is as uncertain as how long they take."""


EARLY = 240
"""Minutes before its time in the plan at which work may begin: half a shift, as work lies ready."""

LEAST_ORDERS = 8
"""Orders of a stretch of the plan that has a spread of its own."""

MOST_EXPECTED = 200
"""Orders that are put into the gaps of a plan, likely to come while it holds."""

Shares = NDArray[np.float64]


def drawn(engine: Engine, plan: Sequences, paces: Paces, random: np.random.Generator) -> Shares:
    """What the floor makes of the standard time of every operation in one life."""
    units = engine.packed.problem.units
    names = sorted({unit.work_center for unit in units})
    known = [paces.of(name) for name in names]
    rows = {name: row for row, name in enumerate(names)}
    at = np.array([rows[unit.work_center] for unit in units])[plan.unit_of]
    count = len(at)
    deviation, doubt = np.array([p.deviation for p in known]), np.array([p.doubt for p in known])
    middle = np.log([p.mean for p in known]) - deviation**2 / 2 + doubt * random.standard_normal(len(known))
    share = np.exp(middle[at] + deviation[at] * random.standard_normal(count))
    bad = random.random(count) < np.array([p.scrapping for p in known])[at]
    found: Shares = share * (1 + bad * np.array([p.again for p in known])[at])
    return found


def live(engine: Engine, plan: Sequences, starts: Ints, share: Shares) -> Ints:
    """The ends of all operations in one life of the plan, in minutes after its origin.

    Args:
        starts: When the plan starts each operation.
        share: What each takes of its standard time.
    """
    packed = engine.packed
    plant = packed.plant.copy()
    count = len(plan.unit_of)
    stretch(plant, share)
    hold_back(plant, starts - EARLY)
    lived = Engine(replace(packed, plant=on_units(plant, plan.perm, plan.unit_of)))
    rank = np.zeros(count)
    rank[plan.perm] = -np.arange(len(plan.perm), dtype=np.float64)
    if lived.ranked(rank, "the plan's order").cost == kernel.IMPOSSIBLE:
        lived.retime(plan)
    ends: Ints = lived.packed.rows(lived.st)[:, kernel.END].copy()
    return ends


def places(engine: Engine, plan: Sequences) -> tuple[Ints, Ints]:
    """When a plan starts and ends each operation."""
    engine.retime(plan)
    rows = engine.packed.rows(engine.st)
    return rows[:, kernel.START].copy(), rows[:, kernel.END].copy()


def hold_back(plant: Ints, earliest: Ints) -> None:
    """Let no operation start before its minute of `earliest`, in place."""
    head, count = int(plant[kernel.OPS]), len(earliest)
    releases = plant[head + kernel.RELEASE : head + count * kernel.OP : kernel.OP]
    releases[:] = np.maximum(releases, earliest)


def stretch(plant: Ints, share: NDArray[np.float64]) -> None:
    """Multiply the minutes of all operations, in place."""
    count = len(share)
    head = int(plant[kernel.ALTERNATIVES])
    firsts, lasts = plant[head : head + count], plant[head + 1 : head + count + 1]
    first, last = int(firsts[0]) if count else 0, int(lasts[-1]) if count else 0
    minutes = plant[first + 1 : last : 2]
    stretched = np.rint(minutes * np.repeat(share, (lasts - firsts) // 2))
    plant[first + 1 : last : 2] = np.maximum(1, stretched).astype(np.int64)


@dataclass(frozen=True)
class Lived:
    """Orders of a plan that was lived through.

    Args:
        planned: When each ends in the plan.
        delays: How much later each ended, one row for each life.
    """

    planned: Ints
    delays: NDArray[np.int64]


def live_through(
    engine: Engine, plan: Sequences, paces: Paces, *, of: Ints | None = None, lives: int = 40, seed: int = 1
) -> Lived:
    """Live through a plan several times.

    Args:
        of: Last operations of the orders that matter, one for each; else of all orders of the plan.
        lives: How often; 40 give the 90th percentile of a stretch to about a tenth of its spread.
    """
    starts, ends = places(engine, plan)
    last = _lasts(engine) if of is None else of
    random = np.random.default_rng(seed)
    shares = (drawn(engine, plan, paces, random) for _ in range(lives))
    rows = [live(engine, plan, starts, share)[last] - ends[last] for share in shares]
    return Lived(ends[last], np.array(rows))


def _lasts(engine: Engine) -> Ints:
    """The last operations of all orders."""
    plant = engine.packed.plant
    head, count = int(plant[kernel.ORDERS]), int(plant[kernel.ORDER_COUNT])
    rows = [
        plant[int(plant[at + kernel.O_LAST]) : int(plant[at + kernel.O_LAST_END])]
        for at in range(head, head + kernel.OR * count, kernel.OR)
    ]
    return np.concatenate(rows) if rows else np.zeros(0, np.int64)


def spread(lived: Sequence[Lived], confidence: float = CONFIDENCE) -> Delays:
    """The delays that are kept with a given confidence, by when in the plan an order is to end.

    Args:
        lived: Plans that were lived through equally often.
    """
    planned = np.concatenate([one.planned for one in lived])
    delays = np.concatenate([one.delays for one in lived], axis=1)
    order = np.argsort(planned, kind="stable")
    parts = max(1, min(GROUPS, len(order) // LEAST_ORDERS))
    groups = [rows for rows in np.array_split(order, parts) if len(rows)]
    found = [max(0, int(np.ceil(np.quantile(delays[:, rows], confidence)))) for rows in groups]
    return Delays(tuple(int(planned[rows[-1]]) for rows in groups), tuple(found))


def learn(
    problem: Problem, plan: Schedule, paces: Paces, expected: int | None = None, seed: int = 1
) -> Delays:
    """The delays of promises that are put into the gaps of a plan.

    Gaps that are filled hand delays on: the plan is lived through with as many more orders in its
    gaps as will be promised while it holds, and what becomes of those is learned.

    Args:
        plan: Times for all of `problem`, from the decoder.
        expected: How many promises are still to come, their orders like those of the plan; by default half
            as many as it has, at most `MOST_EXPECTED`.
    """
    kinds = {order.id: order.kind for order in problem.orders}
    orders = len({o.order for o in problem.operations if kinds[o.order] == "work"})
    if not orders:
        return Delays()
    coming = min(MOST_EXPECTED, -(-orders // 2)) if expected is None else expected
    fills = FILLS if coming else 1
    lives = -(-LIVES // fills)
    return spread([_filled(problem, plan, paces, coming, (seed + n, lives)) for n in range(fills)])


def _filled(problem: Problem, plan: Schedule, paces: Paces, expected: int, chance: tuple[int, int]) -> Lived:
    """The plan with some likely orders in its gaps, lived through.

    Args:
        chance: Seed and number of lives.
    """
    likely, desk = Alike(problem, chance[0]), Desk(problem, plan)
    routes = [likely.order(f"EXPECTED-{number}") for number in range(expected)]
    orders = tuple(Order(route[0].order, desk.accept(route).end) for route in routes)
    steps = [step for route in routes for step in route]
    whole = replace(problem, orders=(*problem.orders, *orders), operations=(*problem.operations, *steps))
    engine = Engine(pack(whole))
    rows = {operation.order: row for row, operation in enumerate(whole.operations)}
    mine = ints(rows[order.id] for order in orders) if orders else None
    known = engine.sequences(desk.decoder.schedule())
    return live_through(engine, known, paces, of=mine, lives=chance[1], seed=chance[0])
