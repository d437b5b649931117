"""A step starts when those before it have ended, and their lag is over."""

from __future__ import annotations

from planner.cp.model import PlanModel


def add(model: PlanModel) -> None:
    """Order the steps of every route; work under way is a fact and waits for nothing."""
    for operation in model.problem.operations:
        if operation.started:
            continue
        for link in operation.predecessors:
            earliest = model.ends[link.operation] + link.lag
            model.cp.add(model.starts[operation.id] >= earliest)
