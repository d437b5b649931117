"""Rings of buffers: what may be placed so that everything can still be done afterwards.

Where work in one buffer goes on only when there is room in a second one, and work in that when there is
room in the first, both may be full of work that waits for the other. Nobody gets in who would make that
happen: behind him there has to be an order in which all who have work in the ring can take it out again,
one order of the plant after the other.

Source:
    Habermann: "Prevention of system deadlocks", Communications of the ACM 12 (1969), after Dijkstra's banker.
    Lawley, Reveliotis, Ferreira: "A correct and scalable deadlock avoidance policy for flexible manufacturing
    systems", IEEE Transactions on Robotics and Automation 14 (1998).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planner.buffers import Flows, Stay
    from planner.problem import Operation, Problem

Placed = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Way:
    """What an entry of a plan does to places, step by step: how many it needs, takes and leaves.

    Args:
        steps: Of each step, the places of a buffer that it needs when it begins, and by how many more are
            taken then and fewer when it starts.
    """

    steps: tuple[tuple[tuple[str, int, int], ...], ...]

    def through(self, room: Mapping[str, int], ring: frozenset[str]) -> dict[str, int] | None:
        """The places that are free in a ring when it has been placed; None when it finds none."""
        left = dict(room)
        for step in self.steps:
            if any(need > left[name] for name, need, _ in step if name in ring and need > 0):
                return None
            for name, _, change in step:
                if name in ring:
                    left[name] -= change
        return left


class Rings:
    """The rings of a plant, and whether they can still be emptied."""

    def __init__(self, problem: Problem, flows: Flows) -> None:
        """Look for rings."""
        self._problem, self._flows = problem, flows
        self._group = _groups(problem)
        self.rings = tuple(self._find()) if flows.places else ()

    def _find(self) -> Iterable[frozenset[str]]:
        """Buffers that wait for one another, or for themselves."""
        reach = {name: set(found) for name, found in self._waits_for.items()}
        for via, further in reach.items():
            for found in reach.values():
                if via in found:
                    found.update(further)
        return dict.fromkeys(
            frozenset(other for other in found if name in reach[other])
            for name, found in reach.items()
            if name in found
        )

    @cached_property
    def _waits_for(self) -> dict[str, set[str]]:
        """Buffer -> those in which there must be room before something is taken out of it."""
        found: dict[str, set[str]] = {name: set() for name in self._flows.places}
        given = {head: {name for step in way.steps for name, need, _ in step if need > 0}
                 for head, way in self.ways.items()}  # fmt: skip
        for buffer, stays in self._flows.stays.items():
            for stay in stays:
                for head in self._still_to_come(stay):
                    found[buffer] |= given.get(head, set())
        return found

    def _still_to_come(self, stay: Stay) -> set[str]:
        """The entries that are placed, when a place is left, and may not be when it is taken."""
        head = self._problem.ties.head
        before = {head(stay.before)} if stay.before is not None else set()
        return self._closure({head(stay.after)}, set()) - self._closure(before, set())

    def _closure(self, names: set[str], found: set[str]) -> set[str]:
        """Entries and all that they wait for."""
        left = [name for name in names if name not in found]
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left += self.waits.get(name, ())
        return found

    @cached_property
    def waits(self) -> dict[str, set[str]]:
        """Entry -> the entries that come before it."""
        problem, ties = self._problem, self._problem.ties
        found: dict[str, set[str]] = {}
        for operation in problem.operations:
            before = [link.operation for link in operation.predecessors if not operation.started]
            before += problem.kept_order.get(operation.id, ())
            mine = found.setdefault(ties.head(operation.id), set())
            mine |= {ties.head(name) for name in before} - {ties.head(operation.id)}
        return found

    @cached_property
    def ways(self) -> dict[str, Way]:
        """What entries do that deliver or take out."""
        ties = self._problem.ties
        heads = (o for o in self._problem.operations if o.id not in ties.head_of)
        ways = ((o.id, Way(tuple(map(self._step, ties.chain(o))))) for o in heads)
        return {name: way for name, way in ways if any(way.steps)}

    def _step(self, operation: Operation) -> tuple[tuple[str, int, int], ...]:
        gives = self._flows.gives.get(operation.id, ())
        takes = self._flows.takes.get(operation.id)
        found = [(give.buffer, give.count - give.own, give.count) for give in gives]
        return tuple([*found, (takes[0], 0, -takes[1])] if takes else found)

    @cached_property
    def _members(self) -> dict[str, list[str]]:
        """Group -> its entries."""
        found: dict[str, list[str]] = {}
        for operation in self._problem.operations:
            if operation.id not in self._problem.ties.head_of:
                found.setdefault(self._group[operation.id], []).append(operation.id)
        return found

    @cached_property
    def _enough(self) -> dict[str, int]:
        """Buffer -> so many free places with which everybody gets through whatever the others hold."""
        found: Counter[str] = Counter()
        for heads in self._members.values():
            needs: list[Counter[str]] = [Counter() for _ in heads]
            for head, need in zip(heads, needs, strict=True):
                for step in self.ways[head].steps if head in self.ways else ():
                    need.update({name: count for name, _, count in step if count > 0})
            behind = Counter(name for head in heads for name in self.waits[head])
            is_line = all(len(self.waits[head]) < 2 and behind[head] < 2 for head in heads)
            for need in needs if is_line else [sum(needs, Counter())]:
                found |= need
        return found

    def strands(self, chain: tuple[Operation, ...], free: Mapping[str, int], placed: Placed) -> str | None:
        """The buffer that an entry must not go to now, because some could never get out of its ring again.

        Where that is so without it, nobody knows better, and it may go.
        """
        head = chain[0].id
        for ring in self.rings:
            gives = [n for step in self.ways[head].steps for n, need, _ in step if need > 0 and n in ring] \
                if head in self.ways else []  # fmt: skip
            left = self.ways[head].through(free, ring) if gives else None
            if left is None or self._is_roomy(ring, left):
                continue
            is_sound = self._can_be_emptied(ring, left, placed, head)
            if not is_sound and self._can_be_emptied(ring, dict(free), placed, ""):
                return gives[0]
        return None

    def _is_roomy(self, ring: frozenset[str], free: Mapping[str, int]) -> bool:
        return not self._problem.kept_order and all(free[name] >= self._enough.get(name, 0) for name in ring)

    def _can_be_emptied(self, ring: frozenset[str], free: dict[str, int], placed: Placed, head: str) -> bool:
        """Whether one group after the other can take out all that it has in a ring."""
        done = {head}
        waiting = list(self._holders(ring, placed, head))
        while waiting:
            left = [group for group in waiting if not self._clears(group, ring, free, placed, done)]
            if len(left) == len(waiting):
                return False
            waiting = left
        return True

    def _holders(self, ring: frozenset[str], placed: Placed, head: str) -> Iterable[str]:
        found = {
            self._group[stay.after]
            for name in sorted(ring)
            for stay in self._flows.stays[name]
            if self._is_held(stay, placed, {head})
        }
        return sorted(found)

    def _is_held(self, stay: Stay, placed: Placed, done: set[str]) -> bool:
        head = self._problem.ties.head
        if stay.after in self._flows.shut or placed(stay.after) or head(stay.after) in done:
            return False
        return stay.before is None or placed(stay.before) or head(stay.before) in done

    def _clears(
        self, group: str, ring: frozenset[str], free: dict[str, int], placed: Placed, done: set[str]
    ) -> bool:
        """Place entries of a group until none of its work lies in a ring, if that can be; told in `free` and
        `done`.
        """
        room, made = dict(free), set(done)
        stays = [s for name in ring for s in self._flows.stays[name] if self._group[s.after] == group]
        left = [name for name in self._members[group] if name not in done and not placed(name)]
        while any(self._is_held(stay, placed, made) for stay in stays):
            ready = (n for n in left if all(b in made or placed(b) for b in self.waits[n]))
            after = ((n, self.ways[n].through(room, ring) if n in self.ways else room) for n in ready)
            able = [(sum(then.values()), n, then) for n, then in after if then is not None]
            if not able:
                return False
            _, name, room = max(able, key=lambda row: row[0])
            left.remove(name)
            made.add(name)
        free.update(room)
        done |= made
        return True


def _groups(problem: Problem) -> dict[str, str]:
    """Operation -> one name for all that links tie to it, directly or not."""
    parent = {operation.id: operation.id for operation in problem.operations}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = name = parent[parent[name]]
        return name

    for operation in problem.operations:
        for link in operation.predecessors:
            parent[root(operation.id)] = root(link.operation)
    return {name: root(name) for name in parent}
