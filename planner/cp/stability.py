"""People have read the published plan: changing it costs."""

from __future__ import annotations

from planner.cp.model import PlanModel
from planner.problem import Operation, Published
from planner.schedule import Schedule


def add(model: PlanModel) -> None:
    """Charge each change of unit, and each shift of a start up to a cap."""
    for operation in model.problem.operations:
        if operation.published and not operation.started:
            _add_unit(model, operation, operation.published)
            _add_shift(model, operation, operation.published)


def _add_unit(model: PlanModel, operation: Operation, published: Published) -> None:
    name = operation.id
    moved = model.flag(lambda plan: plan.by_operation[name].unit != published.unit)
    model.cost(model.problem.weights.moved, moved)
    if any(mode.unit == published.unit for mode in model.modes[name]):
        model.cp.add(model.on(name, published.unit) + moved == 1)
    else:
        model.cp.add(moved == 1)


def _add_shift(model: PlanModel, operation: Operation, published: Published) -> None:
    cap = model.problem.weights.shift_cap
    name, start = operation.id, model.starts[operation.id]

    def shift_of(plan: Schedule) -> int:
        return min(cap, abs(plan.by_operation[name].start - published.start))

    shift = model.number(0, cap, shift_of)
    far = model.flag(lambda plan: abs(plan.by_operation[name].start - published.start) > cap)
    model.cp.add(shift == cap).only_enforce_if(far)
    model.cp.add(shift >= start - published.start).only_enforce_if(~far)
    model.cp.add(shift >= published.start - start).only_enforce_if(~far)
    model.cost(model.problem.weights.shift, shift)
