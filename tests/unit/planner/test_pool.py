"""Solver processes have places: who comes too late waits, and whoever goes leaves his place."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import psutil
import pytest

from planner.form import problem_to_json
from planner.pool import SolverPool, Work
from tests.unit.planner.test_command import large

LONG = Work(("replan", "-", "--seconds", "3600"), text=json.dumps(problem_to_json(large())))
"""A search that ends when it is ended."""

AWAITED = Work(LONG.words, LONG.text, is_awaited=True)


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.01)


async def unheard(_line: bytes) -> None:
    """Nobody listens."""


def started(act: Coroutine[Any, Any, int | None]) -> asyncio.Task[int | None]:
    return asyncio.create_task(act)


async def ended(task: asyncio.Task[int | None]) -> None:
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()


async def test_more_wishes_than_places_wait_in_turn_and_every_place_comes_free_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = set(psutil.Process().children())

    def running() -> list[psutil.Process]:
        return [process for process in psutil.Process().children() if process not in before]

    caplog.set_level(logging.WARNING, "planner.pool")
    pool, nobody = SolverPool(2), asyncio.Event()
    first, second, third = (started(pool.run(LONG, unheard, nobody)) for _ in range(3))
    await until(lambda: len(running()) == 1)
    awaited, later = (started(pool.run(AWAITED, unheard)) for _ in range(2))
    await until(lambda: len(running()) == 2)  # the floor's own plan has a place that nobody else gets
    assert pool.taken == pool.places == 2
    await ended(later)  # of those who wait, one is cancelled and one is stopped
    stop = asyncio.Event()
    stopped = started(pool.run(LONG, unheard, stop))
    await asyncio.sleep(0)
    stop.set()
    assert await stopped is None
    await ended(awaited)
    assert pool.taken == 1
    (process,) = running()
    process.kill()
    assert await first == -signal.SIGKILL
    assert caplog.messages == [f"solver.killed pid={process.pid} signal=SIGKILL"]
    await until(lambda: len(running()) == 1)  # whoever came next has its place
    assert not second.done()
    await ended(second)
    await until(lambda: len(running()) == 1)
    await ended(third)
    assert (pool.taken, running()) == (0, [])
