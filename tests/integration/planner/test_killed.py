"""kill -9 of the planner in the middle of a solve: nothing is lost, nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from mes.kernel.clock import utc_now
from mes.kernel.db import Database
from planner import asking, service
from tests.fixtures.floor import open_floor

RUN = """
import asyncio
from mes.kernel.settings import load
from planner.worker import main
asyncio.run(main(load()))
"""


@asynccontextmanager
async def planner(url: str, home: Path, seconds: float) -> AsyncIterator[psutil.Process]:
    """The real process; ended by its pid if it still runs."""
    env = {
        **os.environ,
        "DATABASE_URL": url,
        "LINESIDE_HOME": str(home),
        "LINESIDE_PLANNER__SECONDS": str(seconds),
        "LINESIDE_PLANNER__DEBOUNCE_S": "0",
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        RUN,
        env=env,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield psutil.Process(started.pid)
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def solver_of(process: psutil.Process) -> psutil.Process:
    while True:
        for child in process.children():
            with suppress(psutil.NoSuchProcess):
                if "replan" in " ".join(child.cmdline()):
                    return child
        await asyncio.sleep(0.02)


async def ended(process: psutil.Process) -> None:
    """Wait until it is gone, or dead and only not yet reaped by who inherited it."""
    with suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.02)


async def test_a_killed_planner_takes_its_solver_along_and_its_successor_solves_again(
    db: Database, tmp_path: Path
) -> None:
    floor = await open_floor(db)
    floor.now = utc_now()
    for _ in range(3):
        await floor.order(quantity=3)
    async with planner(db.url, tmp_path, seconds=60) as first:
        async with asyncio.timeout(120):
            solver = await solver_of(first)
        first.kill()
        async with asyncio.timeout(60):
            await ended(solver)
    async with db.read() as tx:
        assert await service.plan_in_force(tx) is None
    async with planner(db.url, tmp_path, seconds=0.1):
        async with asyncio.timeout(150):
            while True:
                async with db.read() as tx:
                    found = await service.plan_in_force(tx)
                if found is not None:
                    break
                await asyncio.sleep(0.2)
        plan = json.loads(found)
        assert plan["version"] == 1
        assert len(plan["orders"]) == 3
        async with asyncio.timeout(60):
            quote = await asked(db)
        assert quote["date"] > floor.now.isoformat()


async def asked(db: Database) -> dict[str, Any]:
    """Ask as often as it takes, as a page tells people to."""
    while True:
        with suppress(asking.PlannerSilent):
            return await asking.inquire(db, "account:p", "quote", {"material": "PUMP-40", "quantity": "2"})
