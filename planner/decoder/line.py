"""What a unit does, one block behind the other, and where one more would go."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from operator import attrgetter

from planner.problem import Operation, Unit
from planner.schedule import Reason
from planner.shared import Pieces
from planner.worktime import WorkTime


@dataclass(slots=True)
class Block:
    """What a unit does, in its working minutes: set-up from `begin`, run in [run, end)."""

    begin: int
    run: int
    end: int
    operation: Operation
    reason: Reason


@dataclass(slots=True)
class Fit:
    """Where an operation fits on a unit: the block it would be, and its place in the row.

    Args:
        pieces: The open stretches in which it claims people and tools; none where its batch has them, or the
            subcontractor.
    """

    unit: str
    position: int
    block: Block
    start: int
    end: int
    setup: int
    pieces: Pieces = ()


begin_of, _run_of = attrgetter("begin"), attrgetter("run")


class Line:
    """A unit's blocks in order; those before `floor` were placed by the running proposal.

    The blocks of a subcontractor may overlap.
    """

    __slots__ = ("blocks", "family", "floor", "frozen_until", "outside", "places", "time", "unit")

    def __init__(self, unit: Unit, time: WorkTime) -> None:
        self.unit, self.family, self.time = unit.id, unit.family, time
        self.places = unit.places
        self.outside = unit.subcontractor
        self.blocks: list[Block] = []
        self.floor = 0
        self.frozen_until = 0  # working minute at which the last frozen block ends

    def first_gap(self, ready: int, minutes: int) -> int:
        """The first position behind frozen work whose gap, or the batch before it, takes a run of so many
        minutes from working minute `ready` on.
        """
        first = bisect_left(self.blocks, max(ready + minutes, self.frozen_until), key=begin_of)
        if self.places is None:
            return first
        joined = bisect_left(self.blocks, ready, key=_run_of) + 1
        return max(bisect_left(self.blocks, self.frozen_until, key=begin_of), min(first, joined))

    def is_served(self, position: int) -> bool:
        """Whether a block needs no people and tools: its batch has them, or the subcontractor."""
        return self.outside or self.is_joined(position)

    def is_joined(self, position: int) -> bool:
        """Whether a block is in the batch of the one before it: they end together."""
        return position > 0 and self.blocks[position - 1].end == self.blocks[position].end

    def shares(self, block: Block) -> bool:
        """Whether a block is in a batch with others."""
        return self.places is not None and sum(other.end == block.end for other in self.blocks) > 1

    def batch_before(self, position: int) -> list[Block]:
        """The batch that ends at a position, the one that leads it first; [] where none is or it goes on."""
        if self.places is None or not position:
            return []
        if position < len(self.blocks) and self.is_joined(position):
            return []
        first = position - 1
        while self.is_joined(first):
            first -= 1
        return self.blocks[first:position]

    def hold(self, block: Block) -> None:
        """Remember where frozen work ends."""
        if block.operation.frozen and not block.operation.lock:
            self.frozen_until = max(self.frozen_until, block.end)

    def family_before(self, position: int) -> str | None:
        return self.blocks[position - 1].operation.family if position else self.family
