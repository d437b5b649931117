"""A call for help stays open until somebody says that they come, and everybody sees which it is."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio

from mes.access.guard import Plant
from mes.access.model import Role
from mes.app import build_app, installed_routers
from mes.kernel.clock import utc_now
from mes.resources.service import person_card
from tests.fixtures.floor import Floor
from tests.fixtures.web import Web, demo_settings, key

API = "/api/v1"
CALL = f"{API}/equipment/CNC-1/help"
ANSWER = f"{API}/equipment/CNC-1/help/answer"


@pytest_asyncio.fixture
async def web(floor: Floor, tmp_path: Path) -> AsyncIterator[Web]:
    """The application over the open floor, at the present time."""
    floor.now = utc_now()
    made = Web(
        build_app(Plant(floor.db, demo_settings(tmp_path), person_card), installed_routers()), floor.db
    )
    yield made
    for client in made.opened:
        await client.aclose()


@pytest_asyncio.fixture
async def operator(web: Web) -> httpx2.AsyncClient:
    """E-1001 at the terminal of CNC-1."""
    client = await web.browser(Role.OPERATOR)
    client.headers["X-Terminal"] = "CNC-1"
    seated = await client.post(f"{API}/terminals/CNC-1/sit-down", json={"person": "E-1001"})
    assert seated.status_code == 200
    return client


async def call(operator: httpx2.AsyncClient, waited_s: float | None = None, **body: Any) -> dict[str, Any]:
    waited = {} if waited_s is None else {"X-Waited-S": str(waited_s)}
    reply = await operator.post(CALL, json=body, headers=key() | waited)
    assert reply.status_code == 200, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def told(floor: Floor, kind: str) -> int:
    async with floor.db.read() as tx:
        return int(await tx.value("select count(*) from mes.event where type = %(kind)s", {"kind": kind}))


async def shown(client: httpx2.AsyncClient) -> tuple[Any, Any]:
    """Return the call as the board and as the terminal of CNC-1 show it."""
    board = (await client.get(f"{API}/board")).json()
    (tile,) = [one for one in board["equipment"] if one["id"] == "CNC-1"]
    return tile["help"], (await client.get(f"{API}/terminals/CNC-1")).json()["help"]


async def test_a_call_is_open_until_it_is_answered(web: Web, operator: httpx2.AsyncClient) -> None:
    made = await call(operator)
    supervisor = await web.browser(Role.SUPERVISOR, account="chen")
    assert (await supervisor.get(f"{API}/help-calls")).json() == [made]
    assert (made["person"], made["person_name"], made["answered_by"]) == ("E-1001", "Name of E-1001", None)
    assert await shown(supervisor) == (made, made)
    answered = await supervisor.post(ANSWER, json={}, headers=key())
    assert (answered.status_code, answered.json()["answered_by"]) == (200, "chen")
    assert (await supervisor.get(f"{API}/help-calls")).json() == []
    on_board, at_terminal = await shown(supervisor)
    assert (on_board, at_terminal["id"], at_terminal["answered_by"]) == (None, made["id"], "chen")


async def test_a_second_call_is_the_first_one(floor: Floor, operator: httpx2.AsyncClient) -> None:
    made = await asyncio.gather(*(call(operator) for _ in range(4)))
    assert {one["id"] for one in made} == {made[0]["id"]}
    assert await told(floor, "HelpCalled") == 1


async def test_who_is_not_helped_calls_again(floor: Floor, web: Web, operator: httpx2.AsyncClient) -> None:
    supervisor = await web.browser(Role.SUPERVISOR)
    first = await call(operator)
    await supervisor.post(ANSWER, json={}, headers=key())
    second = await call(operator)
    assert second["id"] != first["id"]
    assert await told(floor, "HelpCalled") == 2


async def test_a_call_told_late_is_the_one_that_was_answered_meanwhile(
    floor: Floor, web: Web, operator: httpx2.AsyncClient
) -> None:
    supervisor = await web.browser(Role.SUPERVISOR)
    await floor.do(lambda tx: tx.execute("update mes.sign_on set since = since - interval '4 hours'"))
    first = await call(operator, waited_s=120)
    await supervisor.post(ANSWER, json={}, headers=key())
    late = await call(operator, waited_s=60)
    assert late["id"] == first["id"]
    assert await told(floor, "HelpCalled") == 1


async def test_a_call_that_waited_too_long_is_noted_and_calls_nobody(
    floor: Floor, operator: httpx2.AsyncClient
) -> None:
    await floor.do(lambda tx: tx.execute("update mes.sign_on set since = since - interval '4 hours'"))
    then = utc_now() - timedelta(hours=3)
    late = await call(operator, waited_s=3 * 3600)
    assert (late["late"], late["person"], late["answered_by"]) == (True, "E-1001", None)
    assert (await operator.get(f"{API}/help-calls")).json() == []
    assert await shown(operator) == (None, None)
    assert (await told(floor, "HelpCalledLate"), await told(floor, "HelpCalled")) == (1, 0)
    async with floor.db.read() as tx:
        at = await tx.value("select at from mes.event where type = 'HelpCalledLate'")
    assert then <= at <= utc_now() - timedelta(hours=3)
    assert (await call(operator))["late"] is False
    assert len((await operator.get(f"{API}/help-calls")).json()) == 1


@pytest.mark.parametrize(("wrong_by_s", "waited_s"), [(-1800, 2), (1800, 2), (0, 14 * 60), (0, 1.8e9)])
async def test_a_call_that_came_in_time_is_open_whatever_the_clock_of_the_terminal_shows(
    floor: Floor, operator: httpx2.AsyncClient, wrong_by_s: float, waited_s: float
) -> None:
    await floor.do(lambda tx: tx.execute("update mes.sign_on set since = since - interval '4 hours'"))
    shown_there = utc_now() + timedelta(seconds=wrong_by_s)
    made = await call(operator, waited_s, device_time=shown_there.isoformat())
    assert made["late"] is False
    assert (await operator.get(f"{API}/help-calls")).json() == [made]


async def test_an_answer_that_got_lost_is_given_once(
    floor: Floor, web: Web, operator: httpx2.AsyncClient
) -> None:
    await call(operator)
    engineer, press = await web.browser(Role.ENGINEER), key()
    first = await engineer.post(ANSWER, json={}, headers=press)
    again = await engineer.post(ANSWER, json={}, headers=press)
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")
    other = await (await web.browser(Role.SUPERVISOR)).post(ANSWER, json={}, headers=key())
    assert (other.status_code, other.json()["error"]) == (409, "HelpNotCalled")
    assert await told(floor, "HelpAnswered") == 1


async def test_a_person_at_a_terminal_answers_by_name(web: Web, operator: httpx2.AsyncClient) -> None:
    await call(operator)
    other = await web.browser(Role.SUPERVISOR)
    other.headers["X-Terminal"] = "ASM-1"
    await other.post(f"{API}/terminals/ASM-1/sit-down", json={"person": "E-1005"})
    answered = await other.post(ANSWER, json={}, headers=key())
    assert answered.json()["answered_by"] == "Name of E-1005"


@pytest.mark.parametrize(
    ("role", "scope", "status"),
    [
        (Role.OPERATOR, "", 403),
        (Role.PLANNER, "", 403),
        (Role.FINANCE, "", 403),
        (Role.SUPERVISOR, "PACK", 403),
        (Role.SUPERVISOR, "MACH", 200),
        (Role.ENGINEER, "MACH/MC/CNC-1", 200),
    ],
)
async def test_a_call_is_answered_where_the_right_holds(
    web: Web, operator: httpx2.AsyncClient, role: Role, scope: str, status: int
) -> None:
    await call(operator)
    other = await web.browser(role, scope=scope)
    assert (await other.post(ANSWER, json={}, headers=key())).status_code == status


async def take_back(client: httpx2.AsyncClient, call_id: str) -> tuple[int, dict[str, Any]]:
    reply = await client.post(f"{API}/help-calls/{call_id}/withdraw", json={}, headers=key())
    return reply.status_code, reply.json()


async def test_who_called_takes_the_call_back(floor: Floor, web: Web, operator: httpx2.AsyncClient) -> None:
    made = await call(operator)
    status, over = await take_back(operator, made["id"])
    assert (status, over["withdrawn"], over["answered_by"]) == (200, True, "Name of E-1001")
    assert (await operator.get(f"{API}/help-calls")).json() == []
    assert await shown(operator) == (None, None)
    assert (await take_back(operator, made["id"]))[1] == over
    assert await told(floor, "HelpWithdrawn") == 1
    supervisor = await web.browser(Role.SUPERVISOR)
    assert (await supervisor.post(ANSWER, json={}, headers=key())).json()["error"] == "HelpNotCalled"
    assert (await call(operator))["id"] != made["id"]


async def test_a_call_that_somebody_answers_meanwhile_stays_answered(
    floor: Floor, web: Web, operator: httpx2.AsyncClient
) -> None:
    made = await call(operator)
    supervisor = await web.browser(Role.SUPERVISOR, account="chen")
    await supervisor.post(ANSWER, json={}, headers=key())
    status, over = await take_back(operator, made["id"])
    assert (status, over["withdrawn"], over["answered_by"]) == (200, False, "chen")
    assert await told(floor, "HelpWithdrawn") == 0
    assert (await shown(operator))[1] == over
    assert (await take_back(operator, str(uuid4())))[0] == 409


async def test_a_call_is_taken_back_where_the_right_holds(web: Web, operator: httpx2.AsyncClient) -> None:
    made = await call(operator)
    elsewhere = await web.browser(Role.OPERATOR, scope="PACK")
    assert (await take_back(elsewhere, made["id"]))[0] == 403
    assert (await operator.get(f"{API}/help-calls")).json() == [made]


async def test_who_came_is_no_news_after_a_while(
    floor: Floor, web: Web, operator: httpx2.AsyncClient
) -> None:
    await call(operator)
    supervisor = await web.browser(Role.SUPERVISOR)
    await supervisor.post(ANSWER, json={}, headers=key())
    sql = "update mes.help_call set called_at = called_at - %(ago)s, answered_at = answered_at - %(ago)s"
    await floor.do(lambda tx: tx.execute(sql, {"ago": timedelta(minutes=16)}))
    assert await shown(supervisor) == (None, None)
