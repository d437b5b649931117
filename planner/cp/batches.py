"""A unit with places takes several operations at once: all of a batch start together, from one recipe.

Each batch is a slot named by its first operation in the order of rows; the others ride in it.
"""

from __future__ import annotations

from itertools import combinations

from planner.cp.cp_sat import cp_model
from planner.cp.model import PlanModel
from planner.problem import Operation, Unit

MOST_PAIRS = 6_000
"""Pairs that may share a batch; units beyond it are planned by places alone, the decoder does the rest."""

Pair = tuple[Operation, Operation]


def add(model: PlanModel) -> None:
    """Let every operation on a unit with places lead a batch or ride in one, as far as there are places."""
    count = 0
    for unit in model.problem.units:
        if unit.places is not None:
            operations = model.candidates(unit.id)
            _add_places(model, unit, unit.places, operations)
            pairs = [pair for pair in combinations(operations, 2) if _is_alike(model, unit.id, *pair)]
            count += len(pairs)
            if count <= MOST_PAIRS:
                _add_slots(model, unit, unit.places, pairs)


def _is_alike(model: PlanModel, unit: str, one: Operation, other: Operation) -> bool:
    recipe = model.problem.recipe
    return one.may_share(other) and recipe(one, unit) == recipe(other, unit)


def _add_places(model: PlanModel, unit: Unit, places: int, operations: list[Operation]) -> None:
    modes = [(m, o.places) for o in operations for m in model.modes[o.id] if m.unit == unit.id]
    model.cp.add_cumulative([mode.interval for mode, _ in modes], [count for _, count in modes], places)


def _add_slots(model: PlanModel, unit: Unit, places: int, pairs: list[Pair]) -> None:
    rides: dict[str, list[cp_model.IntVar]] = {}
    loads: dict[str, list[tuple[cp_model.IntVar, int]]] = {}
    for leader, rider in pairs:
        with_it = _add_ride(model, unit, leader.id, rider.id)
        rides.setdefault(rider.id, []).append(with_it)
        loads.setdefault(leader.id, []).append((with_it, rider.places))
    for operation in model.candidates(unit.id):
        name = operation.id
        model.cp.add(
            cp_model.LinearExpr.sum([model.leads(name, unit.id), *rides.get(name, [])])
            == model.on(name, unit.id)
        )
        if name in loads:
            load = cp_model.LinearExpr.weighted_sum(
                [literal for literal, _ in loads[name]], [count for _, count in loads[name]]
            )
            model.cp.add(load <= places - operation.places)


def _add_ride(model: PlanModel, unit: Unit, leader: str, rider: str) -> cp_model.IntVar:
    """The literal of "`rider` is in the batch that `leader` names"."""
    ride = model.flag(lambda plan: model.is_together(plan, unit.id, leader, rider))
    model.cp.add_implication(ride, model.leads(leader, unit.id))
    model.cp.add(model.starts[rider] == model.starts[leader]).only_enforce_if(ride)
    return ride
