"""kill -9 of the planner in the middle of a solve: nothing is lost, nothing is left behind."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from mes.kernel.clock import utc_now
from mes.kernel.db import Database
from planner import asking, service
from tests.fixtures.floor import Floor
from tests.fixtures.planners import ended, running, solver_of


async def test_a_killed_planner_takes_its_solver_along_and_its_successor_solves_again(
    floor: Floor, tmp_path: Path
) -> None:
    db = floor.db
    floor.now = utc_now()
    for _ in range(3):
        await floor.order(quantity=3)
    async with running("main", db.url, tmp_path, seconds="60", debounce_s="0") as first:
        async with asyncio.timeout(120):
            solver = await solver_of(first)
        first.kill()
        async with asyncio.timeout(60):
            await ended(solver)
    async with db.read() as tx:
        assert await service.plan_in_force(tx) is None
    async with running("main", db.url, tmp_path, seconds="0.1", debounce_s="0"):
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
