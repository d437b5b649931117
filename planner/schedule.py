"""A plan: where and when each operation is done, and what keeps it from being sooner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Literal

ReasonCode = Literal[
    "now",  # nothing: it starts at minute 0
    "predecessor",  # operation: the step before ends then
    "lag",  # operation: drying or cooling after the step before
    "overlap",  # operation: the step before has not made the sub-lots
    "tied",  # operation: that one follows at a greatest lag, and cannot come sooner
    "unit",  # operation, unit: the unit is busy until then
    "maintenance",  # operation, unit: the unit is maintained until then
    "batch",  # unit, operation: it goes into the batch of that one, which begins then
    "buffer",  # buffer: full until then
    "setup",  # unit, minutes: its set-up ends then
    "people",  # skill: nobody free before
    "tool",  # tool: not free before
    "calendar",  # unit: closed until then
    "stop",  # unit: it stands still until then
    "release",  # cause, detail: material or order not there before
    "sequence",  # unit: others were put first
    "lock",  # a person fixed it
    "started",  # it runs already
]


@dataclass(frozen=True, slots=True)
class Reason:
    """What binds the start: a code for the pages to translate, and its parameters."""

    code: ReasonCode
    params: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assignment:
    """One operation in the plan; minutes after the problem's origin.

    Args:
        setup_start: When the set-up begins; equals `start` when there is none.
        start: When the run begins; negative for work that is under way.
        end: When the run ends, pauses of a closed calendar included.
        setup: Working minutes of set-up.
    """

    operation: str
    unit: str
    setup_start: int
    start: int
    end: int
    setup: int
    reason: Reason


@dataclass(frozen=True)
class Schedule:
    """All operations of a problem, by start, unit, and operation; of a batch who leads it comes first."""

    assignments: tuple[Assignment, ...]

    @cached_property
    def by_operation(self) -> dict[str, Assignment]:
        return {assignment.operation: assignment for assignment in self.assignments}

    @cached_property
    def by_unit(self) -> dict[str, tuple[Assignment, ...]]:
        """Unit id -> what it does, in order."""
        found: dict[str, list[Assignment]] = {}
        for assignment in self.assignments:
            found.setdefault(assignment.unit, []).append(assignment)
        return {unit: tuple(rows) for unit, rows in found.items()}

    @cached_property
    def behind(self) -> dict[str, str]:
        """Operation id -> the operation that its unit does next."""
        return {one.operation: two.operation for rows in self.by_unit.values() for one, two in pairwise(rows)}
