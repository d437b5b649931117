"""No more of a tool in use at once than there are."""

from __future__ import annotations

from planner.cp.counted import Run, add_limit
from planner.cp.model import PlanModel
from planner.problem import ToolUse
from planner.shared import left_free


def add(model: PlanModel) -> None:
    """Limit every tool.

    A run holds its tools over its pauses, as its interval says. That they are held from the beginning
    of its set-up is left to the decoder.
    """
    tools = left_free(model.problem, model.times).tools
    uses: dict[str, list[Run]] = {name: [] for name in tools}
    for operation in model.problem.operations:
        for use in () if operation.started else operation.tools:
            uses[use.tool] += _runs(model, operation.id, use)
    for name, runs in uses.items():
        add_limit(model, tools[name], runs)


def _runs(model: PlanModel, operation: str, use: ToolUse) -> list[Run]:
    outside = model.problem.subcontractors
    return [(mode.run, use.count) for mode in model.modes[operation] if mode.unit not in outside]
