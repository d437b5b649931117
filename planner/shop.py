"""Is it a job shop? Units that are always open, routes, set-ups, and only the end of all counts."""

from __future__ import annotations

from planner.problem import Operation, Problem, Weights, Window


def is_job_shop(problem: Problem) -> bool:
    """Whether nothing but routes, units, releases and set-ups bears on the makespan, which is all that
    is charged.
    """
    open_always = (Window(0, problem.horizon),)
    return (
        only_the_end_counts(problem)
        and all(calendar.windows == open_always for calendar in problem.calendars)
        and not any(unit.stops or unit.places or unit.subcontractor for unit in problem.units)
        and not problem.buffers
        and all(map(_is_free, problem.operations))
    )


def only_the_end_counts(problem: Problem) -> bool:
    """Whether a plan that ends later always costs more."""
    weights = problem.weights
    alone = Weights(0, 0, 0, 0, weights.shift_cap, 0, weights.makespan, weights.overtime)
    return weights.makespan > 0 and weights == alone


def _is_free(operation: Operation) -> bool:
    held = operation.started or operation.lock or operation.frozen or operation.kept
    bound = any(link.sublots > 1 or link.most is not None for link in operation.predecessors)
    return not (held or bound or operation.skill or operation.tools or operation.materials)
