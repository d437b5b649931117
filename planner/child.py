"""The solver in a process of its own: it may take all memory or crash, and nothing is lost.

The problem goes in and answers come out as JSON lines, so that the first answer is kept when the
second is cancelled, runs out of time or never comes.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from planner.effort import Effort
from planner.form import problem_to_json
from planner.problem import Problem

LINE_LIMIT = 64 * 1024 * 1024
"""Bytes of one answer; a plan of 100,000 operations needs a third."""

ROUTINE_NICE = 10
"""A plan that only adds new work gives way to everything else on the machine."""

COMPILER_NICE = 19
"""Compiling the kernel gives way to everything, terminals before all."""

SLOWEST = 15.0
"""An effort is counted in work, not in time; on a busy machine it may take so many times its seconds."""

START_S = 60.0
"""A busy machine may take so long to start the process and to dispatch."""


class SolverRefused(ValueError):
    """The problem contradicts itself or its locks cannot be kept: `code` and `faults` say why."""

    def __init__(self, code: str, faults: list[dict[str, str]]) -> None:
        self.code, self.faults = code, faults
        super().__init__(f"{code}: {faults}")


class SolverLost(RuntimeError):
    """The child process ended or ran out of time before its first answer."""


@dataclass(frozen=True)
class Answers:
    """What the child said; reports as `planner.__main__.report` writes them.

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


async def compile_in_child() -> bool:
    """Compile the kernel in a process of its own; True when it is there now.

    Cancelling the call ends the process.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "planner", "warm", "--parent", str(os.getpid()), "--nice", str(COMPILER_NICE)),
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        return await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def replan_in_child(
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
        nice: By how much it gives way to others; by default only where nothing is moved.
        on_row: Called with each row as it comes, while the search goes on: the repaired plan, progress,
            the first answer, the last. What it raises ends the process.
        stop: Once set, the search ends and its best plan until then is the answer.

    Raises:
        SolverRefused: The problem or its locks are at fault.
        SolverLost: No answer came.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "planner", "replan", "-", "--parent", str(os.getpid())),
        *(["--move"] if move else []),
        *("--nice", str(_niceness(nice, move=move))),
        *("--seconds", str(effort.seconds), "--workers", str(effort.workers)),
        *("--seed", str(effort.seed)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_LIMIT,
    )
    rows: list[dict[str, Any]] = []
    stopping = asyncio.create_task(_stop(process, stop)) if stop is not None else None
    try:
        async with asyncio.timeout(START_S + 2 * SLOWEST * effort.seconds):
            await _converse(process, problem, rows, on_row)
    except TimeoutError:
        pass  # what came in time stands
    finally:
        if stopping is not None:
            stopping.cancel()
        if process.returncode is None:
            process.kill()
        await process.wait()
    return read_answers(rows)


async def _stop(process: asyncio.subprocess.Process, stop: asyncio.Event) -> None:
    """Ask the solver for what it has; one that has not begun yet just ends."""
    await stop.wait()
    with suppress(ProcessLookupError):
        process.terminate()


def _niceness(wish: int | None, *, move: bool) -> int:
    if wish is not None:
        return wish
    return 0 if move else ROUTINE_NICE


async def _converse(
    process: asyncio.subprocess.Process,
    problem: Problem,
    rows: list[dict[str, Any]],
    on_row: Callable[[dict[str, Any]], Awaitable[None]] | None,
) -> None:
    if process.stdin is None or process.stdout is None:
        raise SolverLost
    text = await asyncio.to_thread(json.dumps, problem_to_json(problem))
    try:
        process.stdin.write(text.encode())
        await process.stdin.drain()
        process.stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        return  # it died before it read; no row says so
    while line := await process.stdout.readline():
        row = json.loads(line)
        if row["kind"] != "progress":
            rows.append(row)
        if on_row is not None:
            await on_row(row)


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
