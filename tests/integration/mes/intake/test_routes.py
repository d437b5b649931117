"""An engineer sees what waits in quarantine, lets it out, and configures an edge."""

import asyncio
from typing import Any

import pytest
from fastapi import APIRouter

from mes.access.api import router as access_router
from mes.access.model import Role
from mes.intake import service as intake
from mes.intake.api import router
from mes.kernel.clock import utc_now
from mes.performance.api import router as performance_router
from tests.fixtures.facts import Edge, define_plant
from tests.fixtures.postgres import cause
from tests.fixtures.web import Web, key

STATE = {"name": "CNC-1/state", "kind": "state", "endpoint": "cell", "address": "ns=1;s=CNC-1.state"}


@pytest.fixture
def web_routers() -> list[APIRouter]:
    return [access_router, performance_router, router]


async def test_a_reading_in_quarantine_is_shown_and_let_out(web: Web) -> None:
    await define_plant(web.db)
    await Edge(web.db).send("CNC-1", "state", "state", 99, utc_now())
    async with web.db.transaction(cause()) as tx:
        await intake.absorb(tx)
    engineer = await web.browser(Role.ENGINEER)
    (row,) = (await engineer.get("/api/v1/edge/quarantine")).json()
    assert row["error"].startswith("ReadingNotUnderstood")
    path = f"/api/v1/edge/quarantine/{row['id']}/retry"
    assert (await engineer.post(path, json={}, headers=key())).json() == {"released": 1}
    again = await engineer.post(path, json={}, headers=key())
    assert (again.status_code, again.json()["error"]) == (409, "NotInQuarantine")


async def test_an_edge_gets_its_configuration_by_number(web: Web) -> None:
    engineer = await web.browser(Role.ENGINEER)
    missing = await engineer.get("/api/v1/edge/edge-suz-1/config")
    assert (missing.status_code, missing.json()["error"]) == (404, "EdgeConfigUnknown")
    body = {"config": {"tags": [STATE]}}
    sent = await engineer.post("/api/v1/edge/edge-suz-1/config", json=body, headers=key())
    assert sent.json() == {"version": 1}
    found = (await engineer.get("/api/v1/edge/edge-suz-1/config")).json()
    assert (found["version"], found["config"], found["acknowledged_at"]) == (1, body["config"], None)


@pytest.mark.parametrize(
    ("edge", "config"),
    [
        ("edge-suz-1", {"tags": "x"}),
        ("edge-suz-1", {"tags": [{"name": "CNC-1/state"}]}),
        ("edge-suz-1", {"tags": [{**STATE, "reader": "\0"}]}),
        ("edge-suz-1", {"tags": [STATE], "more": 1}),
        ("EDGE_NO", {"tags": [STATE]}),
    ],
)
async def test_what_no_edge_can_read_is_not_stored(web: Web, edge: str, config: dict[str, Any]) -> None:
    engineer = await web.browser(Role.ENGINEER)
    refused = await engineer.post(f"/api/v1/edge/{edge}/config", json={"config": config}, headers=key())
    assert refused.status_code == 422
    missing = await engineer.get(f"/api/v1/edge/{edge}/config")
    assert missing.json()["error"] == "EdgeConfigUnknown"


async def test_configurations_sent_at_once_are_numbered_one_after_another(web: Web) -> None:
    engineer = await web.browser(Role.ENGINEER)

    async def send(number: int) -> int:
        body = {"config": {"tags": [{**STATE, "address": f"ns=1;s={number}"}]}}
        reply = await engineer.post("/api/v1/edge/edge-suz-1/config", json=body, headers=key())
        version: int = reply.json()["version"]
        return version

    assert sorted(await asyncio.gather(*map(send, range(4)))) == [1, 2, 3, 4]


async def test_a_doubtful_count_is_decided_once(web: Web) -> None:
    await define_plant(web.db)
    await Edge(web.db).good("CNC-1", 7, utc_now(), doubtful=True)
    async with web.db.transaction(cause()) as tx:
        await intake.absorb(tx)
    supervisor = await web.browser(Role.SUPERVISOR)
    (waiting,) = (await supervisor.get("/api/v1/counts/doubtful")).json()
    path = f"/api/v1/counts/{waiting['id']}/decide"
    assert (await supervisor.post(path, json={"accepted": True}, headers=key())).json()["delta"] == "7"
    again = await supervisor.post(path, json={"accepted": False}, headers=key())
    assert (again.status_code, again.json()["error"]) == (409, "CountNotWaiting")


async def test_an_operator_configures_no_edge(web: Web) -> None:
    operator = await web.browser(Role.OPERATOR)
    sent = await operator.post("/api/v1/edge/edge-suz-1/config", json={"config": {}}, headers=key())
    assert (sent.status_code, sent.json()["error"]) == (403, "NotPermitted")
