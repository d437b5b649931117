"""What customers are told, over HTTP: accepted, planned again, ordered, run out and taken back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from mes.access import guard
from mes.access.guard import Plant
from mes.access.model import Role
from mes.app import build_app, installed_routers
from mes.execution import service as execution
from mes.execution.model import LotUse, QuantityReport
from mes.kernel.clock import utc_now
from mes.kernel.ids import JobOrderId, LotNumber
from mes.kernel.settings import Planner, Settings
from mes.resources.service import person_card
from mes.workorders import service as workorders
from planner import answering, api, desk, service, store
from planner.answering import Answerer
from planner.desk import Desk
from tests.fixtures.floor import BILL, PEOPLE, Floor
from tests.fixtures.web import Web, demo_settings, key

API = "/api/v1/planner"
POLICY = Planner(seconds=0.1, debounce_s=0, frozen_min=0)
PUMPS = {"material": "PUMP-40", "priority": "1"}

Times = dict[str, tuple[datetime, datetime]]
"""Job -> begin and end."""


@dataclass
class Office:
    """Who speaks to customers: a browser, the planner's process behind it, and a clock of the test's own."""

    floor: Floor
    planner: Desk
    browser: httpx2.AsyncClient

    async def get(self, path: str, **query: str) -> Any:
        reply = await self.browser.get(f"{API}{path}", params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def do(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        reply = await self.browser.post(f"{API}{path}", json=body, headers=key())
        assert reply.status_code == 200, reply.text
        done: dict[str, Any] = reply.json()
        return done

    async def date(self, quantity: str) -> datetime:
        """What a customer is told who asks now."""
        said = await self.get("/promise", **PUMPS, quantity=quantity)
        return datetime.fromisoformat(said["date"])

    async def planned(self) -> dict[str, Any]:
        """The plan in force after all that has happened until now; nothing of it overlaps."""
        await self.planner.step()
        async with self.floor.db.read() as tx:
            stored = await store.plan_of(tx, "in_force")
        assert stored is not None
        apart(stored.body["jobs"])
        plan: dict[str, Any] = await self.get("/plan")
        return plan | {"jobs": {row["job_order"]: row for row in stored.body["jobs"]}}


def apart(rows: list[dict[str, Any]]) -> None:
    """No two jobs are on one unit at a time."""
    turns = sorted((row["equipment"], row["start"], row["end"]) for row in rows)
    for before, after in pairwise(turns):
        assert before[0] != after[0] or before[2] <= after[1], (before, after)


@pytest_asyncio.fixture
async def office(floor: Floor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    db = floor.db
    floor.after(20 * 60)  # ten minutes before the assemblers' break
    for module in (answering, api, desk, guard):
        monkeypatch.setattr(module, "utc_now", lambda: floor.now)
    monkeypatch.setattr(desk, "REST", 0.0)
    for material in BILL:
        await floor.lot(material, "2000")
    planner = Desk(db, Settings(home=tmp_path, database_url=db.url, planner=POLICY))
    web = Web(build_app(Plant(db, demo_settings(tmp_path), person_card), installed_routers()), db)
    answerer = Answerer(db, planner.settings, planner.name)
    planner.on_news = answerer.forget
    running = asyncio.create_task(answerer.run())
    yield Office(floor, planner, await web.browser(Role.PLANNER))
    running.cancel()
    await asyncio.wait([running])
    for client in web.opened:
        await client.aclose()


@pytest.mark.parametrize(
    ("kind", "quantity"), [("split", "40"), ("overtime", "40"), ("unit", "4"), ("delay", "40")]
)
async def test_another_way_to_a_date_is_kept_by_the_next_plan_and_by_the_order_that_comes(
    office: Office, kind: str, quantity: str
) -> None:
    for _ in range(2):
        await office.floor.order(quantity=60, priority=9, due_in_h=20)
    before = {row["work_order"]: row["end"] for row in (await office.planned())["orders"]}
    told = await office.get("/promise", **PUMPS, quantity=quantity)
    way = next(way for way in told["alternatives"] if way["kind"] == kind)
    wish = PUMPS | {"quantity": quantity, "customer": "Linde", "option": way}
    held = await office.do("/promises", wish)
    date = datetime.fromisoformat(held["date"])
    assert date == datetime.fromisoformat(way["date"])
    parts = await office.get("/promises")
    assert {part["option"]["kind"] for part in parts} == {kind}
    assert sum(Decimal(part["quantity"]) for part in parts) == Decimal(quantity)
    other = await office.do("/promises", PUMPS | {"quantity": quantity, "customer": "Sulzer"})
    async with office.floor.db.read() as tx:
        holds = await store.holds(tx, office.floor.now)
    apart([place for hold in holds for place in hold.places.values()])

    await office.floor.order(quantity=10, priority=1, due_in_h=0.1)
    plan = await office.planned()
    assert plan["breaks"] == []
    ends = {row["work_order"]: datetime.fromisoformat(row["end"]) for row in plan["orders"]}
    for part in [*parts, {"name": other["name"], "promised_at": other["date"]}]:
        assert ends[part["name"]] - datetime.fromisoformat(part["promised_at"]) < service.SAME_PROMISE
    is_as_agreed(kind, way, plan, [part["name"] for part in parts], before)

    number = await office.floor.order(quantity=int(quantity), priority=1, due_in_h=0.2)
    plan = await office.planned()
    assert plan["breaks"] == []
    assert [row["name"] for row in await office.get("/promises")] == [other["name"]]
    ends = {row["work_order"]: datetime.fromisoformat(row["end"]) for row in plan["orders"]}
    assert not {part["name"] for part in parts} & ends.keys()
    assert ends[number] - date < service.SAME_PROMISE
    is_as_agreed(kind, way, plan, [number], before)


def is_as_agreed(
    kind: str, way: dict[str, Any], plan: dict[str, Any], names: list[str], before: dict[str, str]
) -> None:
    """The plan has what was agreed on beside the date."""
    mine = [row for job, row in plan["jobs"].items() if job.rpartition("-")[0] in names]
    match kind:
        case "unit":
            assert way["params"]["unit"] in {row["equipment"] for row in mine}
        case "overtime":
            first = datetime.fromisoformat(way["params"]["first"])
            (row,) = [row for row in mine if row["equipment"] == way["params"]["unit"]]
            assert datetime.fromisoformat(row["start"]) <= first < datetime.fromisoformat(row["end"])
        case "delay":
            order = way["params"]["order"]
            now = {row["work_order"]: row["end"] for row in plan["orders"]}
            assert now[order] > before[order]


async def test_an_order_that_is_wanted_later_than_its_accepted_date_takes_that_over_with_its_places(
    office: Office,
) -> None:
    await office.floor.order(quantity=60, priority=9, due_in_h=20)
    await office.planned()
    held = await office.do("/promises", PUMPS | {"quantity": "20", "customer": "C-01"})
    async with office.floor.db.read() as tx:
        (hold,) = await store.holds(tx, office.floor.now)
    await office.floor.order(quantity=30, priority=1, due_in_h=0.1)
    number = await office.floor.order(quantity=20, priority=9, due_in_h=1)
    plan = await office.planned()
    assert await office.get("/promises") == []
    assert plan["breaks"] == []
    (order,) = [row for row in plan["orders"] if row["work_order"] == number]
    assert datetime.fromisoformat(order["due_at"]) == datetime.fromisoformat(held["date"])
    assert order["late_min"] == 0
    for job, place in hold.places.items():
        assert plan["jobs"][job.replace(held["name"], number)]["equipment"] == place["equipment"]


async def test_a_date_that_nobody_orders_in_time_gives_its_places_back_and_no_later_order_takes_it(
    office: Office,
) -> None:
    await office.floor.order(quantity=60, priority=9, due_in_h=20)
    await office.planned()
    wish = PUMPS | {"quantity": "60", "customer": "Linde", "hold_h": 1}
    held = await office.do("/promises", wish)
    office.floor.after(59 * 60)
    office.planner.on_news()
    kept = await office.date("40")
    assert [row["name"] for row in await office.get("/promises")] == [held["name"]]
    office.floor.after(2 * 60)
    assert await office.get("/promises") == []
    assert await office.date("40") < kept
    number = await office.floor.order(quantity=60, priority=9, due_in_h=20)
    plan = await office.planned()
    assert {held["name"], number} & {row["work_order"] for row in plan["orders"]} == {number}
    async with office.floor.db.read() as tx:
        assert await tx.value("select count(*) from planner.promise where work_order is not null") == 0


async def test_a_plan_that_is_brought_back_has_no_job_that_is_done_and_no_order_that_was_cancelled(
    office: Office,
) -> None:
    office.floor.now = utc_now()  # plans of months ago are kept no more
    done, cancelled, open_ = [await office.floor.order(quantity=20, due_in_h=20) for _ in range(3)]
    await office.planned()
    came = await office.floor.order(quantity=10, due_in_h=20)
    published = await office.planned()
    (row,) = [row for row in published["operations"] if row["job_order"] == f"{done}-10"]
    await made(office.floor, row["job_order"], row["equipment"], 20)
    await office.floor.do(lambda tx: workorders.cancel_work_order(tx, cancelled, "customer"))
    undone = await office.do("/plan/undo", {"version": published["version"], "reason": "too soon"})
    plan = await office.get("/plan")
    assert plan["version"] == undone["version"] == published["version"] + 1
    assert {row["work_order"] for row in plan["orders"]} == {done, open_, came}
    jobs = {f"{order}-{step}" for order in (done, open_, came) for step in (10, 20, 30, 40, 50, 60)}
    assert {row["job_order"] for row in plan["operations"]} == jobs - {row["job_order"]}
    apart(plan["operations"])
    began = min(datetime.fromisoformat(row["setup_start"]) for row in plan["operations"])
    assert began >= office.floor.now.replace(second=0, microsecond=0)
    again = await office.planned()
    assert {row["work_order"] for row in again["orders"]} == {done, open_, came}


async def made(floor: Floor, job: str, unit: str, good: int) -> None:
    """A first step is begun and completed on its unit."""
    at, person = JobOrderId(job), PEOPLE[10]
    await floor.do(lambda tx: execution.start(tx, at), person, unit)
    use = LotUse(job_order=at, lot=LotNumber("LOT-CAST-40-1"))
    await floor.do(lambda tx: execution.consume(tx, use), person, unit)
    floor.after(300)
    counted = QuantityReport(job_order=at, good=Decimal(good))
    await floor.do(lambda tx: execution.report(tx, counted), person, unit)
    await floor.do(lambda tx: execution.complete(tx, at), person, unit)
