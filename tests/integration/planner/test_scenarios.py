"""Scenarios from the copy to the publication and back, over HTTP; solved by the real queue and solver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import pytest_asyncio

from mes.access.guard import Plant
from mes.access.model import Role
from mes.app import build_app, installed_routers
from mes.kernel.clock import utc_now
from mes.kernel.db import Database
from mes.kernel.settings import Planner, Settings
from mes.resources.service import person_card
from planner import asking, desk, store
from planner.answering import Answerer
from planner.desk import Desk
from planner.scenarios import service
from planner.scenarios import store as scenarios
from planner.scenarios.api import ScenarioComparison, ScenarioShown
from planner.scenarios.worker import ScenarioWorker
from planner.shown import PlanShown
from tests.fixtures.floor import Floor
from tests.fixtures.web import Web, demo_settings, key

API = "/api/v1/planner"
POLICY = Planner(seconds=0.1, debounce_s=0, auto_publish="first", frozen_min=0)


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
async def answerer(planner: Desk) -> AsyncIterator[None]:
    """The part of the planner's process that answers questions."""
    answering = asyncio.create_task(Answerer(planner.db, planner.settings, planner.name).run())
    yield
    answering.cancel()
    await asyncio.wait([answering])


@asynccontextmanager
async def working(db: Database, home: Path) -> AsyncIterator[ScenarioWorker]:
    """A worker of the queue, as it runs in the planner's process and in `lineside worker`."""
    worker = ScenarioWorker(db, Settings(home=home, database_url=db.url, planner=POLICY))
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        running.cancel()
        await asyncio.wait([running])


async def said(browser: httpx2.AsyncClient, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The answer to a command that is carried out."""
    reply = await browser.post(f"{API}{path}", json=body or {}, headers=key())
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def refused(
    browser: httpx2.AsyncClient, path: str, body: dict[str, Any] | None = None
) -> tuple[int, str]:
    reply = await browser.post(f"{API}{path}", json=body or {}, headers=key())
    return reply.status_code, reply.json()["error"]


async def until(
    browser: httpx2.AsyncClient, scenario: str, done: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The scenario, as soon as it is so."""
    async with asyncio.timeout(240):
        while True:
            reply = await browser.get(f"{API}/scenarios/{scenario}")
            found: dict[str, Any] = reply.json()
            if done(found["head"]):
                return found
            await asyncio.sleep(0.05)


def is_over(head: dict[str, Any]) -> bool:
    return head["status"] not in {"waiting", "solving"}


async def copied(browser: httpx2.AsyncClient, *changes: dict[str, Any]) -> str:
    """A new scenario with changes."""
    scenario = (await said(browser, "/scenarios", {"name": "What if"}))["scenario"]
    if changes:
        edit = {"changes": changes, "revision": 1}
        assert (await said(browser, f"/scenarios/{scenario}/changes", edit))["revision"] == 2
    return str(scenario)


async def solved(browser: httpx2.AsyncClient, scenario: str) -> dict[str, Any]:
    await said(browser, f"/scenarios/{scenario}/solve", {"seconds": 0.1})
    return await until(browser, scenario, is_over)


@pytest.mark.usefixtures("answerer")
async def test_a_scenario_is_copied_changed_solved_compared_published_and_taken_back(
    web: Web, floor: Floor, planner: Desk, tmp_path: Path
) -> None:
    numbers = [await floor.order(quantity=4, due_in_h=20) for _ in range(3)]
    await planner.step()
    browser = await web.browser(Role.PLANNER)
    before = (await browser.get(f"{API}/plan")).json()
    machining = {
        row["work_order"]: row["equipment"] for row in before["operations"] if row["operation"] == 10
    }
    unit = machining[numbers[0]]
    hours = {"from": floor.now.isoformat(), "to": (floor.now + timedelta(hours=30)).isoformat()}
    wish = {"material": "PUMP-40", "quantity": "2", "due_at": hours["to"]}
    scenario = await copied(
        browser,
        {"kind": "unit-down", "equipment": unit, **hours},
        {"kind": "add-order", "work_order": "RUSH", **wish},
    )
    async with working(floor.db, tmp_path / "here"):
        shown = await solved(browser, scenario)
    ScenarioShown.model_validate(shown)
    head = shown["head"]
    assert (head["status"], head["changes"], head["planned_on"]) == ("solved", 2, before["version"])
    assert head["progress"]["phase"] == "searching"
    compared = ScenarioComparison.model_validate(shown["comparison"])
    assert compared.added == ["RUSH"]
    assert compared.before.orders + 1 == compared.after.orders
    assert {move.from_.equipment for move in compared.moved} >= {unit}
    answer = await browser.get(f"{API}/scenarios/{scenario}/plan")
    plan = PlanShown.model_validate_json(answer.text)
    assert unit not in {row.equipment for row in plan.operations}
    assert "RUSH" in {row.work_order for row in plan.orders}
    assert (await browser.get(f"{API}/plan")).json()["version"] == before["version"]

    once = key()
    path = f"{API}/scenarios/{scenario}/publish"
    body = {"plan": head["plan"]}
    published = (await browser.post(path, json=body, headers=once)).json()
    assert published["version"] == before["version"] + 1, published
    assert (await browser.post(path, json=body, headers=once)).json() == published
    now = PlanShown.model_validate_json((await browser.get(f"{API}/plan")).text)
    assert now.trigger[-1].reason == "scenario"
    assert {row.work_order for row in now.orders} == set(numbers)
    assert unit not in {row.equipment for row in now.operations}
    assert await refused(browser, f"/scenarios/{scenario}/publish", body) == (409, "ScenarioEnded")

    back = {"version": published["version"], "reason": "the machine stays up"}
    undone = await said(browser, "/plan/undo", back)
    assert undone["version"] == published["version"] + 1
    again = (await browser.get(f"{API}/plan")).json()
    assert {row["job_order"]: row["equipment"] for row in again["operations"]} == {
        row["job_order"]: row["equipment"] for row in before["operations"]
    }
    assert again["trigger"][-1]["params"]["reason"] == "the machine stays up"
    assert (again["by"], again["trigger"][-1]["reason"]) != (before["by"], "order")
    assert await refused(browser, "/plan/undo", back) == (409, "ProposalOverruled")
    assert await refused(browser, "/plan/undo", {**back, "version": 1}) == (409, "NothingBefore")
    assert await refused(browser, "/plan/undo", {**back, "version": 99}) == (404, "PlanUnknown")
    async with floor.db.read() as tx:
        types = await tx.value("select array_agg(type order by id) from mes.event where type = any(%(t)s)",
                               {"t": ["ScenarioChanged", "PlanUndone"]})  # fmt: skip
    assert types == [*["ScenarioChanged"] * 6, "PlanUndone"]


@pytest.mark.usefixtures("answerer")
async def test_a_plan_that_counts_on_what_is_not_so_is_not_published(
    web: Web, floor: Floor, planner: Desk, tmp_path: Path
) -> None:
    number = await floor.order(quantity=4, due_in_h=0.01)
    await planner.step()
    browser = await web.browser(Role.PLANNER)
    later = (floor.now + timedelta(hours=40)).isoformat()
    scenario = await copied(browser, {"kind": "due-date", "work_order": number, "due_at": later})
    async with working(floor.db, tmp_path / "here"):
        shown = await solved(browser, scenario)
    assert shown["comparison"]["after"]["late_orders"] == 0
    assert [row["work_order"] for row in shown["comparison"]["saved"]] == [number]
    seen = {"plan": shown["head"]["plan"]}
    assert await refused(browser, f"/scenarios/{scenario}/publish", seen) == (409, "ScenarioNotTrue")
    assert (await browser.get(f"{API}/scenarios/{scenario}")).json()["head"]["status"] == "solved"


@pytest.mark.usefixtures("answerer")
async def test_a_scenario_from_before_another_plan_came_in_force_is_overruled(
    web: Web, floor: Floor, planner: Desk, tmp_path: Path
) -> None:
    await floor.order(quantity=4)
    await planner.step()
    browser = await web.browser(Role.PLANNER)
    first = await copied(browser)
    second = (await said(browser, "/scenarios", {"name": "The same", "source": first}))["scenario"]
    async with working(floor.db, tmp_path / "here"):
        plans = [{"plan": (await solved(browser, one))["head"]["plan"]} for one in (first, second)]
    await said(browser, f"/scenarios/{first}/publish", plans[0])
    assert await refused(browser, f"/scenarios/{second}/publish", plans[1]) == (409, "ProposalOverruled")
    assert (await said(browser, f"/scenarios/{second}/discard"))["status"] == "discarded"
    assert await refused(browser, f"/scenarios/{second}/solve") == (409, "ScenarioEnded")
    listed = (await browser.get(f"{API}/scenarios")).json()
    assert [(row["id"], row["status"]) for row in listed] == [(first, "published")]


@pytest.mark.usefixtures("answerer")
async def test_a_scenario_is_changed_by_one_at_a_time_and_only_while_nobody_solves_it(
    web: Web, floor: Floor, planner: Desk
) -> None:
    number = await floor.order(quantity=4)
    await planner.step()
    browser = await web.browser(Role.SUPERVISOR)
    scenario = await copied(browser)
    path = f"/scenarios/{scenario}"
    rush = {"kind": "priority", "work_order": number, "priority": 1}
    assert (await said(browser, f"{path}/changes", {"changes": [rush], "revision": 1}))["revision"] == 2
    stale = {"changes": [], "revision": 1}
    assert await refused(browser, f"{path}/changes", stale) == (409, "ScenarioMovedOn")
    nobody = {"changes": [{**rush, "work_order": "WO-9"}], "revision": 2}
    assert await refused(browser, f"{path}/changes", nobody) == (422, "ScenarioOrderUnknown")
    nonsense = {"changes": [{"kind": "weather"}], "revision": 2}
    assert await refused(browser, f"{path}/changes", nonsense) == (422, "RequestNotValid")
    strange = {"kind": "add-order", "work_order": "X", "material": "PUMP-99", "quantity": "1",
               "due_at": floor.now.isoformat()}  # fmt: skip
    assert (await refused(browser, f"{path}/changes", {"changes": [strange], "revision": 2}))[0] == 404
    assert await refused(browser, f"{path}/stop") == (409, "ScenarioNotAsked")
    assert (await browser.get(f"{API}{path}/plan")).json()["error"] == "ScenarioNotSolved"
    seen = {"plan": str(uuid4())}
    assert await refused(browser, f"{path}/publish", seen) == (403, "NotPermitted")
    await said(browser, f"{path}/solve")
    assert await refused(browser, f"{path}/changes", {"changes": [], "revision": 2}) == (409, "ScenarioBusy")
    assert await refused(browser, f"{path}/solve") == (409, "ScenarioBusy")
    assert (await said(browser, f"{path}/stop"))["status"] == "draft"
    async with floor.db.read() as tx:
        assert await tx.value("select count(*) from procrastinate.procrastinate_jobs") == 0
    boss = await web.browser(Role.PLANNER)
    assert await refused(boss, f"{path}/publish", seen) == (409, "ScenarioNotSolved")


@pytest.mark.usefixtures("answerer")
async def test_only_the_plan_that_a_planner_has_seen_is_published_however_often_others_solve_it_again(
    web: Web, floor: Floor, planner: Desk, tmp_path: Path
) -> None:
    number = await floor.order(quantity=4)
    await planner.step()
    one, other = [await web.browser(Role.PLANNER) for _ in range(2)]
    scenario = await copied(one)
    path = f"/scenarios/{scenario}"
    rush = {"kind": "priority", "work_order": number, "priority": 1}
    async with working(floor.db, tmp_path):
        seen = (await solved(one, scenario))["head"]
        edit = {"changes": [rush], "revision": seen["revision"]}
        await said(other, f"{path}/changes", edit)
        now = (await solved(other, scenario))["head"]
    before = (await one.get(f"{API}/plan")).json()["version"]
    assert await refused(one, f"{path}/publish", {"plan": seen["plan"]}) == (409, "ScenarioMovedOn")
    assert (await one.get(f"{API}/plan")).json()["version"] == before
    assert (await said(one, f"{path}/publish", {"plan": now["plan"]}))["version"] == before + 1


@pytest.mark.usefixtures("answerer")
async def test_a_search_that_is_stopped_leaves_what_it_has_found(
    web: Web, floor: Floor, planner: Desk, tmp_path: Path
) -> None:
    await floor.lot("BOLT", "2000")
    for _ in range(25):
        await floor.order(quantity=6, due_in_h=0.3)
    await planner.step()
    browser = await web.browser(Role.PLANNER)
    scenario = await copied(browser)
    async with working(floor.db, tmp_path / "here"):
        await said(browser, f"/scenarios/{scenario}/solve", {"seconds": 600})
        await until(
            browser,
            scenario,
            lambda head: bool(head["progress"] and head["progress"]["objective"]),
        )
        await said(browser, f"/scenarios/{scenario}/stop")
        shown = await until(browser, scenario, is_over)
    assert shown["head"]["status"] == "solved"
    assert shown["comparison"]["after"]["orders"] == 25


async def asked_for(floor: Floor, name: str = "What if") -> UUID:
    """A scenario that waits for a worker, asked for without the pages."""
    picture = UUID(key()["Idempotency-Key"])
    await service.take_picture(floor.db, picture, floor.now)
    await floor.do(lambda tx: service.copy_plan(tx, picture, name, picture))
    await floor.do(lambda tx: service.ask(tx, picture, 0.1))
    return picture


async def begun_by_the_dead(floor: Floor, scenario: UUID) -> int:
    """A worker has taken the scenario's job and was killed a minute ago; returns the job."""

    async def act(tx: Any) -> int:
        worker = await tx.value(
            "insert into procrastinate.procrastinate_workers (last_heartbeat)"
            " values (clock_timestamp() - interval '1 minute') returning id"
        )
        job: int = await tx.value("select job from planner.scenario where id = %(id)s", {"id": scenario})
        await tx.execute(
            "update procrastinate.procrastinate_jobs set status = 'doing', worker_id = %(worker)s"
            " where id = %(job)s",
            {"job": job, "worker": worker},
        )
        assert await service.begin(tx, scenario, job, "elsewhere") is not None
        return job

    return await floor.do(act)


async def test_what_a_dead_worker_left_is_solved_once_more_and_then_given_up(
    floor: Floor, tmp_path: Path
) -> None:
    await floor.order(quantity=3)
    scenario = await asked_for(floor)
    worker = ScenarioWorker(floor.db, Settings(home=tmp_path, database_url=floor.db.url, planner=POLICY))
    assert await worker.reap() == {}
    first = await begun_by_the_dead(floor, scenario)
    assert await worker.reap() == {scenario: "waiting"}
    assert await worker.reap() == {}

    async def late(tx: Any) -> bool:
        """The first one was not dead, only slow: it comes with its answer."""
        return await scenarios.store_end(tx, scenario, first, "failed", {"error": "x"})

    assert not await floor.do(late)
    assert await floor.do(lambda tx: service.begin(tx, scenario, first, "elsewhere")) is None
    await begun_by_the_dead(floor, scenario)
    assert await worker.reap() == {scenario: "failed"}
    async with floor.db.read() as tx:
        found = await service.scenario(tx, scenario)
        assert await tx.value("select count(*) from procrastinate.procrastinate_jobs") == 0
    assert (found.status, found.error) == ("failed", {"error": "WorkerLost", "faults": []})
    await floor.do(lambda tx: service.ask(tx, scenario, 0.1))
    async with floor.db.read() as tx:
        assert (await service.scenario(tx, scenario)).attempts == 0


async def test_a_worker_that_comes_back_knows_at_once_what_it_lost_when_it_was_killed(
    floor: Floor, tmp_path: Path
) -> None:
    await floor.order(quantity=3)
    scenario = await asked_for(floor)
    settings = Settings(home=tmp_path, database_url=floor.db.url, planner=POLICY)
    worker = ScenarioWorker(floor.db, settings)

    async def begun(tx: Any) -> None:
        alive = await tx.value("insert into procrastinate.procrastinate_workers default values returning id")
        job = await tx.value(
            "update procrastinate.procrastinate_jobs set status = 'doing', worker_id = %(alive)s"
            " returning id",
            {"alive": alive},
        )
        await service.begin(tx, scenario, job, worker.name)

    await floor.do(begun)
    assert await worker.reap() == {}
    assert await worker.reap(own=True) == {scenario: "waiting"}


async def test_a_worker_that_is_stopped_in_order_gives_its_job_to_the_next(
    floor: Floor, tmp_path: Path
) -> None:
    await floor.order(quantity=3)
    scenario = await asked_for(floor)
    await floor.do(lambda tx: tx.execute("update planner.scenario set seconds = 600"))

    async def now() -> scenarios.Scenario:
        async with floor.db.read() as tx:
            return await service.scenario(tx, scenario)

    async with asyncio.timeout(240):
        async with working(floor.db, tmp_path / "one"):
            while (await now()).status != "solving":
                await asyncio.sleep(0.02)
        given = await now()
        assert (given.status, given.attempts) == ("waiting", 0)
        await floor.do(lambda tx: tx.execute("update planner.scenario set seconds = 0.1"))
        async with working(floor.db, tmp_path / "two"):
            while (await now()).status != "solved":
                await asyncio.sleep(0.05)


async def test_old_scenarios_and_pictures_that_nobody_uses_are_forgotten(floor: Floor) -> None:
    await floor.order(quantity=3)
    scenario = await asked_for(floor)
    await floor.do(lambda tx: service.discard(tx, scenario))
    await floor.do(scenarios.prune)
    async with floor.db.read() as tx:
        assert (await service.scenario(tx, scenario)).status == "discarded"
    past = "update planner.scenario set changed_at = now() - interval '15 days'"
    await floor.do(lambda tx: tx.execute(past))
    await floor.do(lambda tx: tx.execute("update planner.picture set taken_at = now() - interval '2 days'"))
    await floor.do(scenarios.prune)
    await floor.do(store.prune)
    async with floor.db.read() as tx:
        assert await tx.value("select count(*) from planner.scenario") == 0
        assert await tx.value("select count(*) from planner.picture") == 0


@pytest.mark.usefixtures("answerer")
async def test_a_plan_that_did_not_know_a_new_date_is_taken_back_when_it_is_asked_again(
    web: Web, floor: Floor, planner: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await floor.lot("BOLT", "2000")
    browser = await web.browser(Role.PLANNER)
    for _ in range(2):
        await floor.order(quantity=4, due_in_h=20)
        await planner.step()
    proposal = (await browser.get(f"{API}/proposal")).json()["id"]
    version = (await said(browser, f"/proposals/{proposal}/publish"))["version"]
    inquire = asking.inquire

    async def answered_while_a_date_is_accepted(*asked: Any) -> dict[str, Any]:
        answer = await inquire(*asked)
        monkeypatch.setattr(asking, "inquire", inquire)
        await said(browser, "/promises", {"material": "PUMP-40", "quantity": "5"})
        return answer

    monkeypatch.setattr(asking, "inquire", answered_while_a_date_is_accepted)
    wish, once = {"version": version, "reason": "too soon"}, key()
    first, second = [await browser.post(f"{API}/plan/undo", json=wish, headers=once) for _ in range(2)]
    assert (first.status_code, first.json()["error"]) == (409, "PromisedMeanwhile")
    assert (second.status_code, second.json().get("version")) == (200, version + 1)
