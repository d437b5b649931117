"""Places between steps: who takes one, who leaves one, and from when on there is one.

An operation that is placed finds `taken` places of each buffer taken by those placed before it, and
some left again. With `need` of these it can begin: its time is that by which so many have been left.
Counted in the order of placement that is one minute, whatever comes later. What work under way and
locked steps hold is taken from the beginning; a place of a locked step is left at its minute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planner.problem import Operation, Problem

FULL = 1 << 40
"""The minute by which a place is free that nobody is known to leave."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What an operation delivers to a buffer: places that it takes when it begins.

    Args:
        own: Places of the same buffer that it leaves itself when it starts: these it may fill again.
    """

    buffer: str
    count: int
    own: int = 0


@dataclass(frozen=True, slots=True)
class Stay:
    """A place that is held for one step's work, from when the step before begins.

    Args:
        before: Who delivers; None where it lay there at minute 0.
        after: Who takes it out.
    """

    before: str | None
    after: str


class Flows:
    """Which operations deliver to which buffers, and take out of them; what is started and locked is a fact.

    Args:
        facts: Buffer id -> places that are held from the beginning.
        locked: Buffer id -> the minutes at which locked steps leave places, sorted.
        shut: The locked steps that leave them.
    """

    def __init__(self, problem: Problem, others: Iterable[Operation] = ()) -> None:
        """Look at the problem's operations, and at others that are none of the problem's."""
        self.places = {buffer.id: buffer.places for buffer in problem.buffers}
        self.facts = dict.fromkeys(self.places, 0)
        self.locked: dict[str, list[int]] = {name: [] for name in self.places}
        self.stays: dict[str, list[Stay]] = {name: [] for name in self.places}
        self.gives: dict[str, tuple[Delivery, ...]] = {}
        self.takes: dict[str, tuple[str, int]] = {}
        self.shut: set[str] = set()
        self._before = problem.buffer_before
        if self.places:
            self._rows = {o.id: o for o in (*problem.operations, *others)}
            self._look()

    def _look(self) -> None:
        given: dict[str, dict[str, int]] = {}
        for operation in self._rows.values():
            buffer = self.buffer_of(operation)
            if buffer is None:
                continue
            for stay in self._stays_of(operation):
                self.stays[buffer].append(stay)
                self._count(buffer, operation, stay, given)
        for name, counts in given.items():
            rows = [Delivery(buffer, count, self._own(name, buffer)) for buffer, count in counts.items()]
            self.gives[name] = tuple(rows)
        for minutes in self.locked.values():
            minutes.sort()

    def buffer_of(self, operation: Operation) -> str | None:
        """The buffer in which an operation's work waits; None for work under way, which has left it."""
        if operation.started or not operation.alternatives:
            return None
        return self._before.get(operation.alternatives[0].unit)

    def _stays_of(self, operation: Operation) -> Iterator[Stay]:
        if operation.stored:
            yield Stay(None, operation.id)
        for link in operation.predecessors:
            yield Stay(link.operation, operation.id)

    def _count(self, buffer: str, after: Operation, stay: Stay, given: dict[str, dict[str, int]]) -> None:
        before = self._rows[stay.before] if stay.before is not None else None
        if after.lock:
            self.locked[buffer].append(after.lock.start)
            self.shut.add(after.id)
        else:
            count = self.takes.get(after.id, (buffer, 0))[1]
            self.takes[after.id] = buffer, count + 1
        if before is None or before.started or before.lock or after.lock:
            self.facts[buffer] += 1
        else:
            counts = given.setdefault(before.id, {})
            counts[buffer] = counts.get(buffer, 0) + 1

    def _own(self, name: str, buffer: str) -> int:
        taken, count = self.takes.get(name, (None, 0))
        return count if taken == buffer else 0


@dataclass(slots=True)
class _Row:
    """One buffer, as those see it that are placed one after the other.

    Args:
        left: When places were left, in the order of placement; none before one that comes earlier there.
    """

    places: int
    taken: int
    locked: list[int]
    left: list[int] = field(default_factory=list)

    def lacks(self, wanted: int, give: Delivery) -> bool:
        """Whether fewer places are left, now or by locked steps, than a delivery waits for."""
        return give.count > give.own and self.taken + wanted - self.places > len(self.left) + len(self.locked)

    def free_from(self, count: int, own: int) -> int:
        """The minute from which so many places are free; FULL where nobody is known to leave them."""
        if count <= own:
            return 0
        need = self.taken + count - own - self.places
        found = FULL
        for late in range(min(len(self.locked), max(need, 0)) + 1):
            if need - late <= len(self.left):
                one = self.left[need - late - 1] if need > late else 0
                two = self.locked[late - 1] if late else 0
                found = min(found, max(one, two))
        return found


class Buffers:
    """The buffers of a plan under construction."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._others: dict[str, Operation] = {}
        self.flows = flows = Flows(problem)
        self._rows = {
            name: _Row(places, flows.facts[name], flows.locked[name]) for name, places in flows.places.items()
        }
        self.times: dict[str, tuple[int, int]] = {}  # operation -> begin and start
        self.floors: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._rows)

    def learn(self, operations: Iterable[Operation]) -> None:
        """Take operations into account that are none of the problem's."""
        new = {o.id: o for o in operations if o.id not in self._problem.operation_by_id}
        if self._rows and new:
            self._others |= new
            self.flows = Flows(self._problem, self._others.values())

    def free_from(self, operation: str) -> tuple[int, str]:
        """The minute from which an operation may begin when it is placed now, and the buffer it waits for."""
        found = 0, ""
        for give in self.flows.gives.get(operation, ()):
            found = max(found, (self._rows[give.buffer].free_from(give.count, give.own), give.buffer))
        return found

    def full(self, chain: Iterable[Operation]) -> str | None:
        """The buffer in which operations that are placed together find no place before others leave one."""
        ahead: Counter[str] = Counter()  # places that those of the chain before it take and do not leave
        for name in (operation.id for operation in chain) if self._rows else ():
            for give in self.flows.gives.get(name, ()):
                if self._rows[give.buffer].lacks(give.count + ahead[give.buffer] - give.own, give):
                    return give.buffer
            ahead.update({give.buffer: give.count for give in self.flows.gives.get(name, ())})
            ahead.subtract(dict([self.flows.takes[name]]) if name in self.flows.takes else {})
        return None

    def free(self) -> dict[str, int]:
        """Buffer -> places that are free, or will be when those that are placed or locked have left them."""
        return {name: r.places - r.taken + len(r.left) + len(r.locked) for name, r in self._rows.items()}

    def leaves(self, chain: Iterable[Operation]) -> bool:
        """Whether one of some operations takes something out of a buffer."""
        return bool(self._rows) and any(operation.id in self.flows.takes for operation in chain)

    def pass_on(self, operation: str, start: int) -> None:
        """Count what an operation leaves, and what it takes, as the last one that was placed."""
        for give in self.flows.gives.get(operation, ()):
            self._rows[give.buffer].taken += give.count
        if operation in self.flows.takes:
            buffer, count = self.flows.takes[operation]
            left = self._rows[buffer].left
            left += [max(start, left[-1] if left else 0)] * count

    def take_back(self, operation: str) -> None:
        """Undo `pass_on` for the last one that was placed."""
        for give in self.flows.gives.get(operation, ()):
            self._rows[give.buffer].taken -= give.count
        if operation in self.flows.takes:
            buffer, count = self.flows.takes[operation]
            del self._rows[buffer].left[-count:]

    # --- by the clock, where others have their times already ----------------------------------

    def shortage(self, operation: str, begin: int, end: int) -> tuple[int, str] | None:
        """Until when a buffer is too full for an operation that holds its places from `begin` to `end`.

        Returns:
            The end of the last stretch in which it is, and the buffer; None when there is room.
        """
        found: tuple[int, str] | None = None
        if begin < self.floors.get(operation, 0):
            found = self.floors[operation], next((g.buffer for g in self.flows.gives[operation]), "")
        for give in self.flows.gives.get(operation, ()):
            if give.count <= give.own:
                continue
            room = self.flows.places[give.buffer] - give.count
            until = self._full_until(give.buffer, Stay(operation, ""), room, begin, end)
            if until is not None and (found is None or until > found[0]):
                found = until, give.buffer
        return found

    def evicted(self, operation: Operation, start: int) -> tuple[str, int] | None:
        """Who must begin later, and when, because his place is needed by others before `operation` starts."""
        buffer = self.flows.buffer_of(operation)
        if buffer is None:
            return None
        for link in operation.predecessors:
            begin, _ = self.times[link.operation]
            stay = Stay(link.operation, operation.id)
            room = self.flows.places[buffer] - sum(o.before == stay.before for o in self.flows.stays[buffer])
            until = self._full_until(buffer, stay, room, begin, start)
            if until is not None:
                return link.operation, until
        return None

    def is_overfull(self) -> bool:
        """Whether somebody begins whose place is not free; what runs or is locked has its own."""
        return any(self._is_overfull(buffer, places) for buffer, places in self.flows.places.items())

    def _is_overfull(self, buffer: str, places: int) -> bool:
        gives = {n: give for n, rows in self.flows.gives.items() for give in rows if give.buffer == buffer}
        changes: list[tuple[int, int, bool]] = []
        for stay in self.flows.stays[buffer]:
            since, until = self._held(stay)
            if stay.after in gives:  # it puts what it makes where its own work lay
                until = self.times.get(stay.after, (FULL, FULL))[0]
            give = None if stay.after in self.flows.shut else gives.get(stay.before or "")
            if since < until:
                changes += ((until, -1, False), (since, 1, give is not None and give.count > give.own))
        held = 0
        for _, turn in groupby(sorted(changes), key=itemgetter(0)):
            rows = list(turn)
            held += sum(change for _, change, _ in rows)
            if held > places and any(row[2] for row in rows):
                return True
        return False

    def changes(self, operation: str) -> Iterator[int]:
        """The minutes at which others take or leave places of the buffers to which an operation delivers."""
        for give in self.flows.gives.get(operation, ()):
            for stay in self.flows.stays[give.buffer]:
                yield from self._held(stay)

    def _full_until(self, buffer: str, mine: Stay, room: int, begin: int, end: int) -> int | None:
        """The end of the last stretch from `begin` to `end` in which others hold more than `room` places."""
        changes: list[tuple[int, int]] = []
        for stay in self.flows.stays[buffer]:
            if mine.before in {stay.before, stay.after}:
                continue
            since, until = self._held(stay)
            if since < until and until > begin:
                changes += ((max(since, begin), 1), (until, -1))
        held, found = 0, None
        for minute, change in sorted(changes):
            before, held = held, held + change
            if before <= room < held and minute >= end:
                break
            if held <= room < before:
                found = minute
        return found

    def _held(self, stay: Stay) -> tuple[int, int]:
        """From when to when a place is held, as far as both steps are placed."""
        since = 0 if stay.before is None else self.times.get(stay.before, (FULL, FULL))[0]
        return since, self.times.get(stay.after, (FULL, FULL))[1]
