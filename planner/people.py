"""How many people are free for each skill, minute by minute.

People with several skills make single counts too rosy: four who can test or pack are not four
testers and four packers. By Hall's theorem a set of running operations can be staffed exactly
when, for every union of skills, no more run than there are people with one of them. Each such
union is one counter; unions that share no person are implied by their parts and left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

from planner.counter import Counter, steps_of
from planner.problem import Problem

WIDEST_UNION = 8  # skills that share people; more would be 2^n counters


class People:
    """The counters of a problem, and which of them somebody of a skill is taken from."""

    def __init__(self, problem: Problem, skills: Iterable[str] = ()) -> None:
        needed = sorted({*skills, *(o.skill for o in problem.operations if o.skill is not None)})
        self.counters: dict[frozenset[str], Counter] = {
            union: Counter(_steps(problem, union)) for union in unions(problem, needed)
        }
        self.of_skill: dict[str, tuple[Counter, ...]] = {
            skill: tuple(c for union, c in self.counters.items() if skill in union) for skill in needed
        }


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
    changes = [
        (minute, count)
        for crew in problem.crews
        if not union.isdisjoint(crew.skills)
        for window in crew.windows
        for minute, count in ((window.start, crew.count), (window.end, -crew.count))
    ]
    return steps_of(0, changes, problem.horizon)
