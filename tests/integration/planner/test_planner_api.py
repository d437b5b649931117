"""The planner's page over HTTP: plan, proposal, publish, promise, and who may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from httpx2 import AsyncClient

from mes.access.guard import Plant
from mes.access.model import Role
from mes.app import build_app, installed_routers
from mes.dispatching import service as dispatching
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause
from mes.kernel.settings import Planner, Settings
from mes.resources.service import person_card
from planner import answering, desk, holding, service, store
from planner.answering import Answerer
from planner.child import Answers, replan_in_child
from planner.desk import Desk
from planner.document import Clock
from planner.objective import order_ends
from planner.replan import as_published
from planner.view import view_plant
from tests.fixtures.floor import Floor
from tests.fixtures.web import Web, demo_settings, key

API = "/api/v1/planner"
POLICY = Planner(seconds=0.1, debounce_s=0, auto_publish="first")


@pytest.fixture
def floor(floor: Floor) -> Floor:
    floor.now = utc_now()
    return floor


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
async def answerer(planner: Desk) -> AsyncIterator[Answerer]:
    """The part of the planner's process that answers questions."""
    answerer = Answerer(planner.db, planner.settings, planner.name)
    answering = asyncio.create_task(answerer.run())
    yield answerer
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
    lock, later = f"{API}/jobs/WO-000001-10/lock", (floor.now + timedelta(hours=1)).isoformat()
    wish = {"equipment": "CNC-1", "start": later}
    assert (await browser.post(lock, json=wish, headers=key())).status_code == 403
    boss = await web.browser(Role.PLANNER)
    missing = await boss.post(f"{API}/proposals/{unknown}/discard", json={}, headers=key())
    assert (missing.status_code, missing.json()["error"]) == (404, "PlanUnknown")


async def test_a_planner_fixes_a_job_sees_who_did_and_lets_it_go(
    web: Web, floor: Floor, planner: Desk
) -> None:
    job = f"{await floor.order(quantity=4)}-10"
    await planner.step()
    browser, start = await web.browser(Role.PLANNER), (floor.now + timedelta(hours=2)).replace(second=0)
    address, wish = f"{API}/jobs/{job}", {"equipment": "CNC-2", "start": start.isoformat()}
    said = await browser.post(f"{address}/lock", json=wish, headers=key())
    assert (said.status_code, said.json()["equipment"]) == (200, "CNC-2")

    async def lock() -> dict[str, Any] | None:
        rows = (await browser.get(f"{API}/plan")).json()["operations"]
        (found,) = (row["lock"] for row in rows if row["job_order"] == job)
        return found  # type: ignore[no-any-return]

    found = await lock()
    assert found is not None
    assert found["by"].startswith("account:")
    assert datetime.fromisoformat(found["start"]) == start.replace(microsecond=0)
    assert (await browser.post(f"{address}/unlock", json={}, headers=key())).status_code == 200
    assert await lock() is None
    again = await browser.post(f"{address}/unlock", json={}, headers=key())
    assert (again.status_code, again.json()["error"]) == (409, "JobNotLocked")


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


async def test_what_is_made_here_is_offered_without_an_order_or_a_plan(web: Web) -> None:
    browser = await web.browser(Role.PLANNER)
    reply = await browser.get(f"{API}/products")
    assert reply.json() == [{"material": "PUMP-40", "name": "Pump-40"}]


@pytest.mark.usefixtures("answerer")
async def test_slow_jobs_make_the_date_later_that_may_be_told(
    web: Web, floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "FRESH_S", 0.0)
    browser = await web.browser(Role.PLANNER)
    query = {"material": "PUMP-40", "quantity": "10"}

    async def told() -> tuple[float, dict[str, float]]:
        quote = (await browser.get(f"{API}/promise", params=query)).json()
        later = datetime.fromisoformat(quote["latest"]) - datetime.fromisoformat(quote["date"])
        return later.total_seconds() / 60, quote["evidence"]

    by_belief, believed = await told()
    assert believed == {"jobs": 0, "pace": 1.0, "first_time_yield": pytest.approx(0.98**6, abs=0.001)}
    assert by_belief > 0
    number = await floor.order(quantity=4)
    await floor.plan(number)
    await floor.make(number, 10, good=4, scrap=2, seconds=2400)
    for operation in (20, 30, 40, 50, 60):
        await floor.make(number, operation, good=4, seconds=2400)
    by_jobs, known = await told()
    assert (known["jobs"], known["pace"] > 2, known["first_time_yield"] < 0.86) == (6, True, True)
    assert by_jobs > by_belief + 20


async def test_how_late_orders_get_is_learned_from_the_plan_beside_the_answers(
    floor: Floor, planner: Desk
) -> None:
    await floor.order(quantity=3)
    await planner.step()
    answerer = Answerer(planner.db, planner.settings, planner.name)

    async def told(kind: str = "quote", **more: Any) -> dict[str, Any]:
        asked = {"material": "PUMP-40", "quantity": "1", **more}
        async with floor.db.transaction(Cause(actor="account:p", at=utc_now())) as tx:
            question = await store.add_question(tx, kind, asked)
        assert await answerer.step() == 1
        async with floor.db.read() as tx:
            answer = await store.answer_to(tx, question)
        assert answer is not None
        return answer

    assert (await told())["latest"] is None
    assert answerer.learning is not None
    await answerer.learning
    answer = await told()
    assert answer["latest"] > answer["date"]
    said = await told("hold", name=HOLD.name, latest=None)
    wish = replace(HOLD, held_until=floor.now + timedelta(days=2))
    await floor.do(lambda tx: holding.hold(tx, wish, said))
    async with floor.db.read() as tx:
        (kept,) = await store.holds(tx, floor.now)
    assert kept.safe_at == datetime.fromisoformat(answer["latest"]) > kept.promised_at


@pytest.mark.usefixtures("answerer")
async def test_an_accepted_date_keeps_its_places_until_the_order_comes(
    web: Web, floor: Floor, planner: Desk
) -> None:
    await floor.lot("BOLT", "2000")
    await floor.order(quantity=3)
    await planner.step()
    browser = await web.browser(Role.PLANNER)
    before = (await browser.get(f"{API}/plan")).json()
    query = {"material": "PUMP-40", "quantity": "40"}
    much = {**query, "quantity": "500"}
    lacking = await browser.get(f"{API}/promise", params=much)
    assert (lacking.status_code, lacking.json()["error"]) == (409, "MaterialNotForeseen")
    never = await browser.post(f"{API}/promises", json=much, headers=key())
    assert (never.status_code, never.json()["error"]) == (409, "MaterialNotForeseen")
    told = (await browser.get(f"{API}/promise", params=query)).json()
    assert next(way for way in told["alternatives"] if way["kind"] == "split")["params"]["quantity"] == "20"
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
    await _two_parts_are_kept_and_given_back(browser, query, floor, planner)


async def _two_parts_are_kept_and_given_back(
    browser: AsyncClient, query: dict[str, str], floor: Floor, planner: Desk
) -> None:
    wanted = {"wanted": utc_now().isoformat(), "priority": "3"}
    told = (await browser.get(f"{API}/promise", params=query | wanted)).json()
    (split,) = (way for way in told["alternatives"] if way["kind"] == "split")
    sooner = split | {"date": wanted["wanted"]}
    gone = await browser.post(f"{API}/promises", json=query | {"option": sooner}, headers=key())
    assert (gone.status_code, gone.json()["error"]) == (409, "OfferGone")
    assert split["params"]["quantity"] in {
        way["params"].get("quantity") for way in gone.json()["state"]["alternatives"]
    }
    assert (await browser.get(f"{API}/promises")).json() == []
    wish = query | {"option": split, "customer": "Linde"}
    held = (await browser.post(f"{API}/promises", json=wish, headers=key())).json()
    parts = (await browser.get(f"{API}/promises")).json()
    assert {part["name"] for part in parts} == {held["name"], held["name"].removesuffix("A") + "B"}
    assert sum(Decimal(part["quantity"]) for part in parts) == Decimal(query["quantity"])
    assert {part["option"]["kind"] for part in parts} == {"split"}
    await floor.order(quantity=3)
    await planner.step()
    planned = {row["work_order"]: row for row in (await browser.get(f"{API}/proposal")).json()["orders"]}
    minutes_gone = service.SAME_PROMISE / timedelta(minutes=1)  # work that should begin at once begins later
    assert all(planned[part["name"]]["late_min"] <= minutes_gone for part in parts)
    for promise, status in ((held["promise"], 200), (parts[-1]["id"], 409)):
        reply = await browser.post(f"{API}/promises/{promise}/release", json={}, headers=key())
        assert reply.status_code == status
    assert (await browser.get(f"{API}/promises")).json() == []


async def test_overtime_of_an_accepted_date_is_in_the_plants_calendar_until_its_order_is_done(
    floor: Floor,
) -> None:
    floor.now = floor.now.replace(second=0, microsecond=0)
    begins = (floor.now + timedelta(hours=1)).replace(second=0, microsecond=0)
    window = {"start": begins.isoformat(), "end": (begins + timedelta(hours=2)).isoformat()}
    kept = {"equipment": "CNC-1", "skill": "MACHINING", "windows": [window]}
    hold = replace(HOLD, accepted_at=floor.now, begins_at=begins, held_until=begins, promised_at=begins)
    hold = replace(
        hold, customer="Linde", option={"kind": "overtime", "price": 1200, "params": {}, "kept": kept}
    )
    await floor.do(lambda tx: store.insert_hold(tx, hold))

    async def stays() -> int:
        async with floor.db.read() as tx:
            view = await view_plant(tx, floor.now, POLICY)
        return sum(w.end - w.start for c in view.problem.crews if not c.people for w in c.windows)

    assert await stays() == 120
    number = await floor.order(quantity=3)
    await floor.do(lambda tx: store.redeem_hold(tx, number, floor.now))
    assert await stays() == 120
    await floor.do(lambda tx: tx.execute("update mes.work_order set status = 'Cancelled'", {}))
    assert await stays() == 0


@pytest.mark.usefixtures("answerer")
async def test_no_plan_comes_in_force_by_itself_that_puts_an_accepted_date_off(
    web: Web, floor: Floor, planner: Desk
) -> None:
    always = POLICY.model_copy(update={"auto_publish": "always", "frozen_min": 0})
    planner.settings = planner.settings.model_copy(update={"planner": always})
    await floor.lot("BOLT", "2000")
    browser = await web.browser(Role.PLANNER)
    wish = {"material": "PUMP-40", "quantity": "60"}
    held = (await browser.post(f"{API}/promises", json=wish, headers=key())).json()
    await floor.order(quantity=60, due_in_h=0.1, priority=1)
    await planner.step()
    plan = (await browser.get(f"{API}/plan")).json()
    assert plan["breaks"] == []
    assert len([row for row in plan["operations"] if row["work_order"] == held["name"]]) == 6
    (broken,) = (await browser.get(f"{API}/proposal")).json()["breaks"]
    assert broken["work_order"] == held["name"]
    assert broken["promised_at"] == held["date"] < broken["end"]
    assert broken["told_at"] >= broken["promised_at"]


@dataclass(frozen=True)
class Redeemed:
    """A promise, and the order that has come for it."""

    name: str
    work_order: str | None


HOLD = store.Hold(
    id=uuid4(),
    name="PROMISE-1",
    material="PUMP-40",
    quantity=Decimal(3),
    priority=9,
    customer_order=None,
    promised_at=datetime(2026, 11, 2, tzinfo=UTC),
    places={},
    begins_at=datetime(2026, 11, 2, tzinfo=UTC),
    held_until=datetime(2026, 11, 2, tzinfo=UTC),
    accepted_at=datetime(2026, 11, 2, tzinfo=UTC),
    accepted_by="account:p",
)


async def _ends(floor: Floor) -> dict[str, datetime]:
    """When each order ends, everybody where he is in force and others after them."""
    async with floor.db.read() as tx:
        problem = (await view_plant(tx, floor.now, POLICY)).problem
    ends = order_ends(problem, as_published(problem))
    return {order: Clock(problem.origin).at(minute) for order, minute in ends.items()}


async def _promised(floor: Floor, number: str, hold: store.Hold) -> store.Hold:
    """The promise that the order alone would keep, its first step on a unit that was agreed on."""
    async with floor.db.read() as tx:
        problem = (await view_plant(tx, floor.now, POLICY)).problem
    alone, clock = as_published(problem), Clock(problem.origin)
    places = {
        run.operation.replace(number, hold.name): {
            "equipment": run.unit,
            "start": clock.at(run.start).isoformat(),
            "end": clock.at(run.end).isoformat(),
        }
        for run in alone.assignments
    }
    first = f"{hold.name}-10"
    kept = {"only_on": {first: places[first]["equipment"]}}
    option = {"kind": "unit", "price": 0, "params": {}, "kept": kept}
    date = clock.at(order_ends(problem, alone)[number])
    return replace(hold, places=places, promised_at=date, option=option)


async def test_the_order_that_was_promised_takes_its_places_over(floor: Floor, planner: Desk) -> None:
    until = floor.now + timedelta(hours=1)
    hold = replace(HOLD, promised_at=floor.now, begins_at=floor.now, held_until=until, accepted_at=floor.now)
    number = await floor.order(quantity=3)
    async with floor.db.read() as tx:
        snapshot = await dispatching.planning_snapshot(tx, at=floor.now)
    customer_order = next(o.customer_order for o in snapshot.work_orders if o.id == number)
    on_the_phone = replace(hold, id=uuid4(), name="PROMISE-2", customer="linde")
    more = replace(hold, id=uuid4(), name="PROMISE-3", customer="Linde", quantity=Decimal(4))
    another = replace(hold, id=uuid4(), name="PROMISE-4", customer="C-99")
    unnamed = replace(hold, id=uuid4(), name="PROMISE-5")
    named = await _promised(floor, number, replace(hold, customer_order=customer_order))
    rival = await floor.order(quantity=3, due_in_h=0.1)
    assert (await _ends(floor))[number] > named.promised_at
    parted = replace(unnamed, customer="Linde", quantity=Decimal(1), id=uuid4(), name="PROMISE-7-A")
    rest = replace(parted, id=uuid4(), name="PROMISE-7-B", quantity=Decimal(2), whole=parted.id)
    for row in (on_the_phone, more, another, unnamed, named, parted, rest):
        await floor.do(lambda tx, row=row: store.insert_hold(tx, row))  # type: ignore[misc]

    async def held() -> set[str]:
        await floor.do(lambda tx: store.redeem_hold(tx, number, floor.now))
        async with floor.db.read() as tx:
            assert await tx.value("select min(work_order) from planner.promise") == number
            return {row.name for row in await store.holds(tx, floor.now)}

    in_parts = {"PROMISE-7-A", "PROMISE-7-B"}
    assert await held() == {"PROMISE-2", "PROMISE-3", "PROMISE-4", "PROMISE-5"} | in_parts
    ends = await _ends(floor)
    assert ends[number] <= named.promised_at < ends[rival]
    async with floor.db.read() as tx:
        operations = (view := await view_plant(tx, floor.now, POLICY)).problem.operations
    assert view.taken_over == {o.id for o in operations if o.order == number}
    (first,) = (o for o in operations if o.id == f"{number}-10")
    assert [way.unit for way in first.alternatives] == [named.places["PROMISE-1-10"]["equipment"]]
    assert await held() == {"PROMISE-3", "PROMISE-4", "PROMISE-5"} | in_parts
    assert await held() == {"PROMISE-3", "PROMISE-4", "PROMISE-5"}
    assert await held() == {"PROMISE-3", "PROMISE-4", "PROMISE-5"}
    await planner.step()
    async with floor.db.read() as tx:
        assert (await view_plant(tx, floor.now, POLICY)).taken_over == frozenset()


def held_now(floor: Floor, **changes: Any) -> store.Hold:
    until = floor.now + timedelta(hours=1)
    return replace(HOLD, begins_at=floor.now, held_until=until, accepted_at=floor.now, **changes)


async def _meanwhile(
    planner: Desk, monkeypatch: pytest.MonkeyPatch, accept: Callable[[], Awaitable[None]]
) -> None:
    """Plan, and let somebody accept a date while the first plan is searched; plan until there is one."""

    async def searched(*args: Any, **named: Any) -> Answers:
        answers = await replan_in_child(*args, **named)
        await accept()
        monkeypatch.setattr(desk, "replan_in_child", replan_in_child)
        return answers

    monkeypatch.setattr(desk, "replan_in_child", searched)
    for _ in range(2):
        with suppress(service.PlanMovedOn):
            await planner.step()


@pytest.mark.parametrize("quantity", [3, 60])
async def test_a_date_that_is_accepted_while_a_plan_is_searched_stands_in_the_plan(
    floor: Floor, planner: Desk, monkeypatch: pytest.MonkeyPatch, quantity: int
) -> None:
    await floor.lot("BOLT", "2000")
    number = await floor.order(quantity=quantity)
    hold = await _promised(floor, number, held_now(floor, quantity=Decimal(quantity)))
    hold = replace(hold, option=None)
    await _meanwhile(planner, monkeypatch, lambda: floor.do(lambda tx: store.insert_hold(tx, hold)))
    async with floor.db.read() as tx:
        plan = await store.plan_of(tx, "in_force")
        view = await view_plant(tx, utc_now(), POLICY)
    assert plan is not None
    assert hold.places.keys() <= {row["job_order"] for row in plan.body["jobs"]}
    (order,) = [row for row in plan.body["orders"] if row["work_order"] == hold.name]
    assert datetime.fromisoformat(order["end"]) - hold.promised_at < service.SAME_PROMISE
    ends = order_ends(view.problem, as_published(view.problem))
    assert ends[hold.name] <= view.problem.order_by_id[hold.name].due + 5


async def test_no_plan_is_published_that_does_not_know_a_date_that_somebody_accepts_at_this_moment(
    floor: Floor, planner: Desk
) -> None:
    await floor.order(quantity=3)
    await planner.step()
    await floor.order(quantity=3)
    await planner.step()
    async with floor.db.read() as tx:
        proposal = await store.plan_of(tx, "proposed")
    assert proposal is not None
    said = await service.renew(floor.db, proposal.id, utc_now(), POLICY)
    hold = held_now(floor, promised_at=floor.now + timedelta(days=1))
    await floor.do(lambda tx: store.insert_hold(tx, hold))
    with pytest.raises(service.PromisedMeanwhile):
        await floor.do(lambda tx: service.publish_proposal(tx, proposal.id, said))
    too_soon = held_now(floor, id=uuid4(), name="PROMISE-2", promised_at=floor.now)
    await floor.do(lambda tx: store.insert_hold(tx, too_soon))
    said = await service.renew(floor.db, proposal.id, utc_now(), POLICY)
    assert [row for row, _ in said["slips"]] == ["PROMISE-2"]
    await floor.do(lambda tx: store.release_hold(tx, too_soon.id))
    said = await service.renew(floor.db, proposal.id, utc_now(), POLICY)
    assert await floor.do(lambda tx: service.publish_proposal(tx, proposal.id, said))


async def test_a_date_is_not_kept_that_was_answered_before_another_one_was_accepted(
    floor: Floor, planner: Desk
) -> None:
    answerer = Answerer(planner.db, planner.settings, planner.name)
    body = {"material": "PUMP-40", "quantity": "3", "latest": None, "name": "PROMISE-1"}
    said = await answerer._hold(body)
    await floor.do(lambda tx: store.insert_hold(tx, held_now(floor, id=uuid4(), name="PROMISE-9")))
    with pytest.raises(holding.DateOutdated):
        await floor.do(lambda tx: holding.hold(tx, held_now(floor), said))
    said = await answerer._hold(body)
    assert (await floor.do(lambda tx: holding.hold(tx, held_now(floor), said)))["name"] == "PROMISE-1"


async def test_an_order_takes_over_no_date_that_was_kept_for_it_once_but_the_one_that_is(
    floor: Floor, planner: Desk
) -> None:
    ago, day = floor.now - timedelta(days=9), timedelta(days=1)
    live = held_now(floor, id=uuid4(), name="PROMISE-2", customer="Linde")
    over = replace(live, id=uuid4(), name="PROMISE-1", accepted_at=ago, begins_at=ago, held_until=ago + day)
    never_called = replace(over, id=uuid4(), name="PROMISE-3", held_until=floor.now + day)
    for row in (over, live, never_called):
        await floor.do(lambda tx, row=row: store.insert_hold(tx, row))  # type: ignore[misc]
    number = await floor.order(quantity=3)
    await planner.step()
    async with floor.db.read() as tx:
        taken = await tx.fetch_all(Redeemed, "select name, work_order from planner.promise order by name")
    assert [(row.name, row.work_order) for row in taken] == [
        ("PROMISE-1", None),
        ("PROMISE-2", number),
        ("PROMISE-3", None),
    ]


async def test_an_acceptance_that_comes_again_gets_its_answer_without_the_planner(
    web: Web, floor: Floor, planner: Desk, answerer: Answerer
) -> None:
    await floor.order(quantity=3)
    await planner.step()
    browser = await web.browser(Role.PLANNER)
    query = {"material": "PUMP-40", "quantity": "3"}
    once = key()
    held = await browser.post(f"{API}/promises", json=query, headers=once)
    assert held.status_code == 200
    answerer.forget()
    told = (await browser.get(f"{API}/promise", params=query)).json()["date"]
    again = await browser.post(f"{API}/promises", json=query, headers=once)
    assert (again.status_code, again.json()) == (200, held.json())
    assert (await browser.get(f"{API}/promise", params=query)).json()["date"] == told


async def test_what_no_product_and_no_offer_can_be_is_refused_before_the_planner_is_asked(
    web: Web, floor: Floor, planner: Desk
) -> None:
    await floor.order(quantity=3)
    await planner.step()
    browser = await web.browser(Role.PLANNER)
    reply = await browser.get(f"{API}/promise", params={"material": "PUMP-40", "quantity": "0.5"})
    assert (reply.status_code, reply.json()["error"]) == (422, "QuantityNotWhole")
    offer = {"kind": "overtime", "date": utc_now().isoformat(), "price": 1, "params": {"minutes": 10**15}}
    wish = {"material": "PUMP-40", "quantity": "3", "option": offer}
    reply = await browser.post(f"{API}/promises", json=wish, headers=key())
    assert reply.status_code == 422
