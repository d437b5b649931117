"""A refusal of the solver as JSON: its code, and the rows that are at fault."""

from typing import Any

from planner.child import SolverRefused
from planner.fault import InvalidProblem


def refusal(refused: InvalidProblem | SolverRefused) -> dict[str, Any]:
    """Return what a page shows of it."""
    if isinstance(refused, SolverRefused):
        return {"error": refused.code, "faults": refused.faults}
    faults = [{"row": f.row, "what": f.what, "remedy": f.remedy} for f in refused.faults]
    return {"error": "InvalidProblem", "faults": faults}
