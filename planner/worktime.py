"""Working minutes of a unit: its calendar without its stops, counted from minute 0.

Working minute number `w` is the w-th minute in which the unit can work. On this axis pauses
do not exist: a run of m minutes is the interval [w, w + m).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from planner.problem import Problem, Unit, Window


def subtract(windows: Iterable[Window], holes: Iterable[Window]) -> list[Window]:
    """What is left of sorted windows when the holes are taken out of them."""
    left = list(windows)
    for hole in holes:
        cut: list[Window] = []
        for window in left:
            if hole.end <= window.start or window.end <= hole.start:
                cut.append(window)
                continue
            if window.start < hole.start:
                cut.append(Window(window.start, hole.start))
            if hole.end < window.end:
                cut.append(Window(hole.end, window.end))
        left = cut
    return left


def merged(windows: list[Window]) -> tuple[Window, ...]:
    """Windows sorted, those that touch or overlap made one."""
    found: list[Window] = []
    for window in sorted(windows, key=lambda w: (w.start, w.end)):
        if window.start >= window.end:
            continue
        if found and found[-1].end >= window.start:
            found[-1] = Window(found[-1].start, max(found[-1].end, window.end))
        else:
            found.append(window)
    return tuple(found)


class WorkTime:
    """Maps minutes to working minutes and back in O(log windows).

    The last window never ends: beyond the horizon the unit counts as open.
    """

    FOREVER = 1 << 40  # minutes; two million years, far from overflow

    def __init__(self, windows: Iterable[Window], horizon: int) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._before: list[int] = []  # working minutes before each window
        total = 0
        for window in [*windows, Window(horizon, self.FOREVER)]:
            if self._ends and self._ends[-1] == window.start:
                self._ends[-1] = window.end
            else:
                self._starts.append(window.start)
                self._ends.append(window.end)
                self._before.append(total)
            total += window.end - window.start

    @classmethod
    def of(cls, problem: Problem, unit: Unit) -> WorkTime:
        """The working time of one unit of the problem."""
        calendar = problem.calendar_by_id[unit.calendar]
        return cls(subtract(calendar.windows, unit.stops), problem.horizon)

    def work(self, minute: int) -> int:
        """Working minutes before `minute`; the number of the first one at or after it."""
        i = bisect_right(self._starts, minute) - 1
        if i < 0:
            return 0
        return self._before[i] + min(minute, self._ends[i]) - self._starts[i]

    def at(self, number: int) -> int:
        """The minute in which working minute `number` (>= 0) begins."""
        i = bisect_right(self._before, number) - 1
        return self._starts[i] + number - self._before[i]

    def after(self, number: int) -> int:
        """The minute at which `number` (>= 1) working minutes are done."""
        return self.at(number - 1) + 1

    def room(self, number: int) -> int:
        """Working minutes from `number` on until the unit closes."""
        i = bisect_right(self._before, number) - 1
        return self._before[i] + self._ends[i] - self._starts[i] - number

    def pieces(self, first: int, last: int) -> list[tuple[int, int]]:
        """The open stretches (start, end), in minutes, of working minutes [first, last)."""
        i = bisect_right(self._before, first) - 1
        start = self._starts[i] + first - self._before[i]
        if start + last - first <= self._ends[i]:
            return [(start, start + last - first)] if first < last else []
        found: list[tuple[int, int]] = []
        while first < last:
            start = self._starts[i] + first - self._before[i]
            end = min(start + last - first, self._ends[i])
            found.append((start, end))
            first += end - start
            i += 1
        return found

    def gaps(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The closed stretches of [start, end), in minutes."""
        i = bisect_right(self._starts, start) - 1
        while start < end:
            shut = self._ends[i] if i >= 0 else 0
            i += 1
            until = min(end, self._starts[i]) if i < len(self._starts) else end
            if max(start, shut) < until:
                yield max(start, shut), until
            start = max(start, until)

    def windows_until(self, minute: int) -> list[tuple[int, int]]:
        """The open stretches before `minute`."""
        return [
            (start, min(end, minute))
            for start, end in zip(self._starts, self._ends, strict=True)
            if start < minute
        ]


def working_times(problem: Problem) -> dict[str, WorkTime]:
    """Unit id -> its working time; units of one calendar without stops share it."""
    plain: dict[str, WorkTime] = {}
    found: dict[str, WorkTime] = {}
    for unit in problem.units:
        time = plain.get(unit.calendar) if not unit.stops else None
        found[unit.id] = time or WorkTime.of(problem, unit)
        if not unit.stops:
            plain[unit.calendar] = found[unit.id]
    return found
