"""No more in a buffer than there are places."""

from __future__ import annotations

from planner.buffers import Flows, Stay
from planner.cp.cp_sat import cp_model
from planner.cp.model import PlanModel


def add(model: PlanModel) -> None:
    """Limit every buffer.

    A place is held from the run of the step before to that of the step behind. That it is held from the
    set-up on is left to the decoder, and so is what work under way has beyond the places there are.
    """
    flows = Flows(model.problem)
    for buffer, stays in flows.stays.items():
        places = max(flows.places[buffer], flows.facts[buffer])
        if len(stays) > places:
            held = [_interval(model, stay) for stay in stays]
            model.cp.add_cumulative(held, [1] * len(held), places)


def _interval(model: PlanModel, stay: Stay) -> cp_model.IntervalVar:
    """From when to when a place is held."""
    name, after = stay.before, stay.after
    until = model.starts[after]
    if name is None or model.problem.operation_by_id[name].started:
        return model.cp.new_interval_var(0, until, until, "")
    since = model.starts[name]
    size = model.number(
        0, model.latest, lambda plan: plan.by_operation[after].start - plan.by_operation[name].start
    )
    return model.cp.new_interval_var(since, size, until, "")
