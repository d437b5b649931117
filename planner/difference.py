"""What a new plan changes against the one in force: moved, late, saved."""

from __future__ import annotations

from dataclasses import dataclass

from planner.objective import order_ends
from planner.problem import Problem
from planner.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Move:
    """An operation that changes its unit or start; minutes after the new plan's origin."""

    operation: str
    from_unit: str
    to_unit: str
    from_start: int
    to_start: int


@dataclass(frozen=True, slots=True)
class Shift:
    """An order that ends at another time than it would without the new plan.

    Args:
        before: Its end with the old sequences on the plant as it is now.
        late_before: Minutes late then; 0 when in time.
    """

    order: str
    before: int
    after: int
    late_before: int
    late_after: int


@dataclass(frozen=True, slots=True)
class Difference:
    """The new plan against the old one.

    Args:
        moved: Operations whose unit changes, or whose start changes by more than a minute.
        late: Orders that are late in the new plan, and were not, or not so much.
        saved: Orders that are less late than if the old plan went on.
        added: Operations that the old plan did not have.
    """

    moved: tuple[Move, ...]
    late: tuple[Shift, ...]
    saved: tuple[Shift, ...]
    added: tuple[str, ...]


TOLERANCE = 1
"""Minutes of start that nobody on the floor calls a change."""


def difference(problem: Problem, kept: Schedule, new: Schedule) -> Difference:
    """Compare a new plan with the published places and with the old sequences kept on.

    Args:
        kept: The old sequences on the plant as it is now, from the decoder.
    """
    moved, added = [], []
    for operation in problem.operations:
        row, old = new.by_operation[operation.id], operation.published
        if operation.started:
            continue
        if old is None:
            added.append(operation.id)
        elif row.unit != old.unit or abs(row.start - old.start) > TOLERANCE:
            moved.append(Move(operation.id, old.unit, row.unit, old.start, row.start))
    shifts = _shifts(problem, kept, new)
    late = tuple(s for s in shifts if s.late_after > s.late_before)
    saved = tuple(s for s in shifts if s.late_after < s.late_before)
    return Difference(tuple(moved), late, saved, tuple(added))


def _shifts(problem: Problem, kept: Schedule, new: Schedule) -> list[Shift]:
    before, after = order_ends(problem, kept), order_ends(problem, new)
    return [
        Shift(
            order.id,
            before[order.id],
            after[order.id],
            max(0, before[order.id] - order.due),
            max(0, after[order.id] - order.due),
        )
        for order in problem.orders
        if order.id in before and before[order.id] != after[order.id]
    ]
