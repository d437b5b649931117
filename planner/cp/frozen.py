"""Held work keeps its unit and its published order; frozen work also goes before the rest."""

from __future__ import annotations

from itertools import pairwise

from planner.cp.model import PlanModel
from planner.problem import Operation


def add(model: PlanModel) -> None:
    """Chain what is held on every unit, and put the free operations behind the frozen ones."""
    for after, held_before in model.problem.kept_order.items():
        for before in held_before:
            model.cp.add(model.starts[after] >= model.ends[before])
    held: dict[str, list[tuple[int, str]]] = {}
    for operation in model.problem.operations:
        place = operation.published
        if _is_held(operation) and place and place.unit not in model.problem.subcontractors:
            held.setdefault(place.unit, []).append((place.start, operation.id))
    for unit, rows in held.items():
        names = [name for _, name in sorted(rows)]
        is_batched = model.problem.unit_by_id[unit].places is not None
        freed = model.starts if is_batched else model.ends  # behind it, or in one batch with it
        for one, two in pairwise(names):
            model.cp.add(model.starts[two] >= freed[one])
        for operation in model.candidates(unit):
            if not (_is_held(operation) or operation.started or operation.lock):
                behind = model.cp.add(model.starts[operation.id] >= freed[names[-1]])
                behind.only_enforce_if(model.on(operation.id, unit))


def _is_held(operation: Operation) -> bool:
    return operation.frozen and not operation.started and not operation.lock
