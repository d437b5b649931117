"""How much later than planned nine of ten orders end, early in a plan and late in it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.pace import Paces, own_delay
from planner.promise import Desk, Quote

CONFIDENCE = 0.9
"""So many of the orders are done by then."""


@dataclass(frozen=True, slots=True)
class Delays:
    """Learned from lives of one plan, by `planner.confidence` in the solver's own process.

    Args:
        until: Minutes until which planned ends have the delay of the same place; the last one has all later.
        minutes: Delays that are kept by `CONFIDENCE` of the orders, 0 or more.
    """

    until: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()

    def latest(self, end: int) -> int:
        """The minute by which nine of ten orders are done that are planned to end at `end`."""
        if not self.until:
            return end
        return end + self.minutes[min(bisect_left(self.until, end), len(self.until) - 1)]


def work_of(desk: Desk, quote: Quote) -> list[tuple[str, float]]:
    """Work centre and standard minutes of each step of a quote."""
    units = desk.decoder.problem.unit_by_id
    return [(units[f.unit].work_center, float(f.block.operation.minutes_on(f.unit))) for f in quote.steps]


def latest(desk: Desk, quote: Quote, delays: Delays, paces: Paces) -> int:
    """The minute by which a quoted order is done in nine of ten cases.

    It comes as late as others that the plan has then, and no sooner than its own work alone may take, which
    goes on in the working time of its last unit.
    """
    last = max(quote.steps, key=lambda fit: fit.end)
    time, own = desk.decoder.lines[last.unit].time, own_delay(paces, work_of(desk, quote))
    alone = time.after(time.work(last.end) + own) if own else quote.end
    return max(delays.latest(quote.end), alone)


def delays_from_json(data: Mapping[str, Any]) -> Delays:
    """Delays as the solver's process writes them."""
    return Delays(tuple(data["until"]), tuple(data["minutes"]))
