"""Greatest lags: steps that must follow one another in time are one entry of a plan's order.

A step and those that follow it at a greatest lag are a chain, and its first step is the head of it: a
plan places all of a chain at its head's turn, and the head begins so late that everybody comes in time.
Where the step before is a fact (it is over, runs, is locked or frozen), nothing can be shifted: who
follows it goes first of all free work, and what cannot be in time is told as an excess.

Source:
    Brucker, Hilbig, Hurink: "A branch and bound algorithm for a single-machine scheduling problem with
    positive and negative time-lags", Discrete Applied Mathematics 94 (1999): greatest lags as negative
    least ones, which is why a chain that is too late is mended by its earlier steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planner.problem import Link, Operation, Problem
    from planner.schedule import Schedule

PATIENCE = 32
"""So often a chain is shifted by just what it needs; then by 1, 2, 4 and so on minutes more."""

FARTHEST = 30
"""The largest of these shifts, as a power of 2: beyond every horizon, where every chain has its place."""


def further(rounds: int) -> int:
    """Least minutes by which a chain is shifted that has been shifted so many times."""
    return 1 << min(max(rounds - PATIENCE, 0), FARTHEST)


def is_held(operation: Operation) -> bool:
    """Whether an operation is where it is whatever follows it."""
    return bool(operation.started or operation.lock or operation.frozen)


@dataclass(frozen=True)
class Ties:
    """The chains of some operations.

    Args:
        chains: Head -> all of its chain, itself first; operations that are tied to nobody are left out.
        head_of: Follower -> its head.
        limits: Operation -> the minute at which it may end at the earliest, for the locked operation that
            follows it, and the name of that.
        urgent: Operations that follow a held one, with the link.
        pressing: Operations that follow one that is over, with the minute by which they should begin.
    """

    chains: Mapping[str, tuple[Operation, ...]] = field(default_factory=dict)
    head_of: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    urgent: tuple[tuple[Operation, Link], ...] = ()
    pressing: tuple[tuple[Operation, int], ...] = ()

    @classmethod
    def of(cls, operations: Iterable[Operation]) -> Ties:
        """Find the chains; steps before that are not among the operations bind nobody."""
        rows = {operation.id: operation for operation in operations}
        behind: dict[str, Operation] = {}
        limits: dict[str, tuple[int, str]] = {}
        urgent: list[tuple[Operation, Link]] = []
        pressing = [(o, o.after.ended + o.after.most) for o in rows.values() if o.after and not is_held(o)]
        for operation in rows.values():
            for link in () if operation.started else operation.predecessors:
                before = rows.get(link.operation)
                if link.most is None or before is None:
                    continue
                if is_held(before):
                    urgent += [] if is_held(operation) else [(operation, link)]
                elif operation.lock:
                    limits[before.id] = operation.lock.start - link.most, operation.id
                else:
                    behind[before.id] = operation
        chains = _chains(rows, behind)
        head_of = {o.id: head for head, chain in chains.items() for o in chain[1:]}
        return cls(chains, head_of, limits, tuple(urgent), tuple(pressing))

    @property
    def are_none(self) -> bool:
        """Whether no greatest lag says when something has to be placed."""
        return not (self.chains or self.limits)

    def head(self, name: str) -> str:
        """The operation at whose turn this one is placed: mostly itself."""
        return self.head_of.get(name, name)

    def chain(self, operation: Operation) -> tuple[Operation, ...]:
        """What is placed at the turn of an operation, itself first."""
        return self.chains.get(operation.id, (operation,))

    def outside(self, name: str, before: Iterable[str]) -> set[str]:
        """The heads of what an operation waits for; of its own chain only what comes behind it."""
        if not self.chains:
            return set(before)
        chain = [operation.id for operation in self.chains.get(self.head(name), ())]
        own = set(chain[: chain.index(name)]) if chain else set()
        return {self.head(one) for one in before if one not in own}

    def in_sequence(self, problem: Problem, names: list[str], unit_of: Mapping[str, str]) -> list[str]:
        """Names in an order that keeps the order of each unit, those of a chain one after the other.

        Whose chains pass each other in turns on two units has no such order: then the first one goes first.

        Args:
            names: In the order of their starts.
        """
        if not self.chains:
            return names
        turn = {name: place for place, name in reversed(list(enumerate(map(self.head, names))))}
        after: dict[str, list[str]] = {name: [] for name in turn}
        missing = dict.fromkeys(turn, 0)
        for before, behind in _pairs(problem, names, unit_of):
            one, two = self.head(before), self.head(behind)
            if one != two and one in turn:
                after[one].append(two)
                missing[two] += 1
        found: list[str] = []
        ready = [(turn[name], name) for name, count in missing.items() if not count]
        left = [(place, name) for name, place in turn.items()]
        heapify(ready)
        heapify(left)
        done: set[str] = set()
        while left:
            _, name = heappop(ready or left)
            if name in done:
                continue
            done.add(name)
            found += [name, *(o.id for o in self.chains.get(name, ())[1:])]
            for behind in after[name]:
                missing[behind] -= 1
                if not missing[behind]:
                    heappush(ready, (turn[behind], behind))
        asked = set(names)
        return [name for name in found if name in asked]


def in_chains(operations: Sequence[Operation]) -> Iterator[tuple[Operation, ...]]:
    """What is placed together, each after all that it waits for."""
    ties, left = Ties.of(operations), {operation.id for operation in operations}
    chains = [ties.chain(operation) for operation in operations if operation.id not in ties.head_of]
    while chains:
        chain = next((c for c in chains if not any(_waits(c, left))), chains[0])
        chains.remove(chain)
        left -= {operation.id for operation in chain}
        yield chain


def _waits(chain: tuple[Operation, ...], left: set[str]) -> Iterator[bool]:
    own = {operation.id for operation in chain}
    for operation in chain:
        for link in operation.predecessors:
            yield link.operation in left and link.operation not in own


def _pairs(problem: Problem, names: list[str], unit_of: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Who comes before whom, on a unit or on the way of an order; at a subcontractor's nobody does."""
    rows: dict[str, list[str]] = {}
    for name in names:
        if unit_of[name] not in problem.subcontractors:
            rows.setdefault(unit_of[name], []).append(name)
    for row in rows.values():
        yield from pairwise(row)
    for name in names:
        for link in problem.operation_by_id[name].predecessors:
            yield link.operation, name


def _chains(
    rows: Mapping[str, Operation], behind: Mapping[str, Operation]
) -> dict[str, tuple[Operation, ...]]:
    tied = {operation.id for operation in behind.values()}
    found: dict[str, tuple[Operation, ...]] = {}
    for head in behind:
        if head not in tied:
            chain = [rows[head]]
            while chain[-1].id in behind:
                chain.append(behind[chain[-1].id])
            found[head] = tuple(chain)
    return found


@dataclass(frozen=True, slots=True)
class Excess:
    """A step that comes later than its greatest lag allows, because the one before it is a fact.

    Args:
        before: The step before it, which is over, runs, is locked or frozen.
        most: Minutes that are allowed.
        minutes: Minutes beyond them.
    """

    operation: str
    before: str
    most: int
    minutes: int


def excesses(operations: Sequence[Operation], schedule: Schedule) -> list[Excess]:
    """Where a plan cannot keep greatest lags; those are all that a plan may break."""
    at = schedule.by_operation
    over = [
        Excess(o.id, o.after.operation, o.after.most, late)
        for o in operations
        if o.after and not o.started and (late := at[o.id].start - o.after.ended - o.after.most) > 0
    ]
    return over + [
        Excess(operation.id, link.operation, link.most, late)
        for operation in operations
        for link in (() if operation.started else operation.predecessors)
        if link.most is not None and (late := at[operation.id].start - at[link.operation].end - link.most) > 0
    ]
