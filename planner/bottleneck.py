"""What orders cost at least that share the units of one work centre, whatever else happens in the plant.

The work centre is taken as one machine that is as quick as its open units together, and that may interrupt
one operation for another. There the mean busy times are least when, at each moment, whoever has the greatest
price for a minute of work goes first, and an operation ends half its minutes after its mean busy time or
later. A late minute is charged as a share of each minute: any share from 0 to 1 gives a bound, and a few
rounds look for good ones.

Sources:
    Goemans: "Improved approximation algorithms for scheduling with release dates", SODA (1997).
    Eastman, Even, Isaacs: "Bounds for the optimal scheduling of n jobs on m processors", Management
    Science 11 (1964).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

STEPS = (1.0, 0.5, 0.35, 0.25)
"""By how much the share of a late minute changes from round to round."""


@dataclass(frozen=True, slots=True)
class Piece:
    """An operation on the work centre.

    Args:
        head: It cannot start before this minute.
        minutes: Its least minutes.
        tail: Least minutes from its end to the end of its order.
    """

    head: int
    minutes: int
    tail: int


@dataclass(slots=True)
class Customer:
    """An order and its work on the work centre.

    Args:
        flow: Points for each minute until it is complete.
        late: Points for each minute that it is late.
    """

    due: int
    flow: int
    late: int
    pieces: list[Piece] = field(default_factory=list)


def least_cost_together(customers: Sequence[Customer], open_units: Sequence[tuple[int, int]]) -> float:
    """No plan has these orders for less.

    Args:
        customers: Each with at least one piece.
        open_units: (minute, how many units work from then on), sorted; the last step has one or more.
    """
    shares = [1.0] * len(customers)
    best = 0.0
    for step in STEPS:
        weights = [c.flow + share * c.late for c, share in zip(customers, shares, strict=True)]
        ends = _least_ends(customers, weights, open_units)
        cost = sum(weight * end for weight, end in zip(weights, ends, strict=True))
        cost -= sum(share * c.late * c.due for c, share in zip(customers, shares, strict=True))
        best = max(best, cost)
        shares = [
            min(1.0, share + step) if end > c.due else max(0.0, share - step)
            for c, share, end in zip(customers, shares, ends, strict=True)
        ]
    return best


def _least_ends(
    customers: Sequence[Customer], weights: Sequence[float], open_units: Sequence[tuple[int, int]]
) -> list[float]:
    """An end of each order; no plan has a smaller sum of price times end."""
    rows = [(piece.head, number, piece.minutes) for number, c in enumerate(customers) for piece in c.pieces]
    minutes = [sum(piece.minutes for piece in c.pieces) for c in customers]
    dearest = [weight / work for weight, work in zip(weights, minutes, strict=True)]
    moments = _moments(sorted(rows), dearest, open_units)
    ends = []
    for customer, work, moment in zip(customers, minutes, moments, strict=True):
        behind = sum(p.minutes * (p.tail + p.minutes / 2) for p in customer.pieces)
        ends.append((moment + behind) / work)
    return ends


def _moments(
    rows: Sequence[tuple[int, int, int]], dearness: Sequence[float], open_units: Sequence[tuple[int, int]]
) -> list[float]:
    """Of each order the sum over its minutes of work of when each is done, the dearest order first.

    Args:
        rows: (head, number of the order, minutes), sorted.
    """
    moments = [0.0] * len(dearness)
    waiting: list[list[float]] = []
    now, step, row = 0.0, 0, 0
    while row < len(rows) or waiting:
        if not waiting:
            now = max(now, float(rows[row][0]))
        while row < len(rows) and rows[row][0] <= now:
            _, number, minutes = rows[row]
            heappush(waiting, [-dearness[number], number, minutes])
            row += 1
        while step + 1 < len(open_units) and open_units[step + 1][0] <= now:
            step += 1
        until = float(rows[row][0]) if row < len(rows) else float("inf")
        if step + 1 < len(open_units):
            until = min(until, float(open_units[step + 1][0]))
        count = open_units[step][1]
        first = waiting[0]
        if count:
            until = min(until, now + first[2] / count)
            moments[int(first[1])] += count * (until - now) * (until + now) / 2
            first[2] -= count * (until - now)
            if first[2] < 1e-9:
                heappop(waiting)
        now = until
    return moments


def open_units(windows: Iterable[Iterable[tuple[int, int]]]) -> list[tuple[int, int]]:
    """How many units work when.

    Args:
        windows: Of each unit the stretches (start, end) in which it works, the last without an end.
    """
    changes: dict[int, int] = {0: 0}
    for stretches in windows:
        for start, end in stretches:
            changes[start] = changes.get(start, 0) + 1
            changes[end] = changes.get(end, 0) - 1
    steps: list[tuple[int, int]] = []
    count = 0
    for minute in sorted(changes):
        count += changes[minute]
        if count or not steps or steps[-1][1]:
            steps.append((minute, count))
    return steps
