"""A step starts when those before it have ended, or have made what it gets first, and their lag is over."""

from __future__ import annotations

from planner.cp.cp_sat import cp_model
from planner.cp.model import PlanModel
from planner.problem import Link


def add(model: PlanModel) -> None:
    """Order the steps of every route; work under way is a fact and waits for nothing."""
    for operation in model.problem.operations:
        if operation.started:
            continue
        for link in operation.predecessors:
            if link.sublots > 1:
                _overlap(model, operation.id, link)
                continue
            earliest = model.ends[link.operation] + link.lag
            model.cp.add(model.starts[operation.id] >= earliest)


def _overlap(model: PlanModel, operation: str, link: Link) -> None:
    """The first sub-lot is made before the start, and the last one before its share at the end.

    Breaks within a sub-lot are left to the decoder.
    """
    first = model.starts[link.operation] + _share(model, link.operation, link)
    model.cp.add(model.starts[operation] >= first + link.lag)
    last = model.ends[link.operation] + _share(model, operation, link)
    model.cp.add(model.ends[operation] >= last + link.lag)


def _share(model: PlanModel, operation: str, link: Link) -> cp_model.LinearExpr:
    """Working minutes of one sub-lot on the unit that is chosen."""
    modes = model.modes[operation]
    shares = [link.share(mode.minutes) for mode in modes]
    return cp_model.LinearExpr.weighted_sum([mode.chosen for mode in modes], shares)
