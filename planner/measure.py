"""How moves and seconds are exchanged: what one idle core does in a second (measured)."""

from __future__ import annotations

from dataclasses import replace

from planner.effort import Effort
from planner.problem import Problem
from planner.shop import is_job_shop

MOVE_OPERATIONS_PER_SECOND = 3e8
"""Moves of the annealing in a second, times operations."""

FEWEST_COUNTED = 300
"""With fewer operations a move is not quicker."""

COUNTING = 6.0
"""How many times longer a move takes where people or tools are counted."""

ITERATION_OPERATIONS_PER_SECOND = 2.5e7
"""Moves of a chain of the tabu search in a second, times operations."""


def moves_in(seconds: float, operations: int, *, counts_people: bool) -> int:
    """Moves of one chain of the annealing."""
    rate = MOVE_OPERATIONS_PER_SECOND / (COUNTING if counts_people else 1.0)
    return int(seconds * rate / max(FEWEST_COUNTED, operations))


def iterations_in(seconds: float, operations: int) -> int:
    """Moves of one chain of the tabu search."""
    return int(seconds * ITERATION_OPERATIONS_PER_SECOND / max(1, operations))


def in_seconds(problem: Problem, effort: Effort) -> Effort:
    """An effort in moves as one in counted seconds; others stay as they are."""
    if effort.moves is None:
        return effort
    size = len(problem.operations)
    if is_job_shop(problem):
        rate = ITERATION_OPERATIONS_PER_SECOND / max(1, size)
    else:
        people = any(o.skill or o.tools for o in problem.operations)
        rate = MOVE_OPERATIONS_PER_SECOND / (COUNTING if people else 1.0) / max(FEWEST_COUNTED, size)
    return replace(effort, seconds=effort.moves / rate, clocked=False, moves=None)
