"""Steps for which nobody is expected: their skill is one that nobody has, or is there for.

A plan puts such a step behind the horizon; it is told with the skill's name, because a slip in that name
looks the same as a vacancy.
"""

from __future__ import annotations

from dataclasses import dataclass

from planner.problem import Operation, Problem


@dataclass(frozen=True, slots=True)
class Unmanned:
    """A step that waits for somebody who has its skill, whom nobody expects before the horizon.

    Correct the skill's name, give it to somebody, or say when he comes.
    """

    operation: str
    skill: str


def unmanned(problem: Problem) -> list[Unmanned]:
    """All such steps of a problem, in its order; not those that run already."""
    # asked once for all steps: who has stopped a search waits for this
    there = {skill for crew in problem.crews if crew.windows for skill in crew.skills}
    rows = [o for o in problem.operations if o.skill and o.skill not in there and not o.started]
    return [row for operation in rows if (row := unmanned_one(problem, operation))]


def unmanned_one(problem: Problem, operation: Operation, since: int = 0) -> Unmanned | None:
    """What a step lacks for which nobody is there after the minute `since`; None where somebody is.

    A subcontractor brings his own people.
    """
    skill, outside = operation.skill, problem.subcontractors
    if skill is None or any(one.unit in outside for one in operation.alternatives):
        return None
    crews = [crew for crew in problem.crews if skill in crew.skills]
    if any(window.end > since for crew in crews for window in crew.windows):
        return None
    return Unmanned(operation.id, skill)
