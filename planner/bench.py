"""Published instances planned as `solve` plans them, checked and compared with the best that is known."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from planner.effort import Effort
from planner.fault import Fault, InvalidProblem
from planner.problem import Problem
from planner.readers import FORMATS
from planner.solve import solve, wants_kernel

BEST_KNOWN = "best_known.csv"
"""Beside the instances or their folders: a column `instance` (`mk01`, or `fjsp/mk01`), and `best` or `ub`; a
column `problem` names the format where names alone say too little."""

NO_INSTANCES = frozenset({".csv", ".json", ".md", ".pdf", ".zip"})
"""How the names of files end that stand beside instances and are none."""


@dataclass(frozen=True)
class Instance:
    """A file in a format.

    Args:
        format: A name in `planner.readers.FORMATS`.
        best_known: The best makespan that anyone has published, if it is known.
    """

    path: Path
    format: str
    best_known: int | None = None

    @property
    def name(self) -> str:
        return self.path.stem

    @cached_property
    def problem(self) -> Problem:
        """What is to be planned.

        Raises:
            InvalidProblem: The file cannot be read, or is not what its format says; names it.
        """
        try:
            return FORMATS[self.format](self.path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            fault = Fault(str(self.path), f"cannot be read ({error})", "Name a file of UTF-8 text")
            raise InvalidProblem([fault]) from None
        except InvalidProblem as error:
            faults = [replace(fault, row=f"{self.path}: {fault.row}") for fault in error.faults]
            raise InvalidProblem(faults) from None


@dataclass(frozen=True)
class Result:
    """A checked plan of an instance, in figures.

    Args:
        first: Makespan of the best dispatch rule, before the search.
        gap: Share by which the makespan exceeds the best that is known.
        bound: No plan is shorter.
        solver: Who made the sequences.
        status: "optimal" where no plan is shorter; the search ended there.
        cp_gain: By how much CP-SAT has shortened the plan; None where it was not asked.
        cpu_s: CPU seconds of all, from the read problem to the checked plan.
    """

    instance: str
    format: str
    operations: int
    seed: int
    first: int
    makespan: int
    best_known: int | None
    gap: float | None
    bound: int
    solver: str
    status: str
    cp_gain: int | None
    cpu_s: float


@dataclass(frozen=True)
class Unread:
    """A file that is no instance of its format: the next is tried."""

    instance: str
    faults: tuple[Fault, ...]


def instances(folder: Path, only: str | None = None) -> list[Instance]:
    """The instances of a folder, in the order of their names.

    Args:
        folder: Holds a folder for each format; or, with `only`, files of that format.
    """
    folders = {only: folder} if only else {name: folder / name for name in FORMATS}
    found = []
    for name, place in folders.items():
        known = _best_known(folder / BEST_KNOWN) | _best_known(place / BEST_KNOWN)
        files = sorted(place.iterdir()) if place.is_dir() else []
        for file in files:
            if file.is_file() and not file.name.startswith(".") and file.suffix not in NO_INSTANCES:
                best = known.get(f"{name}/{file.stem}", known.get(file.stem))
                found.append(Instance(file, name, best))
    return found


def _best_known(file: Path) -> dict[str, int]:
    """Names as they are written, and behind their format where a column says it -> the best makespan."""
    if not file.is_file():
        return {}
    found: dict[str, int] = {}
    with file.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            name, best = row.get("instance"), row.get("best") or row.get("ub") or ""
            if name and best.isdecimal():
                found[f"{row['problem']}/{name}" if row.get("problem") else name] = int(best)
    return found


def bench(rows: Iterable[Instance], effort: Effort) -> Iterator[Result | Unread]:
    """Plan instances one after the other, each with the whole effort or until nothing is better.

    Raises:
        InfeasiblePlan: The checker refuses a plan: a fault of the planner.
    """
    if effort.kernel:
        from planner import kernel

        kernel.compile_all()  # before any clock runs
    for row in rows:
        try:
            problem = row.problem
        except InvalidProblem as error:
            yield Unread(row.name, error.faults)
        else:
            yield _planned(row, problem, effort)


def _planned(row: Instance, problem: Problem, effort: Effort) -> Result:
    known, price = row.best_known, problem.weights.makespan
    began = time.process_time()
    found = solve(problem, replace(effort, kernel=effort.kernel and wants_kernel(problem)))
    took = time.process_time() - began
    makespan = found.score.makespan
    return Result(
        instance=row.name,
        format=row.format,
        operations=len(problem.operations),
        seed=effort.seed,
        first=found.dispatch_objective // price,
        makespan=makespan,
        best_known=known,
        gap=round(makespan / known - 1, 4) if known else None,
        bound=-(-found.bound // price),
        solver=found.solver,
        status=found.status,
        cp_gain=found.cp.gain // price if found.cp else None,
        cpu_s=round(took, 2),
    )


def as_row(found: Result | Unread) -> dict[str, object]:
    """One line of the command's answer."""
    if isinstance(found, Unread):
        return {"kind": "refused", "error": "InvalidProblem", **asdict(found)}
    return asdict(found)
