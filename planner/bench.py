"""Published instances planned by the engine, checked and compared with the best that is known.

Importing this loads the kernel.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from planner import kernel
from planner.anneal import Budget, Engine
from planner.checker import require_feasible
from planner.decoder import decode
from planner.objective import score
from planner.pack import pack
from planner.problem import Problem
from planner.readers import FORMATS

BEST_KNOWN = "best_known.csv"
"""Beside the folders: columns `instance` (as `fjsp/mk01`) and `best`."""


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
        return FORMATS[self.format](self.path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Result:
    """A checked plan of an instance, in figures.

    Args:
        first: Makespan of the best dispatch rule, before the search.
        gap: Share by which the makespan exceeds the best that is known.
        cpu_s: CPU seconds of the search.
    """

    instance: str
    format: str
    operations: int
    seed: int
    first: int
    makespan: int
    best_known: int | None
    gap: float | None
    moves: int
    cpu_s: float


def instances(folder: Path, only: str | None = None) -> list[Instance]:
    """The instances of a folder, in the order of their names.

    Args:
        folder: Holds a folder for each format; or, with `only`, files of that format.
    """
    folders = {only: folder} if only else {name: folder / name for name in FORMATS}
    known = _best_known(folder / BEST_KNOWN)
    return [
        Instance(file, name, known.get(f"{name}/{file.stem}"))
        for name, place in folders.items()
        for file in sorted(place.glob("*.*"))
        if file.name != BEST_KNOWN and file.is_file()
    ]


def _best_known(file: Path) -> dict[str, int]:
    if not file.exists():
        return {}
    with file.open(encoding="utf-8") as lines:
        return {row["instance"]: int(row["best"]) for row in csv.DictReader(lines)}


def bench(rows: Iterable[Instance], seconds: float, moves: int | None, seed: int) -> Iterator[Result]:
    """Plan instances one after the other.

    Args:
        seconds: CPU seconds for each; not looked at when `moves` are given.
        moves: Moves for each: the same seed finds the same plan on any machine.

    Raises:
        InvalidProblem: A file is not what its format says.
        InfeasiblePlan: The checker refuses a plan: a fault of the engine.
    """
    kernel.compile_all()
    for row in rows:
        yield _planned(row, Budget(seconds, moves, seed))


def _planned(row: Instance, budget: Budget) -> Result:
    problem, known = row.problem, row.best_known
    began = time.process_time()
    engine = Engine(pack(problem))
    found = engine.search(budget)
    took = time.process_time() - began
    plan = decode(problem, engine.choices(found))
    require_feasible(problem, plan)
    makespan = score(problem, plan).makespan
    return Result(
        instance=row.name,
        format=row.format,
        operations=len(problem.operations),
        seed=budget.seed,
        first=engine.report.grid // problem.weights.makespan,
        makespan=makespan,
        best_known=known,
        gap=round(makespan / known - 1, 4) if known else None,
        moves=engine.report.moves,
        cpu_s=round(took, 2),
    )
