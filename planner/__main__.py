"""`python -m planner solve problem.json`: the planner as a command, and as a child process."""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from planner.decoder import LocksConflict
from planner.explain import Explainer
from planner.form import problem_from_json, schedule_to_json
from planner.problem import InvalidProblem, Problem
from planner.schedule import Schedule
from planner.solve import Solution, solve

REFUSED = 2
"""Exit code: the problem contradicts itself, or its locks cannot be kept."""

PR_SET_PDEATHSIG = 1


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code: 0 planned, 2 refused."""
    options = _parser().parse_args(arguments)
    if options.child:
        _die_with_parent()
    try:
        problem = problem_from_json(json.loads(_read(options.problem)))
        solution = solve(
            problem,
            options.seconds,
            options.workers,
            options.seed,
            lambda plan, cost: _progress(options, plan, cost),
        )
    except json.JSONDecodeError as error:
        return _refuse({"error": "NotJson", "faults": [{"row": options.problem, "what": str(error)}]})
    except InvalidProblem as error:
        return _refuse({"error": "InvalidProblem", "faults": [asdict(f) for f in error.faults]})
    except LocksConflict as error:
        fault = {"row": error.operation, "what": error.what, "remedy": error.remedy}
        return _refuse({"error": "LocksConflict", "faults": [fault]})
    row = {"kind": "solution", **report(problem, solution)}
    _write(sys.stdout, row, indent=None if options.child else 1)
    return 0


def report(problem: Problem, solution: Solution) -> dict[str, Any]:
    """Everything a reader of the plan wants, as JSON."""
    explainer = Explainer(problem, solution.schedule)
    why = {order.id: explainer.why_late(order.id) for order in _planned_orders(problem)}
    return {
        "solver": solution.solver,
        "rule": solution.rule,
        "status": solution.status,
        "objective": solution.score.total,
        "bound": solution.bound,
        "gap": round(solution.gap, 4),
        "dispatch_objective": solution.dispatch_objective,
        "solutions": solution.solutions,
        "score": asdict(solution.score),
        "schedule": schedule_to_json(solution.schedule),
        "why_late": {order: [asdict(c) for c in causes] for order, causes in why.items() if causes},
    }


def _planned_orders(problem: Problem) -> list[Any]:
    planned = {operation.order for operation in problem.operations}
    return [order for order in problem.orders if order.id in planned]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="planner", description=__doc__)
    command = parser.add_subparsers(required=True, metavar="command").add_parser(
        "solve", help="plan a problem and write the plan as JSON"
    )
    command.add_argument("problem", help="file of the problem in its JSON form; - reads it here")
    command.add_argument("--seconds", type=float, default=5.0, help="budget of CP-SAT (5)")
    command.add_argument("--workers", type=int, default=4, help="search strategies (4)")
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--child", action="store_true", help="one JSON line per better plan")
    return parser


def _read(source: str) -> str:
    return sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")


def _progress(options: argparse.Namespace, plan: Schedule, cost: int) -> None:
    if options.child:
        row = {"kind": "plan", "objective": cost, "schedule": schedule_to_json(plan)}
        _write(sys.stdout, row)
    else:
        sys.stderr.write(f"objective {cost}\n")


def _write(stream: IO[str], row: dict[str, Any], indent: int | None = None) -> None:
    json.dump(row, stream, indent=indent)
    stream.write("\n")
    stream.flush()


def _refuse(reply: dict[str, Any]) -> int:
    _write(sys.stdout, {"kind": "refused", **reply})
    return REFUSED


def _die_with_parent() -> None:
    """A solve that nobody waits for must not go on; it is also the least urgent work here."""
    os.nice(10)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:
            sys.exit(REFUSED)


if __name__ == "__main__":
    sys.exit(main())
