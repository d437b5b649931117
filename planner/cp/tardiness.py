"""Orders should end when they are due, and none should lie about."""

from __future__ import annotations

from planner.cp.model import PlanModel
from planner.objective import order_ends
from planner.problem import Order


def add(model: PlanModel) -> None:
    """Charge late minutes by weight, and the minutes until each order that somebody waits for is complete."""
    for order in model.problem.orders:
        names = [o.id for o in model.problem.operations if o.order == order.id]
        if names:
            _add_order(model, order, names)


def _add_order(model: PlanModel, order: Order, names: list[str]) -> None:
    problem = model.problem
    done = model.number(0, model.latest, lambda plan: order_ends(problem, plan)[order.id])
    for name in names:
        if not problem.successors[name]:
            model.cp.add(done >= model.ends[name])
    worst = max(0, model.latest - order.due)
    late = model.number(0, worst, lambda plan: max(0, order_ends(problem, plan)[order.id] - order.due))
    model.cp.add(late >= done - order.due)
    if order.kind == "work":
        model.cost(problem.weights.flow, done)
    model.cost(problem.weights.tardiness * order.weight, late)
