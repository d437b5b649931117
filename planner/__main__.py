"""`python -m planner solve problem.json`: the planner as a command, and as a child process."""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from planner.decoder import LocksConflict
from planner.effort import Effort
from planner.explain import why_late
from planner.form import problem_from_json, schedule_to_json
from planner.problem import InvalidProblem, Problem
from planner.replan import replan
from planner.schedule import Schedule
from planner.solve import LEAST_OPERATIONS, Solution, solve
from planner.warm import is_warm, use_cache, warm_up, warm_up_beside

REFUSED = 2
"""Exit code: the problem contradicts itself, or its locks cannot be kept."""

PR_SET_PDEATHSIG = 1


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code: 0 planned, 2 refused."""
    options = _parser().parse_args(arguments)
    if options.run is None:
        warm_up()
        return 0
    effort = Effort(options.seconds, options.workers, options.seed)
    run: Callable[[Problem, Effort, argparse.Namespace], dict[str, Any]] = options.run
    try:
        problem = problem_from_json(json.loads(_read(options.problem)))
        reply = run(problem, replace(effort, kernel=_has_kernel(problem, options)), options)
    except json.JSONDecodeError as error:
        fault = {"row": options.problem, "what": str(error), "remedy": "Write it as JSON"}
        return _refuse("NotJson", [fault])
    except InvalidProblem as error:
        return _refuse("InvalidProblem", [asdict(fault) for fault in error.faults])
    except LocksConflict as error:
        fault = {"row": error.operation, "what": error.what, "remedy": error.remedy}
        return _refuse("LocksConflict", [fault])
    _write(reply)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="planner", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    alone = commands.add_parser("solve", help="plan a problem and write the plan as JSON")
    alone.set_defaults(run=_solve)
    again = commands.add_parser(
        "replan", help="plan again around what is published; one JSON line per answer"
    )
    again.add_argument("--move", action="store_true", help="look for a plan that moves work")
    again.add_argument("--parent", type=int, metavar="PID", help="end when this process ends")
    again.add_argument("--nice", type=int, default=0, help="give way to others by so much (0)")
    again.set_defaults(run=_replan)
    compiling = commands.add_parser("warm", help="compile the kernel, so that plans do not wait for it")
    compiling.set_defaults(run=None)
    for command in (alone, again):
        command.add_argument(
            "--kernel",
            choices=("auto", "yes", "no"),
            default="auto",
            help="the compiled kernel: as soon as it is compiled (auto), now, or never",
        )
        command.add_argument("problem", help="file of the problem in its JSON form; - reads it here")
        command.add_argument("--seconds", type=float, default=5.0, help="budget of CP-SAT (5)")
        command.add_argument("--workers", type=int, default=4, help="search strategies (4)")
        command.add_argument("--seed", type=int, default=1)
    return parser


def _has_kernel(problem: Problem, options: argparse.Namespace) -> bool:
    """Whether this solve uses the compiled kernel; compiles it beside when it has to be."""
    if options.kernel == "no" or len(problem.operations) <= LEAST_OPERATIONS:
        return False
    use_cache()
    if options.kernel == "auto" and not is_warm():
        warm_up_beside()
        return False
    return True


def _solve(problem: Problem, effort: Effort, _options: argparse.Namespace) -> dict[str, Any]:
    return report(problem, solve(problem, effort, on_better=_progress))


def _progress(_plan: Schedule, cost: int) -> None:
    sys.stderr.write(f"objective {cost}\n")


def _replan(problem: Problem, effort: Effort, options: argparse.Namespace) -> dict[str, Any]:
    os.nice(options.nice)
    if options.parent is not None:
        _die_with(options.parent)
    found = replan(
        problem,
        effort,
        consider_moving=options.move,
        on_kept=lambda kept: _write({"kind": "kept", "plan": report(problem, kept)}),
    )
    better = report(problem, found.better) if found.better else None
    changes = asdict(found.changes) if found.changes else None
    return {
        "kind": "replanned",
        "better": better,
        "changes": changes,
        "kept_objective": found.kept_objective,
        "fresh": found.fresh,
    }


def report(problem: Problem, solution: Solution) -> dict[str, Any]:
    """Everything a reader of the plan wants, as JSON."""
    why = why_late(problem, solution.schedule)
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
        "why_late": {order: [asdict(cause) for cause in rows] for order, rows in why.items()},
    }


def _read(source: str) -> str:
    return sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")


def _write(row: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


def _refuse(code: str, faults: list[dict[str, str]]) -> int:
    _write({"kind": "refused", "error": code, "faults": faults})
    return REFUSED


def _die_with(parent: int) -> None:
    """A solve that nobody waits for must not go on."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we could ask to be told
        sys.exit(REFUSED)


if __name__ == "__main__":
    sys.exit(main())
