"""What a new plan changes against the one in force: moved, late, saved, and by which cause."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace

from planner.explain import Cause, Explainer
from planner.objective import order_ends
from planner.problem import Problem, Published
from planner.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Move:
    """An operation that changes its unit, or its place in the order there; minutes of the new plan.

    Args:
        from_start: When its run begins in the plan that people have read; in `replan`, in the one that moves
            nobody.
        to_start: When it begins in the new plan.
        cause: What its own order is saved from; else the order that has its place now, or the set-up that
            is saved. Its minutes are those of the order, 0 where that is not saved.
    """

    operation: str
    from_unit: str
    to_unit: str
    from_start: int
    to_start: int
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Shift:
    """An order that ends at another time than it would without the new plan.

    Args:
        before: Its end with the old sequences on the plant as it is now.
        late_before: Minutes late then; 0 when in time.
        cause: What takes most more of its minutes in the new plan; of an order that is saved, less.
    """

    order: str
    before: int
    after: int
    late_before: int
    late_after: int
    cause: Cause | None = None


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
        problem: Where its operations are published is what people have read.
        kept: What the plan in force comes to on the plant as it is now, without the new plan.
    """
    published = {o.id: o.published for o in problem.operations if o.published and not o.started}
    changed = _changed(problem, published, new)
    moved = tuple(_move(name, place, new) for name, place in published.items() if name in changed)
    added = tuple(o.id for o in problem.operations if not o.published and not o.started)
    shifts = _shifts(problem, kept, new)
    late = tuple(s for s in shifts if s.late_after > s.late_before)
    saved = tuple(s for s in shifts if s.late_after < s.late_before)
    return Difference(moved, late, saved, added)


def moved_by_itself(problem: Problem, plan: Schedule) -> Difference:
    """What the plan in force comes to on the plant as it is now, against what people have read."""
    changes = difference(problem, plan, plan)
    moved = tuple(replace(move, cause=_why_moved(move, problem, plan, plan, {})) for move in changes.moved)
    return replace(changes, moved=moved)


def by_cause(changes: Difference, problem: Problem, kept: Schedule, new: Schedule) -> Difference:
    """The difference of two plans with its causes. Computes for a while."""
    before, after = Explainer(problem, kept), Explainer(problem, new)

    def told(shift: Shift) -> Shift:
        old, now = before.why_late(shift.order), after.why_late(shift.order)
        more, less = (now, old) if shift.late_after > shift.late_before else (old, now)
        return replace(shift, cause=_most(more, less))

    late, saved = tuple(map(told, changes.late)), tuple(map(told, changes.saved))
    gains = {shift.order: shift.cause for shift in saved}
    moved = tuple(replace(move, cause=_why_moved(move, problem, kept, new, gains)) for move in changes.moved)
    return replace(changes, moved=moved, late=late, saved=saved)


def _most(more: tuple[Cause, ...], less: tuple[Cause, ...]) -> Cause:
    """The cause that takes most more minutes of lateness, with these."""
    there = {(cause.code, cause.subject, cause.by): cause.minutes for cause in less}
    grown = (
        replace(cause, minutes=cause.minutes - there.get((cause.code, cause.subject, cause.by), 0))
        for cause in more
    )
    return max(grown, key=lambda cause: cause.minutes)


def _why_moved(
    move: Move, problem: Problem, kept: Schedule, new: Schedule, gains: dict[str, Cause | None]
) -> Cause | None:
    order = problem.operation_by_id[move.operation].order
    if order in gains:
        return gains[order]
    old, now = kept.by_operation[move.operation], new.by_operation[move.operation]
    end = move.from_start + old.end - old.start
    for row in new.by_unit.get(move.from_unit, ()):
        other = problem.operation_by_id[row.operation].order
        if other != order and row.setup_start < end and move.from_start < row.end:
            return Cause("unit", 0, move.from_unit, other)
    stops = next((unit.stops for unit in problem.units if unit.id == move.from_unit), ())
    if any(stop.start < end and move.from_start < stop.end for stop in stops):
        return Cause("stop", 0, move.from_unit)
    return Cause("setup" if now.setup < old.setup else "sequence", 0, now.unit)


def _move(name: str, place: Published, new: Schedule) -> Move:
    row = new.by_operation[name]
    return Move(name, place.unit, row.unit, place.start, row.start)


def _changed(problem: Problem, published: Mapping[str, Published], new: Schedule) -> set[str]:
    """Published operations that are elsewhere, or jumped the queue of their unit.

    Of those that stay on a unit, a longest part that keeps its order counts as unmoved; a subcontractor
    has no queue.
    """
    still: set[str] = set()
    for unit, rows in new.by_unit.items():
        stayed = [a for a in rows if a.operation in published and published[a.operation].unit == unit]
        if unit in problem.subcontractors:
            still.update(a.operation for a in stayed)
            continue
        stayed.sort(key=lambda a: (a.start, published[a.operation].start))  # in a batch nobody is first
        before = [published[a.operation].start for a in stayed]
        still.update(stayed[i].operation for i in _longest_rising(before))
    return published.keys() - still


def _longest_rising(values: list[int]) -> list[int]:
    """The positions of a longest subsequence that never falls."""
    tops: list[int] = []  # position of the least last value of each length
    before: list[int] = []
    for position, value in enumerate(values):
        length = bisect_right([values[top] for top in tops], value)
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
