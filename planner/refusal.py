"""A refusal of the solver as JSON: its code, and the rows that are at fault."""

from dataclasses import asdict
from typing import Any

from planner.child import SolverRefused
from planner.fault import InvalidProblem


def refusal(refused: InvalidProblem | SolverRefused) -> dict[str, Any]:
    """Return what a page shows of it."""
    if isinstance(refused, SolverRefused):
        return {"error": refused.code, "faults": refused.faults}
    return {"error": "InvalidProblem", "faults": [asdict(fault) for fault in refused.faults]}
