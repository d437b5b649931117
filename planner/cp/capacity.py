"""A unit does one thing at a time, or one batch; a subcontractor any number of things."""

from __future__ import annotations

from planner.cp.model import PlanModel


def add(model: PlanModel) -> None:
    """Forbid overlap on every unit of ours."""
    for unit in model.problem.units:
        if unit.subcontractor:
            continue
        modes = [m for rows in model.modes.values() for m in rows if m.unit == unit.id]
        model.cp.add_no_overlap(mode.run for mode in modes)
