"""The planner or its database dies amid a plan, a scenario or a promise: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest
import pytest_asyncio

from mes.access.guard import Plant
from mes.access.model import Role
from mes.app import build_app, installed_routers
from mes.kernel.clock import utc_now
from mes.kernel.db import Database, DatabaseBusy, DatabaseUnavailable, Tx
from mes.kernel.ids import EquipmentId
from mes.kernel.outbox import append
from mes.migrate import migrate
from mes.performance.events import EquipmentStateChanged
from mes.resources import service as resources
from mes.resources.service import person_card
from planner import service, store
from planner.scenarios import service as scenarios
from tests.fixtures.floor import Floor, open_floor
from tests.fixtures.planners import ended, running, solver_of
from tests.fixtures.postgres import SITE, Cluster, reachable_folder
from tests.fixtures.web import Web, demo_settings, key

pytestmark = pytest.mark.timeout(400)

API = "/api/v1/planner"
WISH = {"material": "PUMP-40", "quantity": "3"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A server of its own, which may crash."""
    with reachable_folder() as home:
        made = Cluster(home, ("fsync=off",))
        made.create()
        made.start()
        yield made
        made.kill()


@dataclass
class Site:
    """A floor with many orders, who speaks to it over HTTP, and the server below it."""

    floor: Floor
    web: Web
    browser: httpx2.AsyncClient
    cluster: Cluster

    @property
    def db(self) -> Database:
        return self.floor.db

    async def crash(self) -> None:
        """The database goes down and comes back."""
        await asyncio.to_thread(self.cluster.crash)

    async def until(self, act: Callable[[Tx], Awaitable[Any]]) -> Any:
        """What is read, as soon as it is something; the database may be away meanwhile."""
        async with asyncio.timeout(200):
            while True:
                try:
                    async with self.db.read() as tx:
                        if found := await act(tx):
                            return found
                except (DatabaseUnavailable, DatabaseBusy):
                    pass
                await asyncio.sleep(0.05)

    async def planned(self) -> dict[str, Any]:
        """The plan in force, as soon as nobody waits for a plan."""

        async def act(tx: Tx) -> str | None:
            return None if await store.waiting(tx) else await service.plan_in_force(tx)

        found: dict[str, Any] = json.loads(await self.until(act))
        return found

    async def accept(self, wish: dict[str, str], once: dict[str, str]) -> dict[str, Any]:
        """Accept a date as often as it takes, with one and the same command, as a page does."""
        while True:
            reply = await self.browser.post(f"{API}/promises", json=wish, headers=once)
            if reply.status_code == 200:
                held: dict[str, Any] = reply.json()
                return held
            assert reply.status_code == 503 or reply.json()["error"] == "DateOutdated", reply.text

    async def kept(self) -> list[store.Hold]:
        async with self.db.read() as tx:
            return await store.holds(tx, utc_now())

    async def breaks_down(self, unit: str) -> None:
        """A machine stops: its work must move, and that is searched."""

        async def act(tx: Tx) -> None:
            await resources.set_equipment_state(tx, EquipmentId(unit), "Aborted", utc_now(), "breakdown")
            await append(
                tx,
                EquipmentStateChanged(
                    site=tx.site,
                    equipment=EquipmentId(unit),
                    state="Aborted",
                    previous="Execute",
                    at=utc_now(),
                    reason="breakdown",
                ),
            )

        self.floor.now = utc_now()
        await self.floor.do(act)


@asynccontextmanager
async def site_on(cluster: Cluster, home: Path) -> AsyncIterator[Site]:
    name = f"plant_{uuid4().hex[:12]}"
    with psycopg.connect(cluster.url.format(database="postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name}")
    url = cluster.url.format(database=name)
    await asyncio.to_thread(migrate, url, url)
    async with await Database.open(url, name="test", site=SITE, max_size=10) as db:
        floor = await open_floor(db)
        floor.now = utc_now()
        await floor.lot("BOLT", "2000")
        for _ in range(25):
            await floor.order(quantity=6, due_in_h=0.3)
        web = Web(build_app(Plant(db, demo_settings(home), person_card), installed_routers()), db)
        yield Site(floor, web, await web.browser(Role.PLANNER), cluster)
        for client in web.opened:
            await client.aclose()


@pytest_asyncio.fixture
async def site(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Site]:
    async with site_on(cluster, tmp_path) as made:
        yield made


async def nothing_is_twice(site: Site, orders: int) -> None:
    """Versions without gaps, one plan in force, and each order, kept date and job in it once."""
    plan = await site.planned()
    async with site.db.read() as tx:
        versions = await tx.value("select array_agg(version order by version) from planner.plan")
        in_force = await tx.value("select count(*) from planner.plan where status = 'in_force'")
    versions = [version for version in versions if version is not None]
    assert versions == list(range(1, plan["version"] + 1))
    assert in_force == 1
    jobs = [row["job_order"] for row in plan["operations"]]
    assert len(jobs) == len(set(jobs))
    assert sum(job.startswith("WO-") for job in jobs) == 6 * orders


async def test_a_planner_killed_while_it_searches_leaves_plan_dates_and_questions_to_its_successor(
    site: Site, tmp_path: Path
) -> None:
    async with running("main", site.db.url, tmp_path, seconds="0.1", debounce_s="0"):
        before = await site.planned()
        held = await site.accept(WISH, key())
    async with running("main", site.db.url, tmp_path, seconds="600", debounce_s="0") as dying:
        await site.breaks_down(before["operations"][0]["equipment"])
        async with asyncio.timeout(120):
            solver = await solver_of(dying)
        published = await site.until(repaired_after(before["version"]))
        dying.kill()
        await ended(solver)
    assert [row.name for row in await site.kept()] == [held["name"]]
    once = key()
    waiting = asyncio.create_task(site.accept(WISH, once))
    async with running("main", site.db.url, tmp_path, seconds="0.1", debounce_s="0"):
        again = await waiting
        after = await site.planned()
    assert after["version"] >= published
    assert {row.name for row in await site.kept()} == {held["name"], again["name"]}
    await nothing_is_twice(site, 25)


def repaired_after(version: int) -> Callable[[Tx], Awaitable[int | None]]:
    async def act(tx: Tx) -> int | None:
        now = await tx.value("select max(version) from planner.plan")
        return int(now) if now > version else None

    return act


async def test_a_database_that_crashes_while_a_plan_is_searched_gets_the_plan_once(
    site: Site, tmp_path: Path
) -> None:
    async with running("main", site.db.url, tmp_path, seconds="2", debounce_s="0") as planner:
        async with asyncio.timeout(120):
            await solver_of(planner)
        await site.crash()
        plan = await site.planned()
        assert planner.is_running()
    assert plan["version"] == 1
    await nothing_is_twice(site, 25)


async def test_a_date_that_is_accepted_while_the_database_crashes_is_kept_once(
    site: Site, tmp_path: Path
) -> None:
    async with running("main", site.db.url, tmp_path, seconds="0.1", debounce_s="0"):
        await site.planned()
        names = []
        for moment in (0.0, 0.05, 0.2):
            accepting = asyncio.create_task(site.accept(WISH, once := key()))
            await asyncio.sleep(moment)
            await site.crash()
            held = await accepting
            assert await site.accept(WISH, once) == held
            names.append(held["name"])
        kept = await site.kept()
        assert sorted(row.name for row in kept) == sorted(names)
        places = [(p["equipment"], p["start"]) for row in kept for p in row.places.values()]
        assert len(places) == len(set(places)) == 18, "nobody has the same place"


async def test_a_scenario_that_is_searched_while_the_database_crashes_is_solved_once(
    site: Site, tmp_path: Path
) -> None:
    scenario: UUID = uuid4()
    await scenarios.take_picture(site.db, scenario, utc_now())
    await site.floor.do(lambda tx: scenarios.copy_plan(tx, scenario, "What if", scenario))
    await site.floor.do(lambda tx: scenarios.ask(tx, scenario, 600))

    async def searching(tx: Tx) -> bool:
        found = await scenarios.scenario(tx, scenario)
        return found.status == "solving" and (found.progress or {}).get("objective") is not None

    async def solved(tx: Tx) -> bool:
        return (await scenarios.scenario(tx, scenario)).status == "solved"

    async with running("solve_scenarios", site.db.url, tmp_path) as worker:
        await site.until(searching)
        await site.crash()
        await site.until(searching)
        await site.floor.do(lambda tx: scenarios.stop(tx, scenario))
        await site.until(solved)
        assert worker.is_running()
    async with site.db.read() as tx:
        told = await tx.value(
            "select count(*) from mes.event"
            " where type = 'ScenarioChanged' and payload ->> 'status' = 'solved'"
        )
        assert (told, await tx.value("select count(*) from procrastinate.procrastinate_jobs")) == (1, 0)
