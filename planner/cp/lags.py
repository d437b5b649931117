"""A step starts at most so long after the one before it has ended, where that is no fact already."""

from __future__ import annotations

from planner.cp.model import PlanModel
from planner.ties import is_held


def add(model: PlanModel) -> None:
    """Keep every greatest lag that a plan has to keep."""
    known = model.problem.operation_by_id
    for operation in model.problem.operations:
        for link in () if operation.started else operation.predecessors:
            if link.most is not None and not is_held(known[link.operation]):
                model.cp.add(model.starts[operation.id] <= model.ends[link.operation] + link.most)
