"""A plan goes on after something happened: at once a feasible one, then a better one.

What is frozen keeps its unit and its order and is placed first. Of the rest, all that can begin as it did
stays where it is; only what would begin later, and what waits for it, goes into gaps of the units that it
may go to. Where a whole day is lost on a full unit, a new dispatch with the old order as its priority may
cost less; where little is in the way, the old sequences. All are tried, the cheapest is the answer (pushing
the whole old plan to the right costs ten times as much: delays amplify over closed hours). The annealing
then improves on it and leaves the frozen zone alone. This loads the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from planner import kernel
from planner.anneal import Engine, Sequences
from planner.decoder.proposal import decode
from planner.dispatch import WAITS
from planner.pack import WINDOW_COLUMNS, Ints, Pack, buckets_of, ints, pack
from planner.problem import Problem, Published
from planner.schedule import Schedule

HARDLY_MORE = 1.02
"""A plan that costs so much more than before is no loss that a new dispatch, of 12 ms, makes good."""


def mended(plant: Problem, places: Mapping[str, Published]) -> Schedule:
    """The plan in force on the plant as it is now, as it was where that is cheapest.

    A plant publishes when people begin, which is with the set-up. Taken for the beginning of the run, that
    makes all that is set up first seem to begin later, though nothing has happened.

    Args:
        plant: What was planned before, and no more; who is to stay on his unit has no other.
        places: Operation id -> where the plan in force has it.

    Raises:
        LocksConflict: The locks cannot be kept, or this plan does not keep them.
    """
    engine = Engine(pack(plant))
    old = engine.in_force(places)
    stayed = old.copy()
    stayed.cost = engine.retime(stayed)
    best = min(stayed, repaired(engine, old, engine.begun(places)), key=lambda plan: plan.cost)
    return decode(plant, engine.choices(best))


def repaired(engine: Engine, old: Sequences, starts: Ints) -> Sequences:
    """The cheapest of three: the old sequences, gaps for what begins later, the old order dispatched again.

    Args:
        old: The plan in force, on the plant as it is now. If it says what it cost before, nothing is
            dispatched where hardly more is to pay.
        starts: When each operation began in it; below 0 for one that had no place.
    """
    if engine.sees_gaps:
        stayed = engine.in_gaps(old, starts, kernel.FOREVER)
        best = min(stayed, engine.in_gaps(old, starts), key=lambda plan: plan.cost)
    else:
        best = old.copy()
        best.cost = engine.retime(best)
    if best.cost <= HARDLY_MORE * old.cost:
        return best
    rank = np.zeros(len(old.unit_of), np.float64)
    rank[old.perm] = -np.arange(len(old.perm), dtype=np.float64)
    again = engine.dispatch(rank, engine.latest, 0.0, 0.0, "old order", wait=WAITS[1])
    return min(best, again, key=lambda plan: plan.cost)


class Mender:
    """Repairs of one plan of which the kernel's arrays are held."""

    def __init__(self, packed: Pack, plan: Sequences) -> None:
        """Take over a plan that `packed` describes and the engine has made."""
        self.packed = packed
        engine = Engine(packed)
        self.cost = engine.retime(plan)
        rows = packed.rows(engine.st)
        self.starts = rows[:, kernel.START].copy()
        self.ends = rows[:, kernel.END].copy()
        self.unit_of = plan.unit_of.copy()
        first = len(packed.first)
        rest = plan.perm[first:]
        order = rest[np.argsort(self.starts[rest], kind="stable")]
        self.perm = np.concatenate((plan.perm[:first], order))
        if len(packed.followers):
            self.perm = engine.by_start(plan.perm)
        if packed.problem.buffers:  # where another order may be an impossible one
            self.perm = plan.perm.copy()

    def after_stop(self, unit: int, start: int, end: int, frozen_until: int) -> tuple[Engine, Sequences]:
        """Repair the plan for a unit that stands still.

        Args:
            unit: Row of the unit.
            start: First minute of the stop.
            end: The minute in which it goes on.
            frozen_until: What starts before this minute keeps its unit and its order.

        Returns:
            The engine of the changed plant, ready for a search, and the repaired plan.
        """
        plant = _with_stop(self.packed.plant, unit, start, end)
        begun = np.flatnonzero(self.starts[self.perm] < frozen_until)
        held = int(begun[-1]) + 1 if len(begun) else 0
        first = self.perm[: max(held, len(self.packed.first))].copy()
        plant[kernel.FIRST_COUNT] = len(first)
        fixed = self.packed.with_followers(first)
        engine = Engine(replace(self.packed, plant=on_units(plant, fixed, self.unit_of), first=first))
        old = Sequences(self.perm.copy(), self.unit_of.copy(), self.cost, "in force")
        return engine, repaired(engine, old, self.starts)


def on_units(plant: Ints, held: Ints, unit_of: Ints) -> Ints:
    """Give held operations their own unit alone, in place.

    The list of alternatives keeps its length: all its entries name the one unit.
    """
    if not len(held):
        return plant
    head = plant[kernel.ALTERNATIVES]
    firsts = plant[head + held]
    counts = (plant[head + held + 1] - firsts) // 2
    begins = np.cumsum(counts) - counts
    at = np.repeat(firsts - 2 * begins, counts) + 2 * np.arange(int(counts.sum()))
    units = np.repeat(unit_of[held], counts)
    minutes = np.maximum.reduceat(np.where(plant[at] == units, plant[at + 1], 0), begins)
    plant[at] = units
    plant[at + 1] = np.repeat(minutes, counts)
    return plant


def _with_stop(plant: Ints, unit: int, start: int, end: int) -> Ints:
    """The plant with one more hole in the working time of a unit; parts are appended."""
    row = int(plant[kernel.UNITS]) + unit * kernel.UN
    table = int(plant[kernel.TIMELINES])
    count = int(plant[kernel.TIMELINE_COUNT])
    at = table + int(plant[row + kernel.U_TIME]) * kernel.TL
    old = plant[plant[at] : plant[at + 1] + WINDOW_COLUMNS].reshape(-1, WINDOW_COLUMNS)
    pieces = list(_cut(old[:, :2].tolist(), start, end))
    new_table = len(plant)
    first = new_table + (count + 1) * kernel.TL
    befores = np.cumsum([0, *(b - a for a, b in pieces)])[:-1].tolist()
    windows = [x for (a, b), before in zip(pieces, befores, strict=True) for x in (a, b, before)]
    entry = [first, first + len(windows) - WINDOW_COLUMNS]
    extra: list[int] = []
    for axis in ([a for a, _ in pieces], befores):
        begin = first + len(windows) + len(extra)
        extra += buckets_of(axis, first)
        entry += [begin, first + len(windows) + len(extra) - 1]
    timelines = plant[table : table + count * kernel.TL]
    made = np.concatenate((plant, timelines, ints(entry), ints(windows), ints(extra)))
    made[kernel.TIMELINES] = new_table
    made[kernel.TIMELINE_COUNT] = count + 1
    made[row + kernel.U_TIME] = count
    return made


def _cut(pieces: list[list[int]], start: int, end: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for one, two in pieces:
        if two <= start or end <= one:
            found.append((one, two))
            continue
        if one < start:
            found.append((one, start))
        if end < two:
            found.append((end, two))
    return found
