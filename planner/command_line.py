"""The words of `python -m planner` and what they do: the planner as a command, and as a child process."""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from planner.decoder.locks import LocksConflict
from planner.effort import Effort
from planner.explain import reasons
from planner.fault import Fault, InvalidProblem
from planner.form import Json, problem_from_json, schedule_to_json
from planner.named import Named, suggested
from planner.options import add_effort, effort_of
from planner.pace import paces_from_json
from planner.problem import Problem
from planner.progress import Progress, Stop, stopped_by_signals
from planner.readers import FORMATS
from planner.replan import as_published, replan
from planner.schedule import Schedule
from planner.solve import Solution, solve, wants_kernel
from planner.ties import excesses
from planner.too_long import too_long
from planner.unmanned import unmanned
from planner.warm import is_installed, is_warm, use_cache, warm_up

REFUSED = 2
"""Exit code: the problem contradicts itself, or its locks cannot be kept."""

NOT_WRITTEN = 74
"""Exit code: the answer cannot be written. Source: `EX_IOERR` of sysexits.h."""

MOST_INTERPRETED = 300
"""Operations of a plan that is lived through in seconds without the compiled kernel."""

OBJECTS_OF_A_PLAN = 200_000
"""Objects that are made between two collections: those of a plan all stay while it is written."""

PR_SET_PDEATHSIG = 1


class NotWritten(OSError):
    """Nobody takes the answer: standard output is closed, full, or read no more."""


def run(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code: 0 a plan is written, 2 refused, 74 it cannot be written."""
    options = command_line().parse_args(arguments)
    act: Callable[[argparse.Namespace], int] = options.run
    try:
        if sys.stdout is None:
            raise NotWritten("it is closed")  # before hours of search, not after them
        return act(options)
    except NotWritten as error:
        what, remedy = f"cannot be written ({error})", "Send it to a file with room"
        faults = [{"row": "standard output", "what": what, "remedy": remedy}]
        _say({"kind": "refused", "error": "NotWritten", "faults": faults})
        return NOT_WRITTEN


def command_line() -> argparse.ArgumentParser:
    """All commands and their words."""
    parser = argparse.ArgumentParser(prog="planner", description="Plan a problem, and answer as JSON.")
    commands = parser.add_subparsers(required=True, metavar="command")
    alone = commands.add_parser("solve", help="plan a problem and write the plan as JSON")
    alone.set_defaults(run=_plan, answer=_solve, parent=None, nice=0)
    again = commands.add_parser(
        "replan", help="plan again around what is published; one JSON line per answer"
    )
    again.add_argument("--move", action="store_true", help="look for a plan that moves work")
    again.set_defaults(run=_plan, answer=_replan)
    trial = commands.add_parser("bench", help="plan published instances; one JSON line for each")
    trial.set_defaults(run=_bench)
    _bench_options(trial)
    sure = commands.add_parser(
        "delays", help="read a problem and the pace of its floor; write by how much orders are late"
    )
    sure.set_defaults(run=_delays)
    compiling = commands.add_parser("warm", help="compile the kernel, so that plans do not wait for it")
    compiling.set_defaults(run=_warm)
    form = commands.add_parser("schema", help="write the JSON Schema of problems and answers")
    form.set_defaults(run=_schema)
    for command in (again, sure, compiling):
        command.add_argument("--parent", type=int, metavar="PID", help="end when this process ends")
        command.add_argument("--nice", type=int, default=0, help="give way to others by so much (0)")
    for command, kernel in ((alone, "yes"), (again, "auto")):
        _solver_options(command, kernel)
    return parser


def _solver_options(command: argparse.ArgumentParser, kernel: str) -> None:
    command.add_argument("problem", help="file of the problem; - reads it here")
    command.add_argument("--format", choices=("json", *FORMATS), default="json", help="how it is written")
    add_effort(command, "--seconds 5")
    command.add_argument(
        "--kernel",
        choices=("auto", "yes", "no"),
        default=kernel,
        help=f"the compiled kernel: if it is compiled (auto), now (yes), or never; here {kernel}",
    )


def _bench_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", type=Path, help=f"holds folders {', '.join(FORMATS)}, or such files")
    command.add_argument("--format", choices=tuple(FORMATS), help="of the files, when there are no folders")
    command.add_argument("--only", default="*", metavar="PATTERN", help="names of instances, as mk*")
    add_effort(command, "--cpu-seconds 10, for each instance")


def _plan(options: argparse.Namespace) -> int:
    os.nice(options.nice)
    if options.parent is not None:
        _die_with(options.parent)
    effort = effort_of(options, Effort(seconds=5.0))
    answer: Callable[[Problem, Effort, argparse.Namespace, Stop], dict[str, Any]] = options.answer
    try:
        problem = _problem(options)
        effort = replace(effort, kernel=_has_kernel(problem, options.kernel))
        collect_seldom()
        with stopped_by_signals() as stop:
            _write(answer(problem, effort, options, stop))
    except json.JSONDecodeError as error:
        fault = {"row": options.problem, "what": str(error), "remedy": "Write it as JSON"}
        return _refuse("NotJson", [fault])
    except InvalidProblem as error:
        return _refuse("InvalidProblem", [asdict(fault) for fault in error.faults])
    except LocksConflict as error:
        fault = {"row": error.operation, "what": error.what, "remedy": error.remedy}
        why = asdict(error.contradiction) if error.contradiction else {}
        return _refuse("LocksConflict", [fault | why])
    return 0


def collect_seldom() -> None:
    """What is there now stays until this process ends: no collection need look at it again."""
    gc.freeze()
    gc.set_threshold(OBJECTS_OF_A_PLAN)


def _problem(options: argparse.Namespace) -> Problem:
    try:
        text = _read(options.problem)
    except (OSError, UnicodeDecodeError) as error:
        fault = Fault(options.problem, f"cannot be read ({error})", "Name a file of UTF-8 text")
        raise InvalidProblem([fault]) from None
    if options.format == "json":
        return problem_from_json(_parsed(text))
    return FORMATS[options.format](text)


def _parsed(text: str) -> Json:
    try:
        return json.loads(text, object_pairs_hook=_members, parse_int=_whole)
    except RecursionError:
        raise InvalidProblem([Fault("problem", "is nested too deeply", "See the form in the docs")]) from None


MOST_DIGITS = 40
"""Of a whole number; those beyond cannot be told apart from a slip, and Python refuses to read thousands."""


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        what = f"has a number of {len(digits)} digits"
        raise InvalidProblem([Fault("problem", what, f"Give at most {MOST_DIGITS} digits")])
    return int(digits)


def _members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """One object; what is written twice would hide what was written first."""
    row = dict(pairs)
    if len(row) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        where = str(row.get("id", "problem"))
        raise InvalidProblem([Fault(where, f"has the field {twice} twice", "Keep the one that holds")])
    return row


def _has_kernel(problem: Problem, wish: str) -> bool:
    """Whether this solve uses the compiled kernel; compiles it when the wish says so."""
    if wish == "no" or not (wants_kernel(problem) and is_installed()):
        return False
    if wish == "auto" and not is_warm():
        return False
    _warm_up()
    return True


def _warm_up() -> None:
    use_cache()
    if not is_warm():
        _say({"kind": "compiling", "what": "the kernel, once: about half a minute of CPU"})
        warm_up()


def _warm(options: argparse.Namespace) -> int:
    os.nice(options.nice)
    if options.parent is not None:
        _die_with(options.parent)
    warm_up()
    return 0


def _schema(_options: argparse.Namespace) -> int:
    from planner.schema import schema

    _write(schema(), indent=1)
    return 0


def _delays(options: argparse.Namespace) -> int:
    """Live through the plan of a problem read here; null where the kernel is not there for one so large."""
    os.nice(options.nice)
    if options.parent is not None:
        _die_with(options.parent)
    asked = json.loads(sys.stdin.read())
    problem, paces = problem_from_json(asked["problem"]), paces_from_json(asked["paces"])
    if is_installed() and is_warm():
        use_cache()
    elif len(problem.operations) <= MOST_INTERPRETED:
        os.environ["NUMBA_DISABLE_JIT"] = "1"
    else:
        _write({"delays": None})
        return 0
    from planner.confidence import learn

    found = learn(problem, as_published(problem), paces)
    _write({"delays": {"until": found.until, "minutes": found.minutes}})
    return 0


def _bench(options: argparse.Namespace) -> int:
    if not is_installed():
        fault = {"row": "numba", "what": "is not installed", "remedy": "Install it with pip"}
        return _refuse("NoKernel", [fault])
    from planner.bench import Unread, as_row, bench, instances

    rows = [row for row in instances(options.folder, options.format) if fnmatch(row.name, options.only)]
    if not rows:
        fault = {"row": str(options.folder), "what": "no instance is there", "remedy": "Name its folder"}
        return _refuse("NoInstance", [fault])
    _warm_up()
    is_whole = True
    for result in bench(rows, effort_of(options, Effort(seconds=10.0, kernel=True, clocked=True))):
        _write(as_row(result))
        is_whole = is_whole and not isinstance(result, Unread)
    return 0 if is_whole else REFUSED


def _solve(problem: Problem, effort: Effort, _options: argparse.Namespace, stop: Stop) -> dict[str, Any]:
    found = solve(problem, effort, on_better=_tell, stop=stop)
    return report(problem, found, explain=not stop())


def _tell(progress: Progress) -> None:
    _say({"kind": "progress", **asdict(progress)})


def _say(row: dict[str, Any]) -> None:
    """A line beside the answer, on standard error; no answer is lost because nobody takes that."""
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.write(json.dumps(row) + "\n")
            sys.stderr.flush()


def _replan(problem: Problem, effort: Effort, options: argparse.Namespace, stop: Stop) -> dict[str, Any]:
    found = replan(
        problem,
        effort,
        consider_moving=options.move,
        on_repaired=lambda plan: _write({"kind": "repaired", "plan": report(problem, plan, explain=False)}),
        on_kept=lambda kept: _write({"kind": "kept", "plan": report(problem, kept, explain=not stop())}),
        on_better=lambda progress: _write({"kind": "progress", **asdict(progress)}),
        stop=stop,
    )
    better = report(problem, found.better, explain=not stop()) if found.better else None
    changes = asdict(found.changes) if found.changes else None
    return {
        "kind": "replanned",
        "better": better,
        "changes": changes,
        "kept_objective": found.kept_objective,
        "fresh": found.fresh,
    }


def _named(problem: Problem, schedule: Schedule, *, is_searched: bool) -> tuple[Named, ...]:
    if not is_searched or not any(crew.people for crew in problem.crews):
        return suggested(problem, schedule)
    from planner.cp.assignment import named

    return named(problem, schedule)


def report(problem: Problem, solution: Solution, *, explain: bool = True) -> dict[str, Any]:
    """Everything a reader of the plan wants, as JSON.

    Args:
        explain: With the causes of lateness, which take longer than the rest: who stopped a search waits.
    """
    why = {"why_late": reasons(problem, solution.schedule)} if explain else {}
    return {
        "solver": solution.solver,
        "rule": solution.rule,
        "status": solution.status,
        "objective": solution.score.total,
        "bound": solution.bound,
        "gap": _rounded(solution.gap),
        "dispatch_objective": solution.dispatch_objective,
        "cp": None if solution.cp is None else asdict(solution.cp) | {"share": _rounded(solution.cp_share)},
        "score": asdict(solution.score),
        "released": [asdict(row) for row in solution.released],
        "named": [asdict(row) for row in _named(problem, solution.schedule, is_searched=explain)],
        "schedule": schedule_to_json(solution.schedule),
        "excesses": [asdict(row) for row in excesses(problem.operations, solution.schedule)],
        "too_long": [asdict(row) for row in too_long(problem)],
        "unmanned": [asdict(row) for row in unmanned(problem)],
        **why,
    }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _read(source: str) -> str:
    if source == "-" and sys.stdin is None:
        raise OSError("standard input is closed")
    text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    return text.removeprefix("\ufeff")  # the byte order mark that some editors write first


def _write(row: dict[str, Any], indent: int | None = None) -> None:
    """The answer, or a line of it.

    Raises:
        NotWritten: Nobody takes it; what is left of it in the buffer is given up.
    """
    try:
        sys.stdout.write(json.dumps(row, indent=indent) + "\n")
        sys.stdout.flush()
    except OSError as error:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())  # Python writes the rest when it ends
        raise NotWritten(error.strerror) from None


def _refuse(code: str, faults: list[dict[str, Any]]) -> int:
    _write({"kind": "refused", "error": code, "faults": faults})
    return REFUSED


def _die_with(parent: int) -> None:
    """A solve that nobody waits for must not go on."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we could ask to be told
        sys.exit(REFUSED)
