"""How far work under way is from the end that the plan in force has for it."""

from __future__ import annotations

from datetime import datetime, timedelta

from planner.document import Clock
from planner.problem import Operation
from planner.view import View

DRIFT_MIN = 3
"""Minutes that the floor may be away from the plan before times are corrected."""
DRIFT_SHARE = 0.1
"""And so much of what remains of a job: a long one need not end to the minute."""

MINUTE = timedelta(minutes=1)


def is_elsewhere(view: View, operation: Operation, end: datetime) -> bool:
    """Whether work under way ends at another time than the plan in force says; False where that says none."""
    told = view.ends.get(operation.id)
    return told is not None and abs(end - told) / MINUTE > _allowed(operation)


def drifts(view: View) -> dict[str, float]:
    """The jobs under way that are away from the plan in force -> by how many minutes.

    A job that is measured is away when its own pace leads to another end: what it has done since its last
    report is not taken for lost. Of others nothing is known until their end in the plan is past.
    """
    problem, paced = view.problem, view.reading.paced_ends()
    clock = Clock(problem.origin)
    found = {}
    for name, told in view.ends.items():
        if name in problem.operation_by_id:
            end = clock.at(paced[name]) if name in paced else max(told, problem.origin)
            if is_elsewhere(view, problem.operation_by_id[name], end):
                found[name] = abs(end - told) / MINUTE
    return found


def _allowed(operation: Operation) -> float:
    remains = operation.minutes_on(operation.started.unit) if operation.started else 0
    return max(DRIFT_MIN, DRIFT_SHARE * remains)
