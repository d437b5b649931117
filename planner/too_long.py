"""Steps that no break may interrupt, and that are longer than all working time of their units.

A plan puts such a step behind the horizon, where nobody knows of a break; it is told with its name, because
nothing but a change of the plant's data brings it into a plan.
"""

from __future__ import annotations

from dataclasses import dataclass

from planner.problem import Operation, Problem


@dataclass(frozen=True, slots=True)
class TooLong:
    """A step that no break may interrupt, and that fits into no working time of its units.

    Split it, give a unit a longer shift or overtime, or let a break interrupt it (`resumable`).

    Args:
        unit: The one on which the least is missing.
        minutes: Working minutes that it takes there.
        longest: Minutes of the longest working time there that is known, its overtime with it.
    """

    operation: str
    unit: str
    minutes: int
    longest: int


def too_long(problem: Problem) -> list[TooLong]:
    """All such steps of a problem, in its order."""
    return [row for operation in problem.operations if (row := too_long_one(problem, operation))]


def too_long_one(problem: Problem, operation: Operation) -> TooLong | None:
    """What a step lacks that fits on none of its units; None where it fits, or may pause."""
    if operation.resumable or operation.started or not operation.alternatives:
        return None
    rows: list[TooLong] = []
    for alternative in operation.alternatives:
        longest = _longest(problem, alternative.unit)
        if longest is None or longest >= alternative.minutes:
            return None
        rows.append(TooLong(operation.id, alternative.unit, alternative.minutes, longest))
    return min(rows, key=lambda row: row.minutes - row.longest)


def _longest(problem: Problem, unit: str) -> int | None:
    """Minutes of a unit's longest working time; None where nobody knows, or it has none.

    A stop is no break: it is over some day. Of a time that has begun, or that the horizon cuts off, nobody
    knows how long it is; beside others that are whole it counts for what is known of it.
    """
    windows = problem.calendar_by_id[problem.unit_by_id[unit].calendar].windows
    if not any(window.start > 0 and window.end < problem.horizon for window in windows):
        return None
    return max(window.end - window.start for window in windows)
