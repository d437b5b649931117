"""No more runs at once than there are people who can do them."""

from __future__ import annotations

from planner.cp.counted import add_limit
from planner.cp.model import PlanModel
from planner.shared import left_free


def add(model: PlanModel) -> None:
    """Limit every union of skills that share people.

    A run that pauses frees its people meanwhile, which an interval cannot say; such runs are
    left to the decoder, so that the bound stays valid. A batch needs one person, a subcontractor none.
    """
    people = left_free(model.problem, model.times).people
    for union, counter in people.counters.items():
        runs = [
            (mode.run, 1)
            for operation in model.problem.operations
            if operation.skill in union and not operation.started
            for mode in model.modes[operation.id]
            if not mode.pause and mode.unit not in model.problem.subcontractors
        ]
        add_limit(model, counter, runs)
