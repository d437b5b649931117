"""How many people are free for each skill, minute by minute.

People with several skills make single counts too rosy: four who can test or pack are not four
testers and four packers. By Hall's theorem a set of running operations can be staffed exactly
when, for every union of skills, no more run than there are people with one of them. Each such
union is one counter; unions that share no person are implied by their parts and left out.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, pairwise

from planner.problem import Problem
from planner.worktime import WorkTime

PLENTY = 1 << 30  # people beyond the horizon
WIDEST_UNION = 8  # skills that share people; more would be 2^n counters


class Counter:
    """Free people over time: a step function that claims lower."""

    def __init__(self, steps: Iterable[tuple[int, int]]) -> None:
        """`steps`: (minute, free people from then on), sorted, the first at minute 0."""
        self._times: list[int] = []
        self._free: list[int] = []
        for minute, free in steps:
            self._times.append(minute)
            self._free.append(free)

    def claim(self, start: int, end: int, people: int = 1) -> None:
        """Take so many people from `start` to `end`; below 0 gives them back."""
        first, last = self._cut(start), self._cut(end)
        for i in range(first, last):
            self._free[i] -= people

    def _cut(self, minute: int) -> int:
        i = bisect_right(self._times, minute) - 1
        if self._times[i] == minute:
            return i
        self._times.insert(i + 1, minute)
        self._free.insert(i + 1, self._free[i])
        return i + 1

    def shortage(self, start: int, end: int) -> int | None:
        """The end of the last stretch of [start, end) without a free person, or None."""
        times, free = self._times, self._free
        found: int | None = None
        i = bisect_right(times, start) - 1
        while i < len(times) and times[i] < end:
            if free[i] < 1:
                found = times[i + 1]
            i += 1
        return found

    def free_at(self, minute: int) -> int:
        """Free people in this minute."""
        return self._free[bisect_right(self._times, minute) - 1]

    def changes(self, start: int, end: int) -> list[int]:
        """The minutes in (start, end) at which the count changes."""
        return self._times[bisect_right(self._times, start) : bisect_left(self._times, end)]

    def steps(self) -> list[tuple[int, int]]:
        """(minute, free people from then on)."""
        return list(zip(self._times, self._free, strict=True))


class People:
    """The counters of a problem, and which of them an operation of a skill claims."""

    def __init__(self, problem: Problem, skills: Iterable[str] = ()) -> None:
        needed = sorted({*skills, *(o.skill for o in problem.operations if o.skill is not None)})
        self.counters: dict[frozenset[str], Counter] = {
            union: Counter(_steps(problem, union)) for union in unions(problem, needed)
        }
        self.of_skill: dict[str, tuple[Counter, ...]] = {
            skill: tuple(c for union, c in self.counters.items() if skill in union) for skill in needed
        }

    def claim(self, skill: str | None, pieces: Iterable[tuple[int, int]]) -> None:
        """One person of `skill` works through `pieces`."""
        if skill is None:
            return
        counters = self.of_skill[skill]
        for start, end in pieces:
            for counter in counters:
                counter.claim(start, end)

    def release(self, skill: str | None, pieces: Iterable[tuple[int, int]]) -> None:
        """Give back what `claim` took."""
        if skill is None:
            return
        for start, end in pieces:
            for counter in self.of_skill[skill]:
                counter.claim(start, end, -1)

    def claim_where_free(self, skill: str | None, pieces: Iterable[tuple[int, int]]) -> None:
        """Work under way: it holds a person wherever one is there, and is a fact elsewhere."""
        if skill is None:
            return
        counters = self.of_skill[skill]
        for start, end in pieces:
            cuts = sorted({start, end, *(m for c in counters for m in c.changes(start, end))})
            for one, two in pairwise(cuts):
                if all(counter.free_at(one) >= 1 for counter in counters):
                    self.claim(skill, [(one, two)])

    def shortage(self, skill: str | None, pieces: Iterable[tuple[int, int]]) -> int | None:
        """The minute until which somebody is missing in `pieces`, or None."""
        if skill is None:
            return None
        found: int | None = None
        for start, end in pieces:
            for counter in self.of_skill[skill]:
                short = counter.shortage(start, end)
                if short is not None and (found is None or short > found):
                    found = short
        return found


def staffed(problem: Problem, times: Mapping[str, WorkTime], skills: Iterable[str] = ()) -> People:
    """The people that work under way leaves free.

    Args:
        times: Unit id -> its working time.
        skills: Skills to count beside those that the problem's operations need.
    """
    people = People(problem, skills)
    for operation in problem.operations:
        if operation.started:
            minutes = operation.minutes_on(operation.started.unit)
            time = times[operation.started.unit]
            people.claim_where_free(operation.skill, time.pieces(0, minutes))
    return people


def unions(problem: Problem, needed: list[str]) -> Iterator[frozenset[str]]:
    """The unions of needed skills whose people must be counted together."""
    shared = [set(crew.skills) & set(needed) for crew in problem.crews]
    largest = min(len(needed), WIDEST_UNION)
    for size in range(1, largest + 1):
        for union in combinations(needed, size):
            if _connected(set(union), shared):
                yield frozenset(union)


def _connected(union: set[str], shared: list[set[str]]) -> bool:
    reached = {min(union)}
    grown = True
    while grown:
        grown = False
        for skills in shared:
            more = (skills & union) - reached
            if more and skills & reached:
                reached |= more
                grown = True
    return reached == union


def _steps(problem: Problem, union: frozenset[str]) -> list[tuple[int, int]]:
    change: dict[int, int] = {0: 0}
    for crew in problem.crews:
        if union.isdisjoint(crew.skills):
            continue
        for window in crew.windows:
            change[window.start] = change.get(window.start, 0) + crew.count
            change[window.end] = change.get(window.end, 0) - crew.count
    change.setdefault(problem.horizon, 0)
    steps: list[tuple[int, int]] = []
    free = 0
    for minute in sorted(change):
        free += change[minute]
        steps.append((minute, PLENTY if minute >= problem.horizon else free))
    return steps
