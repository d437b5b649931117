"""Everything should be complete early, where the problem charges for that."""

from __future__ import annotations

from planner.cp.model import PlanModel
from planner.objective import order_ends


def add(model: PlanModel) -> None:
    """Charge each minute until the last order is complete."""
    problem = model.problem
    if not problem.weights.makespan:
        return
    done = model.number(0, model.latest, lambda plan: max(order_ends(problem, plan).values(), default=0))
    for operation in problem.operations:
        if not problem.successors[operation.id]:
            model.cp.add(done >= model.ends[operation.id])
    model.cost(problem.weights.makespan, done)
