"""Locks that cannot all be kept, as data: which, by which rules, and how to mend it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from planner.problem import Problem


@dataclass(frozen=True, slots=True)
class LockedPlace:
    """A lock: this operation on this unit, its run starting at this minute."""

    operation: str
    unit: str
    start: int

    def __str__(self) -> str:
        return f"{self.operation} at minute {self.start} on {self.unit}"


@dataclass(frozen=True, slots=True)
class Mend:
    """One lock whose change lets all the others of a contradiction be kept.

    Args:
        minute: The nearest minute on its unit to which it can move; None: only taking it off helps.
    """

    operation: str
    minute: int | None


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Locks of which no plan keeps all; without any one of them a plan keeps the others.

    Args:
        rules: Which rules together forbid it, each of them needed: "unit" (it does one thing at a time),
            "setup", "route", "people", "tool", "batch", "frozen", "calendar", "stop" (the unit stands
            still), "material" (or another release), or the name of another rule of `planner.cp`.
        mends: One for each lock, the nearest first; any one of them is enough.
        proved: False when that was not shown in the time there was: the locks are those that dispatch
            could not keep, and perhaps fewer are at fault.
    """

    locks: tuple[LockedPlace, ...]
    rules: tuple[str, ...]
    mends: tuple[Mend, ...]
    proved: bool = True


@dataclass(frozen=True, slots=True)
class Released:
    """A lock that a plan does not keep, and what it contradicts."""

    lock: LockedPlace
    because: Contradiction


def unlocked(problem: Problem, names: Collection[str]) -> Problem:
    """The problem without some locks: that work is free, and so is what was frozen behind it."""
    free = set(names)
    rows = [
        replace(o, lock=None, frozen=False, kept=False) if o.id in free else o for o in problem.operations
    ]
    thawed = set(free)
    while thawed:
        behind = {follower for name in thawed for follower in problem.successors[name]}
        thawed = {o.id for o in rows if o.id in behind and o.frozen and not (o.started or o.lock)}
        rows = [replace(o, frozen=False) if o.id in thawed else o for o in rows]
    return replace(problem, operations=tuple(rows))
