"""kill -9 of a worker amid a scenario: it is solved nevertheless, once; workers share the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from mes.kernel.clock import utc_now
from mes.kernel.db import Database
from planner.scenarios import service
from planner.scenarios.store import Scenario
from tests.fixtures.floor import Floor
from tests.fixtures.planners import ended, running
from tests.fixtures.web import key


async def asked_for(floor: Floor) -> UUID:
    """A scenario that would be searched for ten minutes."""
    scenario = UUID(key()["Idempotency-Key"])
    await service.take_picture(floor.db, scenario, floor.now)
    await floor.do(lambda tx: service.copy_plan(tx, scenario, "What if", scenario))
    await floor.do(lambda tx: service.ask(tx, scenario, 600))
    return scenario


async def until(db: Database, scenario: UUID, done: Callable[[Scenario], bool]) -> Scenario:
    while True:
        async with db.read() as tx:
            found = await service.scenario(tx, scenario)
        if done(found):
            return found
        await asyncio.sleep(0.05)


def is_searching(found: Scenario) -> bool:
    return found.status == "solving" and (found.progress or {}).get("objective") is not None


async def test_a_killed_worker_s_scenario_is_solved_once_while_another_solves_its_own(
    floor: Floor, tmp_path: Path
) -> None:
    db = floor.db
    floor.now = utc_now()
    await floor.lot("BOLT", "2000")
    for _ in range(25):
        await floor.order(quantity=6, due_in_h=0.3)
    first = await asked_for(floor)
    async with asyncio.timeout(240):
        async with running("solve_scenarios", db.url, tmp_path / "one") as dying:
            await until(db, first, is_searching)
            solvers = dying.children()
            dying.kill()
            for solver in solvers:
                await ended(solver)
        second = await asked_for(floor)
        async with (
            running("solve_scenarios", db.url, tmp_path / "two"),
            running("solve_scenarios", db.url, tmp_path / "one"),
        ):
            await until(db, first, lambda one: one.attempts == 2 and is_searching(one))
            await until(db, second, is_searching)
            async with db.read() as tx:
                at_work = await tx.value(
                    "select count(distinct worker) from planner.scenario where status = 'solving'"
                )
            for scenario in (first, second):
                await floor.do(lambda tx, scenario=scenario: service.stop(tx, scenario))  # type: ignore[misc]
            found = [await until(db, one, lambda s: s.status == "solved") for one in (first, second)]
    assert at_work == 2
    assert [(one.attempts, one.comparison is not None) for one in found] == [(2, True), (1, True)]
    async with db.read() as tx:
        told = await tx.value(
            "select count(*) from mes.event"
            " where type = 'ScenarioChanged' and payload ->> 'status' = 'solved'"
        )
        plans = await tx.value("select count(*) from planner.plan where status = 'scenario'")
    assert (told, plans) == (2, 2)
