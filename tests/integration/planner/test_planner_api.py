"""The planner's page over HTTP: plan, proposal, publish, promise, and who may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from mes.access.guard import Plant
from mes.access.model import Role
from mes.app import build_app, installed_routers
from mes.dispatching import service as dispatching
from mes.kernel.clock import utc_now
from mes.kernel.db import Database
from mes.kernel.settings import Planner, Settings
from mes.resources.service import person_card
from planner import desk, service, store
from planner.answering import Answerer
from planner.desk import Desk
from planner.view import view_plant
from tests.fixtures.floor import Floor, open_floor
from tests.fixtures.web import Web, demo_settings, key

API = "/api/v1/planner"
POLICY = Planner(seconds=0.1, debounce_s=0, auto_publish="first")


@pytest_asyncio.fixture
async def floor(db: Database) -> Floor:
    opened = await open_floor(db)
    opened.now = utc_now()
    return opened


@pytest_asyncio.fixture
async def web(floor: Floor, tmp_path: Path) -> AsyncIterator[Web]:
    plant = Plant(floor.db, demo_settings(tmp_path), person_card)
    made = Web(build_app(plant, installed_routers()), floor.db)
    yield made
    for client in made.opened:
        await client.aclose()


@pytest.fixture
def planner(floor: Floor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(desk, "REST", 0.0)
    return Desk(floor.db, Settings(home=tmp_path, database_url=floor.db.url, planner=POLICY))


@pytest_asyncio.fixture
async def answerer(planner: Desk) -> AsyncIterator[None]:
    """The part of the planner's process that answers questions."""
    answering = asyncio.create_task(Answerer(planner.db, planner.settings, planner.name).run())
    yield
    answering.cancel()
    await asyncio.wait([answering])


async def test_before_the_first_plan_the_page_is_told_so(web: Web) -> None:
    browser = await web.browser(Role.PLANNER)
    reply = await browser.get(f"{API}/plan")
    assert (reply.status_code, reply.json()["error"]) == (404, "NothingPlanned")
    assert (await browser.get(f"{API}/proposal")).status_code == 204


@pytest.mark.usefixtures("answerer")
async def test_a_planner_publishes_what_the_rules_leave_to_him(web: Web, floor: Floor, planner: Desk) -> None:
    first = await floor.order(quantity=3)
    await planner.step()
    browser = await web.browser(Role.PLANNER)
    plan = (await browser.get(f"{API}/plan")).json()
    assert (plan["version"], plan["by"]) == (1, "service:planner")
    assert 0 < plan["bound"] <= plan["objective"]
    assert [row["operation"] for row in plan["operations"]] == [10, 20, 30, 40, 50, 60]

    second = await floor.order(quantity=3)
    await planner.step()
    assert (await browser.get(f"{API}/plan")).json()["version"] == 1
    proposal = (await browser.get(f"{API}/proposal")).json()
    assert {row["work_order"] for row in proposal["orders"]} == {first, second}

    address = f"{API}/proposals/{proposal['id']}/publish"
    once = key()
    reply = await browser.post(address, json={}, headers=once)
    assert (reply.status_code, reply.json()["version"]) == (200, 2)
    again = await browser.post(address, json={}, headers=once)
    assert again.json() == reply.json()
    late = await browser.post(address, json={}, headers=key())
    assert (late.status_code, late.json()["error"]) == (409, "ProposalGone")
    assert (await browser.get(f"{API}/plan")).json()["id"] == proposal["id"]


@pytest.mark.usefixtures("answerer")
async def test_a_supervisor_may_ask_for_a_plan_but_not_publish_one(web: Web, floor: Floor) -> None:
    browser = await web.browser(Role.SUPERVISOR)
    asked = await browser.post(f"{API}/replan", json={"reason": "meeting"}, headers=key())
    assert asked.status_code == 200
    unknown = "0192a4a0-0000-7000-8000-000000000000"
    refused = await browser.post(f"{API}/proposals/{unknown}/publish", json={}, headers=key())
    assert (refused.status_code, refused.json()["error"]) == (403, "NotPermitted")
    boss = await web.browser(Role.PLANNER)
    missing = await boss.post(f"{API}/proposals/{unknown}/discard", json={}, headers=key())
    assert (missing.status_code, missing.json()["error"]) == (404, "PlanUnknown")


@pytest.mark.usefixtures("answerer")
async def test_a_date_is_quoted_with_what_binds_it(web: Web, floor: Floor) -> None:
    browser = await web.browser(Role.PLANNER)
    query = {"material": "PUMP-40", "quantity": "4"}
    quote = (await browser.get(f"{API}/promise", params=query)).json()
    assert quote["date"] > floor.now.isoformat()
    assert quote["binding"]["code"]
    unknown = await browser.get(f"{API}/promise", params={**query, "material": "PUMP-99"})
    assert unknown.status_code == 404
    assert (await browser.get(f"{API}/promise", params={**query, "quantity": "0"})).status_code == 422


@pytest.mark.usefixtures("answerer")
async def test_an_accepted_date_keeps_its_places_until_the_order_comes(
    web: Web, floor: Floor, planner: Desk
) -> None:
    await floor.lot("BOLT", "2000")
    await floor.order(quantity=3)
    await planner.step()
    browser = await web.browser(Role.PLANNER)
    before = (await browser.get(f"{API}/plan")).json()
    query = {"material": "PUMP-40", "quantity": "100"}
    much = {**query, "quantity": "500"}
    lacking = await browser.get(f"{API}/promise", params=much)
    assert (lacking.status_code, lacking.json()["error"]) == (409, "MaterialNotForeseen")
    never = await browser.post(f"{API}/promises", json=much, headers=key())
    assert (never.status_code, never.json()["error"]) == (409, "MaterialNotForeseen")
    told = (await browser.get(f"{API}/promise", params=query)).json()
    assert next(way for way in told["alternatives"] if way["kind"] == "split")["params"]["quantity"] == "50"
    wish = {**query, "customer_order": "SO-NEW", "latest": told["date"]}
    once = key()
    held = (await browser.post(f"{API}/promises", json=wish, headers=once)).json()
    later = datetime.fromisoformat(held["date"]) - datetime.fromisoformat(told["date"])
    assert later < service.SAME_PROMISE
    assert (await browser.post(f"{API}/promises", json=wish, headers=once)).json() == held
    gone = await browser.post(f"{API}/promises", json=wish, headers=key())
    assert (gone.status_code, gone.json()["error"]) == (409, "DateGone")
    assert (await browser.get(f"{API}/plan")).json()["version"] == before["version"]
    (shown,) = (await browser.get(f"{API}/promises")).json()
    assert (shown["name"], shown["customer_order"]) == (held["name"], "SO-NEW")
    assert (await browser.get(f"{API}/promise", params=query)).json()["date"] > told["date"]
    async with floor.db.read() as tx:
        view = await view_plant(tx, floor.now, POLICY)
        assert await store.holds(tx, floor.now + timedelta(hours=30)) == []
    assert held["name"] in {order.id for order in view.problem.orders}
    assert all(o.published for o in view.problem.operations if o.order == held["name"])

    release = f"{API}/promises/{held['promise']}/release"
    assert (await browser.post(release, json={}, headers=key())).status_code == 200
    again = await browser.post(release, json={}, headers=key())
    assert (again.status_code, again.json()["error"]) == (409, "PromiseNotHeld")


@pytest.mark.usefixtures("planner")
async def test_the_order_that_was_promised_takes_its_places_over(floor: Floor) -> None:
    hold = store.Hold(
        id=uuid4(),
        name="PROMISE-1",
        material="PUMP-40",
        quantity=Decimal(3),
        priority=9,
        customer_order=None,
        promised_at=floor.now,
        places={},
        begins_at=floor.now,
        held_until=floor.now + timedelta(hours=1),
        accepted_at=floor.now,
        accepted_by="account:p",
    )
    number = await floor.order(quantity=3)
    async with floor.db.read() as tx:
        snapshot = await dispatching.planning_snapshot(tx, at=floor.now)
    customer_order = next(o.customer_order for o in snapshot.work_orders if o.id == number)
    on_the_phone = replace(hold, id=uuid4(), name="PROMISE-2", customer="linde")
    more = replace(hold, id=uuid4(), name="PROMISE-3", customer="Linde", quantity=Decimal(4))
    another = replace(hold, id=uuid4(), name="PROMISE-4", customer="C-99")
    unnamed = replace(hold, id=uuid4(), name="PROMISE-5")
    named = replace(hold, customer_order=customer_order)
    for row in (on_the_phone, more, another, unnamed, named):
        await floor.do(lambda tx, row=row: store.insert_hold(tx, row))  # type: ignore[misc]

    async def held() -> set[str]:
        await floor.do(lambda tx: store.redeem_hold(tx, number))
        async with floor.db.read() as tx:
            assert await tx.value("select min(work_order) from planner.promise") == number
            return {row.name for row in await store.holds(tx, floor.now)}

    assert await held() == {"PROMISE-2", "PROMISE-3", "PROMISE-4", "PROMISE-5"}
    assert await held() == {"PROMISE-3", "PROMISE-4", "PROMISE-5"}
    assert await held() == {"PROMISE-3", "PROMISE-4", "PROMISE-5"}
