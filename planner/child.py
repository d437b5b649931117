"""The solver in a process of its own: it may take all memory or crash, and nothing is lost.

The problem goes in and answers come out as JSON lines, so that the first answer is kept when the
second is cancelled, runs out of time or never comes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from planner.delays import Delays, delays_from_json
from planner.effort import Effort
from planner.form import problem_to_json
from planner.pace import Paces, paces_to_json
from planner.pool import SolverPool, Work
from planner.problem import Problem

ROUTINE_NICE = 10
"""A plan that only adds new work gives way to everything else on the machine."""

COMPILER_NICE = 19
"""Compiling the kernel gives way to everything, terminals before all."""

SLOWEST = 15.0
"""An effort is counted in work, not in time; on a busy machine it may take so many times its seconds."""

START_S = 60.0
"""A busy machine may take so long to start the process and to dispatch."""


LEARNING_S = 300.0
"""So long the delays of a plan may be learned on a busy machine; 10,000 operations take 10 CPU seconds."""


class SolverRefused(ValueError):
    """The problem contradicts itself or its locks cannot be kept: `code` and `faults` say why."""

    def __init__(self, code: str, faults: list[dict[str, str]]) -> None:
        self.code, self.faults = code, faults
        super().__init__(f"{code}: {faults}")


class SolverLost(RuntimeError):
    """The child process ended or ran out of time before its first answer."""


@dataclass(frozen=True)
class Answers:
    """What the child said; reports as `planner.command_line.report` writes them.

    Args:
        kept: The plan that moves nobody, or the first plan. Cut off before the search for it ended it is the
            repaired plan, which nobody has explained yet: `why_late` is not there.
        better: The proposal, if there is one.
        changes: What the proposal changes.
        kept_objective: What `kept` costs in the measure of `better`.
        complete: False when it was cut off after `kept`.
    """

    kept: Mapping[str, Any]
    better: Mapping[str, Any] | None
    changes: Mapping[str, Any] | None
    kept_objective: int | None
    fresh: bool
    complete: bool


async def compile_in_child(pool: SolverPool) -> bool:
    """Compile the kernel in a process of its own; True when it is there now.

    Cancelling the call ends the process.
    """
    return await pool.run(Work(("warm",), nice=COMPILER_NICE), _unheard) == 0


async def _unheard(_line: bytes) -> None:
    """The compiler has nothing to say."""


async def delays_in_child(pool: SolverPool, problem: Problem, paces: Paces) -> Delays | None:
    """By how much the orders of a plan are late on a floor of that pace, learned in a process of its own.

    Cancelling the call ends the process. None where it was lost, or has no kernel for a plan so large yet.
    """
    asked = {"problem": problem_to_json(problem), "paces": paces_to_json(paces)}
    found: list[Delays] = []

    async def hear(line: bytes) -> None:
        said = json.loads(line)["delays"]
        if said is not None:
            found.append(delays_from_json(said))

    text = await asyncio.to_thread(json.dumps, asked)
    await pool.run(Work(("delays",), text=text, nice=ROUTINE_NICE, limit_s=LEARNING_S), hear)
    return found[0] if found else None


async def replan_in_child(
    pool: SolverPool,
    problem: Problem,
    effort: Effort,
    *,
    move: bool,
    nice: int | None = None,
    on_row: Callable[[dict[str, Any]], Awaitable[None]] | None = None,
    stop: asyncio.Event | None = None,
) -> Answers:
    """Plan again in a child process; cancelling the call ends the process and loses what it had found.

    Args:
        pool: Where it runs, when its turn comes.
        nice: By how much it gives way to others; by default it is the plant's own plan, for which others
            wait, and gives way only where nothing is moved.
        on_row: Called with each row as it comes, while the search goes on: the repaired plan, progress,
            the first answer, the last. What it raises ends the process.
        stop: Once set, the search ends and its best plan until then is the answer.

    Raises:
        SolverRefused: The problem or its locks are at fault.
        SolverLost: No answer came.
    """
    rows: list[dict[str, Any]] = []

    async def hear(line: bytes) -> None:
        row = json.loads(line)
        if row["kind"] != "progress":
            rows.append(row)
        if on_row is not None:
            await on_row(row)

    work = Work(
        (
            *("replan", "-"),
            *(["--move"] if move else []),
            *("--seconds", str(effort.seconds), "--workers", str(effort.workers)),
            *("--seed", str(effort.seed)),
        ),
        text=await asyncio.to_thread(_text, problem),
        nice=_niceness(nice, move=move),
        limit_s=START_S + 2 * SLOWEST * effort.seconds,
        is_awaited=nice is None,
    )
    await pool.run(work, hear, stop)  # where it ends too soon, what came in time stands
    return read_answers(rows)


def _text(problem: Problem) -> str:
    return json.dumps(problem_to_json(problem))


def _niceness(wish: int | None, *, move: bool) -> int:
    if wish is not None:
        return wish
    return 0 if move else ROUTINE_NICE


def read_answers(rows: list[dict[str, Any]]) -> Answers:
    """What the lines that came say, be they all or not.

    Raises:
        SolverRefused: The problem or its locks are at fault.
        SolverLost: Not even the first answer is there.
    """
    by_kind = {row["kind"]: row for row in rows}
    if refused := by_kind.get("refused"):
        raise SolverRefused(refused["error"], refused["faults"])
    first = by_kind.get("kept") or by_kind.get("repaired")
    if first is None:
        raise SolverLost
    kept, end = first["plan"], by_kind.get("replanned")
    if end is None:
        return Answers(kept, None, None, None, fresh=False, complete=False)
    return Answers(kept, end["better"], end["changes"], end["kept_objective"], end["fresh"], complete=True)
