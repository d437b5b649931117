"""Where the solver's processes run: counted against the cores of this machine, in turn, and awaited.

This is the one place that starts them. Whoever wants something solved says what (`Work`), hears the lines of
the answer and is told how it ended; where it ran is nobody's business, so that another pool, on other
machines, could stand here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

LINE_LIMIT = 64 * 1024 * 1024
"""Bytes of one line of an answer; a plan of 100,000 operations needs a third."""

FEWEST_PLACES = 2
"""On a single core, too, the plan of the plant need not wait for a scenario: that gives way to it."""

Hear = Callable[[bytes], Awaitable[None]]
"""Called with each line of an answer as it comes."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one solver's process is to do.

    Args:
        words: Of `python -m planner`, without who its parent is and how it gives way.
        text: What it reads.
        nice: By how much it gives way to everything else on the machine.
        limit_s: Seconds after which it is ended; None for as long as it takes.
        is_awaited: The floor waits for it: it goes before all that does not, and finds a place kept free.
    """

    words: tuple[str, ...]
    text: str = ""
    nice: int = 0
    limit_s: float | None = None
    is_awaited: bool = False


@dataclass(eq=False, slots=True)
class _Wish:
    """Somebody who waits for a place; `turn` is False where he does not want it any more."""

    is_awaited: bool
    turn: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


class SolverPool:
    """As many places for solver processes as there are cores, one of them for what the floor waits for."""

    def __init__(self, places: int | None = None) -> None:
        self.places = max(FEWEST_PLACES, cores() if places is None else places)
        self.taken = 0
        self._wishes: list[_Wish] = []

    async def run(self, work: Work, hear: Hear, stop: asyncio.Event | None = None) -> int | None:
        """Do a piece of work when its turn comes; cancelling ends its process and leaves its place.

        Args:
            hear: What it raises ends the process.
            stop: Once set, the process is asked for what it has; one whose turn has not come never begins.

        Returns:
            The exit code, below 0 the signal that ended it; None where nothing began.
        """
        wish = _Wish(work.is_awaited)
        stopping = asyncio.create_task(_forgo(wish, stop)) if stop is not None else None
        try:
            if not await self._turn(wish):
                return None
        finally:
            if stopping is not None:
                stopping.cancel()
        try:
            return await _go(work, hear, stop)
        finally:
            self.taken -= 1
            self._let_in()

    async def _turn(self, wish: _Wish) -> bool:
        """Wait for a place; whether it is still wanted."""
        self._wishes.append(wish)
        self._let_in()
        try:
            return await wish.turn
        except asyncio.CancelledError:
            if not wish.turn.cancelled() and wish.turn.result():  # it was let in at the same moment
                self.taken -= 1
            raise
        finally:
            if wish in self._wishes:
                self._wishes.remove(wish)
            self._let_in()

    def _let_in(self) -> None:
        """Give free places to those who wait: first to those for whom the floor waits, else in turn."""
        for wish in sorted(self._wishes, key=lambda wish: not wish.is_awaited):
            if self.taken >= (self.places if wish.is_awaited else self.places - 1):
                break
            self._wishes.remove(wish)
            if not wish.turn.done():
                self.taken += 1
                wish.turn.set_result(True)


async def _forgo(wish: _Wish, stop: asyncio.Event) -> None:
    """Who is stopped before his turn needs no place."""
    await stop.wait()
    if not wish.turn.done():
        wish.turn.set_result(False)


async def _go(work: Work, hear: Hear, stop: asyncio.Event | None) -> int:
    """One process from its start to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "planner", *work.words, "--parent", str(os.getpid()), "--nice", str(work.nice)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_LIMIT,
    )
    stopping = asyncio.create_task(_ask_to_end(process, stop)) if stop is not None else None
    try:
        async with asyncio.timeout(work.limit_s):
            await _converse(process, work.text, hear)
            code = await process.wait()
        if code < 0 and not (stop and stop.is_set()):
            log.warning("solver.killed pid=%d signal=%s", process.pid, signal.Signals(-code).name)
    except TimeoutError:
        log.warning("solver.too_slow pid=%d limit_s=%s", process.pid, work.limit_s)
    finally:
        if stopping is not None:
            stopping.cancel()
        if process.returncode is None:
            process.kill()
        await process.wait()
    return await process.wait()


async def _ask_to_end(process: asyncio.subprocess.Process, stop: asyncio.Event) -> None:
    """Ask the solver for what it has; one that has not begun yet just ends."""
    await stop.wait()
    with suppress(ProcessLookupError):
        process.terminate()


async def _converse(process: asyncio.subprocess.Process, text: str, hear: Hear) -> None:
    """Give it what it reads, and hear it out."""
    if process.stdin is None or process.stdout is None:
        raise ValueError(process.pid)
    try:
        process.stdin.write(text.encode())
        await process.stdin.drain()
        process.stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        return  # it died before it read; its exit code says so
    while line := await process.stdout.readline():
        await hear(line)
