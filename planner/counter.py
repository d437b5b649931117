"""How many of something are free over time: a step function that claims lower."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

PLENTY = 1 << 30
"""What there is of everything beyond the horizon."""


class Counter:
    """So many are free; claims take some of them for a while."""

    def __init__(self, steps: Iterable[tuple[int, int]]) -> None:
        """`steps`: (minute, how many are free from then on), sorted, the first at minute 0."""
        self._times: list[int] = []
        self._free: list[int] = []
        for minute, free in steps:
            self._times.append(minute)
            self._free.append(free)

    def claim(self, start: int, end: int, count: int = 1) -> None:
        """Take so many from `start` to `end`; below 0 gives them back."""
        first = self._cut(start, 0)
        last = self._cut(end, first)
        free = self._free
        for i in range(first, last):
            free[i] -= count

    def _cut(self, minute: int, behind: int) -> int:
        """The step that begins at a minute, made if there is none; it is not before step `behind`."""
        i = bisect_right(self._times, minute, behind) - 1
        if self._times[i] == minute:
            return i
        self._times.insert(i + 1, minute)
        self._free.insert(i + 1, self._free[i])
        return i + 1

    def shortage(self, start: int, end: int, count: int = 1) -> int | None:
        """The end of the last stretch of [start, end) with less than `count` free, or None."""
        if start >= end:
            return None
        free, first = self._free, bisect_right(self._times, start) - 1
        last = bisect_left(self._times, end, first)
        if min(free[first:last]) >= count:
            return None
        return self._times[next(i for i in range(last, first, -1) if free[i - 1] < count)]

    def free_at(self, minute: int) -> int:
        """How many are free in this minute."""
        return self._free[bisect_right(self._times, minute) - 1]

    def changes(self, start: int, end: int) -> list[int]:
        """The minutes in (start, end) at which the count changes."""
        return self._times[bisect_right(self._times, start) : bisect_left(self._times, end)]

    def steps(self) -> list[tuple[int, int]]:
        """(minute, how many are free from then on)."""
        return list(zip(self._times, self._free, strict=True))


def steps_of(count: int, changes: Iterable[tuple[int, int]], horizon: int) -> list[tuple[int, int]]:
    """The steps of a counter that has `count` at minute 0, and plenty from the horizon on.

    Args:
        changes: (minute, by how much the count grows then), in any order.
    """
    change: dict[int, int] = {0: count}
    for minute, more in changes:
        change[minute] = change.get(minute, 0) + more
    change.setdefault(horizon, 0)
    steps: list[tuple[int, int]] = []
    free = 0
    for minute in sorted(change):
        free += change[minute]
        steps.append((minute, PLENTY if minute >= horizon else free))
    return steps
