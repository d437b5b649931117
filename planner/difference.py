"""What a new plan changes against the one in force: moved, late, saved."""

from __future__ import annotations

from bisect import bisect_left
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
        moved: Operations that change their unit, or their place in the order of their unit.
        late: Orders that are late in the new plan, and were not, or not so much.
        saved: Orders that are less late than if the old plan went on.
        added: Operations that the old plan did not have.
    """

    moved: tuple[Move, ...]
    late: tuple[Shift, ...]
    saved: tuple[Shift, ...]
    added: tuple[str, ...]


def difference(problem: Problem, kept: Schedule, new: Schedule) -> Difference:
    """Compare a new plan with the one that people have read.

    Args:
        kept: The published sequences on the plant as it is now: same units, same order.
    """
    published = [o.id for o in problem.operations if o.published and not o.started]
    changed = _changed(problem, set(published), kept, new)
    moved = tuple(_move(name, kept, new) for name in published if name in changed)
    added = tuple(o.id for o in problem.operations if not o.published and not o.started)
    shifts = _shifts(problem, kept, new)
    late = tuple(s for s in shifts if s.late_after > s.late_before)
    saved = tuple(s for s in shifts if s.late_after < s.late_before)
    return Difference(moved, late, saved, added)


def _move(name: str, kept: Schedule, new: Schedule) -> Move:
    old, row = kept.by_operation[name], new.by_operation[name]
    return Move(name, old.unit, row.unit, old.start, row.start)


def _changed(problem: Problem, published: set[str], kept: Schedule, new: Schedule) -> set[str]:
    """Published operations that are elsewhere, or jumped the queue of their unit.

    Of those that stay on a unit, a longest part that keeps its order counts as unmoved; a subcontractor
    has no queue.
    """
    still: set[str] = set()
    for unit, rows in new.by_unit.items():
        before = kept.by_unit.get(unit, ())
        rank = {a.operation: i for i, a in enumerate(before) if a.operation in published}
        stayed = [a.operation for a in rows if a.operation in rank]
        if unit in problem.subcontractors:
            still.update(stayed)
            continue
        still.update(stayed[i] for i in _longest_rising([rank[name] for name in stayed]))
    return published - still


def _longest_rising(values: list[int]) -> list[int]:
    """The positions of a longest rising subsequence."""
    tops: list[int] = []  # position of the least last value of each length
    before: list[int] = []
    for position, value in enumerate(values):
        length = bisect_left([values[top] for top in tops], value)
        before.append(tops[length - 1] if length else -1)
        tops[length:] = [position, *tops[length + 1 :]]
    found: list[int] = []
    position = tops[-1] if tops else -1
    while position >= 0:
        found.append(position)
        position = before[position]
    return found[::-1]


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
