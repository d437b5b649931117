"""Does a proposal still hold, some time after it was made?

The floor has moved on meanwhile: work began, ended or waits, a machine stands, somebody left. The
proposal's order and units are timed again on the plant as it is now, and the independent checker looks
at the result. It holds while nothing is planned later than people have read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from planner.checker import check
from planner.decoder import Choice, LocksConflict, decode
from planner.problem import Operation, Problem, Published

SLIP_MIN = 3
"""Minutes by which a start may slip: a plan in force lags behind the floor by as much."""


@dataclass(frozen=True, slots=True)
class Slip:
    """One operation of a proposal that does not hold any more."""

    operation: str
    what: str

    def __str__(self) -> str:
        return f"{self.operation} {self.what}"


def slips(problem: Problem, proposed: Mapping[str, Published]) -> list[Slip]:
    """Return what of a proposal does not hold on the plant as it is now; nothing when it does.

    Args:
        problem: The plant now.
        proposed: Operation id -> unit and begin of its set-up, in minutes of `problem`; what is not
            planned any more is left out of account.
    """
    open_work = [o for o in problem.operations if o.id in proposed and not o.started]
    elsewhere = [slip for o in open_work for slip in _elsewhere(o, proposed[o.id])]
    if elsewhere:
        return elsewhere
    asked = replace(problem, operations=tuple(_free(operation) for operation in problem.operations))
    order = sorted(open_work, key=lambda o: (proposed[o.id].start, o.id))
    try:
        plan = decode(asked, [Choice(o.id, proposed[o.id].unit) for o in order])
    except LocksConflict as conflict:
        return [Slip(conflict.operation, conflict.what)]
    found = []
    for operation in order:
        late = plan.by_operation[operation.id].setup_start - proposed[operation.id].start
        if late > SLIP_MIN:
            found.append(Slip(operation.id, f"starts {late} minutes later"))
    return found or [Slip("", fault) for fault in check(asked, plan)]


def _elsewhere(operation: Operation, place: Published) -> list[Slip]:
    if place.unit not in {alternative.unit for alternative in operation.alternatives}:
        return [Slip(operation.id, f"cannot be done on {place.unit}")]
    if operation.lock is not None and operation.lock.unit != place.unit:
        return [Slip(operation.id, f"is locked on {operation.lock.unit}")]
    return []


def _free(operation: Operation) -> Operation:
    """The operation without the places of the plan in force: the proposal takes their place."""
    return replace(operation, published=None, frozen=False, kept=False)
