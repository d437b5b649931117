"""A scenario's plan beside the plan in force: figures side by side, and what is different, as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from planner.difference import difference
from planner.document import Clock
from planner.form import schedule_from_json
from planner.objective import order_ends
from planner.problem import Problem
from planner.replan import as_read
from planner.schedule import Schedule


@dataclass(frozen=True)
class Side:
    """One of the two plans: the problem that it answers, and what the solver said of it."""

    problem: Problem
    report: Mapping[str, Any]

    @property
    def schedule(self) -> Schedule:
        return schedule_from_json(self.report["schedule"])


def comparison(before: Side, after: Side) -> dict[str, Any]:
    """Compare a scenario's plan with the plan in force.

    Args:
        before: The plan in force on the plant as it was copied.
        after: The scenario's plan on the changed plant.
    """
    old, new = before.schedule, after.schedule
    causes = _causes(before.report), _causes(after.report)
    orders = {o.id for o in before.problem.orders}, {o.id for o in after.problem.orders}
    shifts = list(_shifts(before, old, after, new))
    return {
        "before": _figures(before, old),
        "after": _figures(after, new),
        "moved": _moved(before, old, after, new),
        "late": [s for s in shifts if s["late_after_min"] > s["late_before_min"]],
        "saved": [s for s in shifts if s["late_after_min"] < s["late_before_min"]],
        "added": sorted(orders[1] - orders[0]),
        "removed": sorted(orders[0] - orders[1]),
        "undated": _undated(after.problem, new),
        "causes": [
            {"cause": cause, "before_min": causes[0][cause], "after_min": causes[1][cause]}
            for cause in sorted(causes[0] | causes[1])
        ],
    }


def _undated(problem: Problem, schedule: Schedule) -> list[str]:
    """The orders whose end nobody knows: no calendar reaches so far, or what they need is not on order."""
    return sorted(name for name, end in order_ends(problem, schedule).items() if end >= problem.horizon)


def _figures(side: Side, schedule: Schedule) -> dict[str, Any]:
    """What planners look at, of one plan."""
    problem, cost = side.problem, side.report["score"]
    ends = order_ends(problem, schedule)
    return {
        "orders": len(ends),
        "late_orders": cost["late"],
        "late_min": sum(max(0, end - problem.order_by_id[name].due) for name, end in ends.items()),
        "weighted_late_min": cost["tardiness"],
        "setup_min": cost["setup"],
        "flow_min": cost["flow"],
        "end": Clock(problem.origin).text(max(ends.values(), default=0)),
        "objective": cost["total"],
        "bound": side.report["bound"],
    }


def _causes(report: Mapping[str, Any]) -> Counter[str]:
    """Minutes of lateness of all orders by cause."""
    found: Counter[str] = Counter()
    for causes in report["why_late"].values():
        for cause in causes:
            found[cause["code"]] += cause["minutes"]
    return found


def _moved(before: Side, old: Schedule, after: Side, new: Schedule) -> list[dict[str, Any]]:
    """The published operations of both that change their unit, or their place in its order."""
    clock = Clock(after.problem.origin)
    both = old.by_operation.keys() & new.by_operation.keys()
    shared = _only(before.problem, both)
    if not shared.operations:
        return []
    kept = Schedule(tuple(row for row in old.assignments if row.operation in both))
    then = Schedule(tuple(row for row in new.assignments if row.operation in both))
    return [
        {
            "job_order": move.operation,
            "work_order": shared.operation_by_id[move.operation].order,
            "from": {"equipment": move.from_unit, "start": clock.text(move.from_start)},
            "to": {"equipment": move.to_unit, "start": clock.text(move.to_start)},
        }
        for move in difference(as_read(shared, kept), kept, then).moved
    ]


def _only(problem: Problem, names: set[str]) -> Problem:
    """The problem without the orders that the other side does not have."""
    rows = tuple(
        replace(o, predecessors=tuple(link for link in o.predecessors if link.operation in names))
        for o in problem.operations
        if o.id in names
    )
    orders = {o.order for o in rows}
    return replace(problem, operations=rows, orders=tuple(o for o in problem.orders if o.id in orders))


def _shifts(before: Side, old: Schedule, after: Side, new: Schedule) -> Iterator[dict[str, Any]]:
    """The orders of both whose lateness differs, each with why it is late on the worse side."""
    clock = Clock(after.problem.origin)
    ends = order_ends(before.problem, old), order_ends(after.problem, new)
    for order in after.problem.orders:
        if order.id not in ends[0] or order.id not in ends[1]:
            continue
        first, then = ends[0][order.id], ends[1][order.id]
        late = max(0, first - before.problem.order_by_id[order.id].due), max(0, then - order.due)
        worse = after if late[1] > late[0] else before
        if late[0] != late[1]:
            yield {
                "work_order": order.id,
                "end_before": clock.text(first),
                "end_after": clock.text(then),
                "late_before_min": late[0],
                "late_after_min": late[1],
                "why": [_cause(cause) for cause in worse.report["why_late"].get(order.id, ())],
            }


def _cause(cause: Mapping[str, Any]) -> dict[str, Any]:
    return {name: cause[key] for name, key in CAUSE.items()}


CAUSE = {"cause": "code", "minutes": "minutes", "subject": "subject", "by": "by"}
"""Field of the pages -> field of the planner."""
