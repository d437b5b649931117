"""Changing a unit from one family to another takes time, and costs."""

from __future__ import annotations

from itertools import pairwise

from planner.cp.cp_sat import cp_model
from planner.cp.model import Change, PlanModel
from planner.problem import Operation, Unit
from planner.schedule import Schedule

MOST_ARCS = 6_000
"""A circuit has an arc for each pair of operations; more than this never leaves presolve. Units
beyond it are planned without set-ups, which the decoder then adds."""

DEPOT = 0


def add(model: PlanModel) -> None:
    """Sequence the operations of every unit that has set-ups to do, or its batches."""
    arcs = 0
    for unit in model.problem.units:
        operations = model.candidates(unit.id)
        if _has_setups(model, unit, operations):
            arcs += len(operations) ** 2
            if arcs > MOST_ARCS:
                return
            _add_circuit(model, unit, operations)


def _has_setups(model: PlanModel, unit: Unit, operations: list[Operation]) -> bool:
    families = {unit.family, *(o.family for o in operations)}
    minutes = model.problem.setup_minutes
    return any(minutes(unit.id, a, b) for a in families for b in families)


def _add_circuit(model: PlanModel, unit: Unit, operations: list[Operation]) -> None:
    idle = model.flag(lambda plan: not plan.by_unit.get(unit.id))
    arcs: list[tuple[int, int, cp_model.LiteralT]] = [(DEPOT, DEPOT, idle)]
    for node, operation in enumerate(operations, start=1):
        first, last = _add_ends(model, unit, operation)
        arcs += [(DEPOT, node, first), (node, DEPOT, last)]
        arcs.append((node, node, ~model.leads(operation.id, unit.id)))
        for other, after in enumerate(operations, start=1):
            if other != node:
                arcs.append((node, other, _add_arc(model, unit, operation, after)))
    model.cp.add_circuit(arcs)


def _add_ends(model: PlanModel, unit: Unit, operation: Operation) -> tuple[cp_model.IntVar, cp_model.IntVar]:
    """The literals of "it is the first" and "it is the last on this unit"."""
    name = operation.id
    first = model.flag(lambda plan: [batch[0] for batch in model.turns(plan, unit.id)[:1]] == [name])
    last = model.flag(lambda plan: [batch[0] for batch in model.turns(plan, unit.id)[-1:]] == [name])
    minutes = model.problem.setup_minutes(unit.id, unit.family, operation.family)
    if minutes and not operation.started:
        model.cost(model.problem.weights.setup * minutes, first)
        model.cp.add(model.starts[name] >= minutes).only_enforce_if(first)
        model.changes.append(Change(unit.id, None, name, minutes, first))
    return first, last


def _add_arc(model: PlanModel, unit: Unit, before: Operation, after: Operation) -> cp_model.IntVar:
    def follows(plan: Schedule) -> bool:
        if unit.places is None:
            is_here = plan.by_operation[before.id].unit == unit.id
            return is_here and plan.behind.get(before.id) == after.id
        leaders = [batch[0] for batch in model.turns(plan, unit.id)]
        return (before.id, after.id) in pairwise(leaders)

    follow = model.flag(follows)
    minutes = model.problem.setup_minutes(unit.id, before.family, after.family)
    earliest = model.ends[before.id] + minutes
    model.cp.add(model.starts[after.id] >= earliest).only_enforce_if(follow)
    model.cost(model.problem.weights.setup * minutes, follow)
    if minutes and not after.started:  # nothing can be done before what runs
        model.changes.append(Change(unit.id, before.id, after.id, minutes, follow))
    return follow
