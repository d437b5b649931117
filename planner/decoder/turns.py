"""Whose turn it is: what goes before the rest, and who waits for whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from planner.decoder.placed import Placed
from planner.problem import Link, Operation, Problem, Published
from planner.worktime import working_times


def in_turn(problem: Problem, places: Mapping[str, Published]) -> list[str]:
    """Operations in the order in which they begin at their places, with the set-up.

    People, tools and places in buffers are taken from then on: placed again in any other order, work takes
    them from each other though nothing has happened. Of those in one batch the one that comes last leads.
    """
    names, begins = _by_run(problem, places), beginnings(problem, places)
    if begins:
        names.sort(key=begins.__getitem__)
    units = {name: place.unit for name, place in places.items()}
    return problem.ties.in_sequence(problem, names, units)


def beginnings(problem: Problem, places: Mapping[str, Published]) -> dict[str, int]:
    """Operation id -> the minute in which its set-up begins, if it has one, else its run.

    On a unit in turn, and not before what it waits for does: a long set-up may begin before that, but who
    comes behind it on its unit must not pass it meanwhile. Nothing for plants without set-ups: there it is
    the published start.
    """
    if not any(center.setups for center in problem.work_centers):
        return {}
    times, outside = working_times(problem), problem.subcontractors
    families = {unit.id: unit.family for unit in problem.units}
    families |= {o.started.unit: o.family for o in problem.operations if o.started}
    last: dict[str, int] = {}
    found: dict[str, int] = {}
    for name in _by_run(problem, places):
        operation, unit, begin = problem.operation_by_id[name], places[name].unit, places[name].start
        if unit in times and unit not in outside and not operation.started:
            setup = problem.setup_minutes(unit, families[unit], operation.family)
            work = times[unit].work(begin) - setup
            begin = min(begin, times[unit].at(max(0, work))) if setup else begin
        families[unit] = operation.family
        waits = (found.get(link.operation, begin) for link in operation.predecessors)
        found[name] = last[unit] = max(last.get(unit, begin), begin, *waits)
    return found


def _by_run(problem: Problem, places: Mapping[str, Published]) -> list[str]:
    arrivals = _arrivals(problem, places) if problem.has_batches else dict.fromkeys(places, 0)
    return sorted(places, key=lambda name: (places[name].start, -arrivals[name], name))


def _arrivals(problem: Problem, places: Mapping[str, Published]) -> dict[str, int]:
    """When each operation would be there if all that it waits for kept its place."""
    times = working_times(problem)

    def end(link: Link) -> int:
        before, place = problem.operation_by_id[link.operation], places.get(link.operation)
        if place is None or before.started or place.unit not in {a.unit for a in before.alternatives}:
            return 0
        time = times[place.unit]
        return time.after(time.work(place.start) + before.minutes_on(place.unit)) + link.lag

    rows = [o for o in problem.operations if o.id in places]
    return {o.id: max([problem.release_of(o), *map(end, o.predecessors)]) for o in rows}


def held_first(problem: Problem) -> list[str]:
    """Frozen and pressing operations, and what these or locked ones wait for; buffers are not looked at."""
    frozen = {
        o.id: o.published
        for o in problem.operations
        if o.frozen and o.published and not o.started and not o.lock
    }
    first = dict.fromkeys(in_turn(problem, frozen))
    pressing = _pressing(problem)
    first |= dict.fromkeys(pressing)
    locked = sorted((o.lock.start, o.id) for o in problem.operations if o.lock)
    ties, known = problem.ties, problem.operation_by_id
    for name in [*pressing, *(name for _, name in locked)]:
        waiting = [name]
        while waiting:
            chain = ties.chain(known[waiting.pop()])
            for link in (link for operation in chain for link in operation.predecessors):
                before, head = known[link.operation], ties.head(link.operation)
                if head not in first and not before.started and not before.lock:
                    first[head] = None
                    waiting.append(head)
    return _behind_their_own(problem, first) if pressing else list(first)


def _behind_their_own(problem: Problem, names: Iterable[str]) -> list[str]:
    """Entries of a plan in their order, but each behind all that it waits for, kept ones on its unit, too."""
    ties, known = problem.ties, problem.operation_by_id
    found: dict[str, None] = {}
    for name in names:
        stack = [name]
        while stack:
            chain = ties.chain(known[stack[-1]])
            waits = [link.operation for operation in chain for link in operation.predecessors]
            waits += [before for operation in chain for before in problem.kept_order.get(operation.id, ())]
            free = (
                ties.head(before) for before in waits if not (known[before].started or known[before].lock)
            )
            missing = [head for head in free if head != stack[-1] and head not in found]
            stack += missing
            if not missing:
                found[stack.pop()] = None
    return list(found)


KEPT_FREE = 60
"""Minutes for which a unit may be kept free for who follows a complete step: whoever must still dry for
longer, or gets his material too late to come in time, holds up nobody."""


def _pressing(problem: Problem) -> list[str]:
    """Operations that follow held or complete ones at a greatest lag, by when they should begin."""

    def deadline(operation: Operation, link: Link) -> tuple[int, str]:
        before, start = problem.operation_by_id[link.operation], 0
        if before.lock or (before.published and not before.started):
            start = before.lock.start if before.lock else before.published.start if before.published else 0
        minutes = before.minutes_on(before.fixed_unit or before.alternatives[0].unit)
        return start + minutes + (link.most or 0), operation.id

    behind_held = [deadline(*row) for row in problem.ties.urgent]
    behind_complete = [
        (minute, operation.id)
        for operation, minute in problem.ties.pressing
        if problem.release_of(operation) <= max(0, min(minute, KEPT_FREE))
    ]
    return [name for _, name in sorted([*behind_held, *behind_complete])]


class InOrder:
    """Hands out operations in a given order, each after what must be placed before it.

    Of a chain only the head is handed out, after what all of the chain wait for.
    """

    def __init__(self, problem: Problem, placed: Placed) -> None:
        self._ties = problem.ties
        self._followers: dict[str, tuple[str, ...]] = dict(problem.successors)
        for after, held in problem.kept_order.items():
            for before in held:
                self._followers[before] += (after,)
        if self._ties.chains:
            self._followers = self._of_heads()
        self._missing = dict.fromkeys(self._followers, 0)
        for name, followers in self._followers.items():
            if not placed.is_placed(name):
                for follower in followers:
                    self._missing[follower] += 1
        self._waiting: set[str] = set()

    def is_ready(self, name: str) -> bool:
        """Whether `name` can be placed; if not, it is handed out when its last one is."""
        if self._missing[name]:
            self._waiting.add(name)
            return False
        return name not in self._ties.head_of

    def _of_heads(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {name: [] for name in self._followers}
        for before, names in self._followers.items():
            head = self._ties.head(before)
            heads = [self._ties.head(name) for name in names]
            found[head] += [name for name in heads if name != head]
        return {name: tuple(heads) for name, heads in found.items()}

    def placed(self, name: str) -> list[str]:
        """Tell that `name` was placed; returns the held-back ones that now can be."""
        freed = []
        for successor in self._followers[name]:
            self._missing[successor] -= 1
            if not self._missing[successor] and successor in self._waiting:
                self._waiting.discard(successor)
                freed.append(successor)
        return freed
