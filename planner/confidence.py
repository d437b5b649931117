"""How sure is a date? The plan is lived through many times with the speed and yield of the floor.

Work takes longer or shorter than its standard, and some of it is done again. Each life keeps the
plan's sequences and lets the times fall as they do, so that delays run on over units and routes as
they would. How much later than planned orders end, early in the plan and late in it, is what a new
promise has to reckon with too.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner import kernel
from planner.anneal import Engine, Sequences
from planner.pack import Ints

GROUPS = 24
"""Stretches of the plan, with as many orders each, that have a spread of their own."""


@dataclass(frozen=True)
class Pace:
    """What the floor makes of standard times, as measured.

    Args:
        mean: Real minutes for a minute of standard time.
        deviation: Standard deviation of one operation's share, of the same.
        first_time_share: Share of operations that need not be done again.
    """

    mean: float = 1.0
    deviation: float = 0.15
    first_time_share: float = 0.98


def live(engine: Engine, plan: Sequences, pace: Pace, random: np.random.Generator) -> Ints:
    """The ends of all operations in one life of the plan, in minutes after its origin."""
    plant = engine.packed.plant.copy()
    count = int(plant[kernel.COUNT])
    share = np.maximum(0.2, random.normal(pace.mean, pace.deviation, count))
    share *= 1 + (random.random(count) > pace.first_time_share)
    head = int(plant[kernel.ALTERNATIVES])
    firsts, lasts = plant[head : head + count], plant[head + 1 : head + count + 1]
    first, last = int(firsts[0]) if count else 0, int(lasts[-1]) if count else 0
    minutes = plant[first + 1 : last : 2]
    stretched = np.rint(minutes * np.repeat(share, (lasts - firsts) // 2))
    plant[first + 1 : last : 2] = np.maximum(1, stretched).astype(np.int64)
    st = np.zeros_like(engine.st)
    people = engine.packed.people.copy()
    kernel.retime(plant, plan.perm, plan.unit_of, plan.lane_of, st, people, engine.mode)
    ends: Ints = st.reshape(-1, kernel.ST)[:, kernel.END].copy()
    return ends


class Confidence:
    """By when an order is done, with a given confidence, that the plan has done at some minute."""

    def __init__(self, engine: Engine, plan: Sequences, pace: Pace, lives: int = 40, seed: int = 1) -> None:
        """Live through a plan.

        Args:
            lives: How often; 40 give the 90th percentile of a stretch to about a tenth of its spread.
        """
        engine.retime(plan, engine.mode)
        planned = engine.st.reshape(-1, kernel.ST)[:, kernel.END].copy()
        last = self._lasts(engine)
        order = last[np.argsort(planned[last], kind="stable")]
        random = np.random.default_rng(seed)
        delays = np.array([live(engine, plan, pace, random)[order] - planned[order] for _ in range(lives)])
        self._until: list[int] = []
        self._delays: list[NDArray[np.int64]] = []
        for rows in np.array_split(np.arange(len(order)), min(GROUPS, max(1, len(order)))):
            if len(rows):
                self._until.append(int(planned[order[rows[-1]]]))
                self._delays.append(np.sort(delays[:, rows].reshape(-1)))

    @staticmethod
    def _lasts(engine: Engine) -> Ints:
        """The last operations of all orders."""
        plant = engine.packed.plant
        head, count = int(plant[kernel.ORDERS]), int(plant[kernel.ORDER_COUNT])
        rows = [
            plant[
                int(plant[head + kernel.OR * o + kernel.O_LAST]) : int(
                    plant[head + kernel.OR * o + kernel.O_LAST_END]
                )
            ]
            for o in range(count)
        ]
        return np.concatenate(rows) if rows else np.zeros(0, np.int64)

    def latest(self, end: int, confidence: float = 0.9) -> int:
        """The minute by which an order that is planned to end at `end` is done."""
        if not self._until:
            return end
        delays = self._delays[min(bisect_left(self._until, end), len(self._until) - 1)]
        return end + max(0, int(np.quantile(delays, confidence)))
