"""Badge and PIN at a terminal: the right person is written into every booking."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import httpx2
import pytest
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from mes.access import service
from mes.access.api import router as access_router
from mes.access.guard import CommandBody, Plant, require, run_command
from mes.access.model import PIN_ATTEMPTS, Caller, Permission, PinNotValid, Role
from mes.access.passwords import secret_matches
from mes.app import build_app
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database, Tx
from mes.kernel.ids import PersonId
from tests.fixtures.postgres import cause
from tests.fixtures.web import Web, anybody, demo_settings, key

PIN = "4711"
echo = APIRouter(prefix="/api/v1")


@echo.post("/echo/{thing}")
async def say_who(
    request: Request,
    thing: str,
    body: CommandBody,
    caller: Annotated[Caller, require(Permission.WORK_REPORT, placed=True)],
) -> JSONResponse:
    """Answer with the cause that a handler is given."""

    async def handler(tx: Tx) -> dict[str, object]:
        return {"actor": tx.cause.actor, "at": tx.now, "terminal": tx.cause.terminal, "nonce": uuid4()}

    return await run_command(request, caller, "test.echo", body, handler)


@pytest.fixture
def web_routers() -> list[APIRouter]:
    return [access_router, echo]


@pytest.fixture
async def plant(web: Web) -> Web:
    """Two terminals, two people with badges and the same PIN."""
    hashed = await service.hash_pin(PIN)
    async with web.db.transaction(cause()) as tx:
        await service.put_terminal(tx, "CNC-1", "MACH/MC/CNC-1")
        await service.put_terminal(tx, "ASM-1", "ASSY/AS1/ASM-1")
        for person in ("E-1001", "E-1002"):
            await service.issue_badge(tx, PersonId(person), f"EMP:{person}", hashed)
        await service.issue_badge(tx, PersonId("E-1003"), "EMP:E-1003")
    return web


async def sign_on(
    browser: httpx2.AsyncClient, person: str = "E-1001", pin: str = PIN, terminal: str = "CNC-1"
) -> httpx2.Response:
    return await browser.post(
        f"/api/v1/terminals/{terminal}/sign-on", json={"badge": f"EMP:{person}", "pin": pin}
    )


async def act(browser: httpx2.AsyncClient, waited: timedelta | None = None, **body: str) -> httpx2.Response:
    """Send an act that has waited in its device for so long."""
    headers = {"X-Terminal": "CNC-1", **key()} | waits(waited)
    return await browser.post("/api/v1/echo/1", json=body, headers=headers)


def waits(waited: timedelta | None) -> dict[str, str]:
    return {} if waited is None else {"X-Waited-S": str(waited.total_seconds())}


async def test_badge_and_pin_sign_a_person_on(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    reply = await sign_on(browser)
    assert reply.json() == {
        "terminal": "CNC-1",
        "person": {"id": "E-1001", "name": "Name of E-1001", "skills": ["MACHINING"]},
        "receipt": reply.json()["receipt"],
    }
    assert (await act(browser)).json()["actor"] == "person:E-1001"


@pytest.mark.parametrize(("badge", "pin"), [("EMP:E-1001", "0000"), ("EMP:E-9999", PIN), ("EMP:E-1003", PIN)])
async def test_wrong_pin_unknown_badge_and_no_pin_are_told_the_same(plant: Web, badge: str, pin: str) -> None:
    browser = await plant.browser(Role.OPERATOR)
    reply = await browser.post("/api/v1/terminals/CNC-1/sign-on", json={"badge": badge, "pin": pin})
    assert (reply.status_code, reply.json()["error"]) == (401, "BadgeRefused")


async def test_five_wrong_pins_lock_the_badge_at_that_terminal(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    for _ in range(PIN_ATTEMPTS):
        await sign_on(browser, pin="0000")
    locked = await sign_on(browser)
    assert (locked.status_code, locked.json()["error"]) == (429, "PinLocked")
    assert (await sign_on(browser, terminal="ASM-1")).status_code == 200


async def test_a_lock_ends_by_itself(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    for _ in range(PIN_ATTEMPTS):
        await sign_on(browser, pin="0000")
    async with plant.db.transaction(cause()) as tx:
        await tx.execute("update mes.pin_attempt set locked_until = now() - interval '1 s'")
    assert (await sign_on(browser, pin="0000")).json()["error"] == "BadgeRefused"
    assert (await sign_on(browser)).status_code == 200


async def test_the_next_person_replaces_the_one_before(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    await sign_on(browser)
    await sign_on(browser, "E-1002")
    assert (await act(browser)).json()["actor"] == "person:E-1002"


async def test_nothing_is_booked_where_nobody_is_signed_on(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    reply = await act(browser)
    assert (reply.status_code, reply.json()["error"]) == (409, "NobodySignedOn")
    await sign_on(browser)
    await browser.post("/api/v1/terminals/CNC-1/sign-off")
    assert (await act(browser)).json()["error"] == "NobodySignedOn"


async def test_a_sign_off_that_arrives_late_does_not_throw_the_next_person_out(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    await sign_on(browser, "E-1002")
    await browser.post("/api/v1/terminals/CNC-1/sign-off", headers=waits(timedelta(hours=1)))
    assert (await act(browser)).json()["actor"] == "person:E-1002"


async def test_another_browser_cannot_book_as_the_person_at_the_terminal(plant: Web) -> None:
    mine, other = await plant.browser(Role.OPERATOR), await plant.browser(Role.OPERATOR)
    await sign_on(mine)
    reply = await act(other)
    assert (reply.status_code, reply.json()["error"]) == (409, "TerminalTakenOver")


async def test_a_report_made_offline_belongs_to_who_was_there_then(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    await sign_on(browser)
    async with plant.db.transaction(cause()) as tx:
        await tx.execute("update mes.sign_on set since = since - interval '3 hours'")
    await browser.post("/api/v1/terminals/CNC-1/sign-off")
    await sign_on(browser, "E-1002")
    before = utc_now()
    reply = (await act(browser, waited=timedelta(hours=2))).json()
    assert reply["actor"] == "person:E-1001"
    assert before <= datetime.fromisoformat(reply["at"]) + timedelta(hours=2) <= utc_now()
    assert (await act(browser)).json()["actor"] == "person:E-1002"


async def backdated(plant: Web, hours: float) -> None:
    async with plant.db.transaction(cause()) as tx:
        await tx.execute(
            "update mes.sign_on set since = since - make_interval(hours => %(hours)s::int)", {"hours": hours}
        )


async def test_a_sign_on_that_nobody_ended_is_over_after_its_lifetime(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    await sign_on(browser)
    await backdated(plant, 72)
    reply = await act(browser)
    assert (reply.status_code, reply.json()["error"]) == (409, "NobodySignedOn")
    assert (await act(browser, waited=timedelta(hours=24))).json()["error"] == "NobodySignedOn"


async def test_acts_that_waited_are_their_persons_after_the_browser_signed_in_again(plant: Web) -> None:
    before = await plant.browser(Role.OPERATOR, account="line-1")
    receipt = (await sign_on(before)).json()["receipt"]
    await backdated(plant, 10)
    then = timedelta(hours=8)
    after = await plant.browser(Role.OPERATOR, account="line-1")
    await sign_on(after, "E-1002")
    assert (await act(after, waited=then)).json()["error"] == "TerminalTakenOver"
    after.headers["X-Sign-On"] = receipt
    assert (await act(after, waited=then)).json()["actor"] == "person:E-1001"
    stranger = await plant.browser(Role.OPERATOR, account="line-2")
    stranger.headers["X-Sign-On"] = receipt
    assert (await act(stranger, waited=then)).json()["error"] == "TerminalTakenOver"


@pytest.mark.parametrize("slow", [timedelta(minutes=3), timedelta(hours=1), timedelta(minutes=-30)])
@pytest.mark.parametrize("waited", [None, timedelta(seconds=2)])
async def test_the_clock_of_a_tablet_dates_nothing(
    plant: Web, slow: timedelta, waited: timedelta | None
) -> None:
    before = utc_now()
    browser = await plant.browser(Role.OPERATOR)
    browser.headers["X-Sign-On"] = (await sign_on(browser)).json()["receipt"]
    done = await act(browser, waited=waited, device_time=(utc_now() - slow).isoformat())
    assert (done.status_code, done.json()["actor"]) == (200, "person:E-1001")
    assert before <= datetime.fromisoformat(done.json()["at"]) <= utc_now()


async def test_a_sign_off_is_dated_as_every_act_is(plant: Web, db: Database) -> None:
    browser = await plant.browser(Role.OPERATOR)
    await sign_on(browser)
    await backdated(plant, 3)
    slow = {"device_time": (utc_now() - timedelta(days=1)).isoformat()}
    before = utc_now()
    await browser.post("/api/v1/terminals/CNC-1/sign-off", json=slow, headers=waits(timedelta(hours=1)))
    async with db.read() as tx:
        ended = await tx.value("select ended_at from mes.sign_on")
    assert before <= ended + timedelta(hours=1) <= utc_now()


async def test_who_was_replaced_books_nothing_that_was_done_afterwards(plant: Web) -> None:
    mine, other = await plant.browser(Role.OPERATOR), await plant.browser(Role.OPERATOR)
    receipt = {"X-Sign-On": (await sign_on(mine)).json()["receipt"]}
    await backdated(plant, 1)
    await sign_on(other, "E-1002")
    for shown in ({}, receipt):
        mine.headers.pop("X-Sign-On", None)
        mine.headers.update(shown)
        assert (await act(mine, waited=timedelta(minutes=10))).json()["actor"] == "person:E-1001"
        assert (await act(mine, waited=timedelta())).json()["error"] == "TerminalTakenOver"
        assert (await act(mine)).json()["error"] == "TerminalTakenOver"


async def test_an_act_of_the_person_before_is_not_the_next_ones_in_the_same_browser(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    browser.headers["X-Sign-On"] = (await sign_on(browser)).json()["receipt"]
    await sign_on(browser, "E-1002")
    assert (await act(browser)).json()["error"] == "TerminalTakenOver"


async def test_an_act_was_not_done_before_its_sign_on_whatever_its_device_says(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    browser.headers["X-Sign-On"] = (await sign_on(browser)).json()["receipt"]
    done = (await act(browser, waited=timedelta(hours=5))).json()
    async with plant.db.read() as tx:
        since = await tx.value("select since from mes.sign_on")
    assert (done["actor"], datetime.fromisoformat(done["at"])) == ("person:E-1001", since)


async def test_a_receipt_is_given_to_the_browser_that_signed_on_and_listed_to_no_other(plant: Web) -> None:
    mine, other = await plant.browser(Role.OPERATOR), await plant.browser(Role.OPERATOR)
    receipt = (await sign_on(mine)).json()["receipt"]
    seen = [
        [
            card["sign_on"]["receipt"]
            for card in (await one.get("/api/v1/terminals")).json()
            if card["sign_on"]
        ]
        for one in (mine, other)
    ]
    assert seen == [[receipt], [None]]


async def test_what_was_done_while_another_had_the_terminal_is_done_again_now(plant: Web) -> None:
    mine, other = await plant.browser(Role.OPERATOR), await plant.browser(Role.OPERATOR)
    mine.headers["X-Sign-On"] = (await sign_on(mine)).json()["receipt"]
    await backdated(plant, 2)
    await sign_on(other, "E-1002")
    async with plant.db.transaction(cause()) as tx:
        await tx.execute("update mes.sign_on set since = since - interval '1 hour' where person = 'E-1002'")
        await tx.execute(
            "update mes.sign_on set ended_at = since + interval '1 hour' where person = 'E-1001'"
        )
    assert (await act(mine, waited=timedelta(minutes=30))).json()["error"] == "TerminalTakenOver"
    mine.headers["X-Sign-On"] = (await sign_on(mine)).json()["receipt"]
    assert (await act(mine)).json()["actor"] == "person:E-1001"


async def test_many_wrong_pins_at_once_are_no_more_than_one_by_one(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    replies = await asyncio.gather(*(sign_on(browser, pin=f"{pin:04d}") for pin in range(12)))
    answers = Counter(reply.json()["error"] for reply in replies)
    assert answers == {"BadgeRefused": PIN_ATTEMPTS, "PinLocked": 12 - PIN_ATTEMPTS}


async def test_a_command_needs_a_key_that_is_a_uuid(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    missing = await browser.post("/api/v1/echo/1", json={})
    wrong = await browser.post("/api/v1/echo/1", json={}, headers={"Idempotency-Key": "7"})
    assert (missing.status_code, missing.json()["error"]) == (400, "IdempotencyKeyMissing")
    assert (wrong.status_code, wrong.json()["error"]) == (400, "IdempotencyKeyNotValid")


async def test_a_retry_gets_the_same_answer(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    headers = key()
    first = await browser.post("/api/v1/echo/1", json={}, headers=headers)
    again = await browser.post("/api/v1/echo/1", json={}, headers=headers)
    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_lost_answer_is_given_again_though_the_person_has_left(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    await sign_on(browser)
    headers = {"X-Terminal": "CNC-1", **key()}
    first = await browser.post("/api/v1/echo/1", json={}, headers=headers)
    await browser.post("/api/v1/terminals/CNC-1/sign-off")
    again = await browser.post("/api/v1/echo/1", json={}, headers=headers)
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await act(browser)).json()["error"] == "NobodySignedOn"


async def test_one_key_serves_one_address(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    headers = key()
    await browser.post("/api/v1/echo/1", json={}, headers=headers)
    other = await browser.post("/api/v1/echo/2", json={}, headers=headers)
    assert (other.status_code, other.json()["error"]) == (409, "IdempotencyKeyReused")


async def test_sitting_down_needs_no_pin_in_the_demo_on_loopback(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    reply = await browser.post("/api/v1/terminals/CNC-1/sit-down", json={"person": "E-1001"})
    assert reply.status_code == 200
    assert (await act(browser)).json()["actor"] == "person:E-1001"


async def test_sitting_down_exists_nowhere_else(plant: Web, tmp_path: Path) -> None:
    browser = await plant.browser(Role.ADMINISTRATOR)
    far = plant.visitor("192.168.1.20")
    far.cookies.update(browser.cookies)
    reply = await far.post("/api/v1/terminals/CNC-1/sit-down", json={"person": "E-1001"})
    assert (reply.status_code, reply.json()["error"]) == (404, "DemoOnly")
    settings = demo_settings(tmp_path, "production")
    real = Web(build_app(Plant(plant.db, settings, anybody), [access_router]), plant.db)
    near = real.visitor()
    near.cookies.update(browser.cookies)
    reply = await near.post("/api/v1/terminals/CNC-1/sit-down", json={"person": "E-1001"})
    await near.aclose()
    assert (reply.status_code, reply.json()["error"]) == (404, "DemoOnly")


async def test_the_simulator_keeps_away_for_a_minute_after_a_person(plant: Web) -> None:
    person, simulator = await plant.browser(Role.OPERATOR), await plant.program("plant")
    sit = "/api/v1/terminals/CNC-1/sit-down"
    assert (await simulator.post(sit, json={"person": "E-1002"})).status_code == 200
    assert (await person.post(sit, json={"person": "E-1001"})).status_code == 200
    refused = await simulator.post(sit, json={"person": "E-1002"})
    assert (refused.status_code, refused.json()["error"]) == (409, "TerminalTakenOver")
    async with plant.db.transaction(cause()) as tx:
        await tx.execute("update mes.sign_on set last_used_at = now() - interval '61 s'")
    assert (await simulator.post(sit, json={"person": "E-1002"})).status_code == 200
    assert (await act(person)).json()["error"] == "TerminalTakenOver"


async def test_touching_a_terminal_counts_as_use(plant: Web) -> None:
    person, simulator = await plant.browser(Role.OPERATOR), await plant.program("plant")
    sit = "/api/v1/terminals/CNC-1/sit-down"
    await person.post(sit, json={"person": "E-1001"})
    async with plant.db.transaction(cause()) as tx:
        await tx.execute("update mes.sign_on set last_used_at = now() - interval '61 s'")
    await person.post("/api/v1/terminals/CNC-1/in-use")
    refused = await simulator.post(sit, json={"person": "E-1002"})
    assert refused.json()["error"] == "TerminalTakenOver"


async def test_the_list_of_terminals_says_who_is_there(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    await sign_on(browser)
    listed = {row["terminal"]: row["sign_on"] for row in (await browser.get("/api/v1/terminals")).json()}
    assert listed["ASM-1"] is None
    assert (listed["CNC-1"]["person"], listed["CNC-1"]["mine"]) == ("E-1001", True)
    assert (listed["CNC-1"]["simulated"], listed["CNC-1"]["visitor"]) == (False, True)


async def test_an_account_of_another_area_may_not_use_the_terminal(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR, scope="ASSY")
    assert (await sign_on(browser)).json()["error"] == "NotPermitted"
    assert (await sign_on(browser, terminal="ASM-1")).status_code == 200


async def test_an_unknown_terminal_is_refused(plant: Web) -> None:
    browser = await plant.browser(Role.OPERATOR)
    assert (await sign_on(browser, terminal="CNC-99")).json()["error"] == "TerminalUnknown"


async def test_a_pin_is_four_to_eight_digits() -> None:
    for wrong in ("123", "123456789", "12a4", "１２３４"):
        with pytest.raises(PinNotValid):
            await service.hash_pin(wrong)


async def test_a_withdrawn_badge_signs_nobody_on(plant: Web, db: Database) -> None:
    browser = await plant.browser(Role.OPERATOR)
    await sign_on(browser)
    async with db.transaction(Cause(actor="service:test", at=utc_now())) as tx:
        await service.withdraw_badge(tx, PersonId("E-1001"))
    listed = {row["terminal"]: row["sign_on"] for row in (await browser.get("/api/v1/terminals")).json()}
    assert listed["CNC-1"] is None
    assert (await sign_on(browser)).json()["error"] == "BadgeRefused"


async def test_a_badge_that_is_withdrawn_while_its_pin_is_looked_at_signs_nobody_on(
    plant: Web, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    matches = secret_matches

    async def withdrawn_meanwhile(secret: str | None, given: str) -> bool:
        async with db.transaction(Cause(actor="service:test", at=utc_now())) as tx:
            await service.withdraw_badge(tx, PersonId("E-1001"))
        return await matches(secret, given)

    monkeypatch.setattr(service, "secret_matches", withdrawn_meanwhile)
    browser = await plant.browser(Role.OPERATOR)
    assert (await sign_on(browser)).json()["error"] == "BadgeRefused"
    listed = {row["terminal"]: row["sign_on"] for row in (await browser.get("/api/v1/terminals")).json()}
    assert listed["CNC-1"] is None


@pytest.mark.parametrize("end", [service.end_sessions, service.shut_account])
async def test_a_lost_tablet_is_signed_out_and_leaves_its_terminal(
    plant: Web, db: Database, end: Callable[[Tx, str], Awaitable[int | None]]
) -> None:
    lost, other = await plant.browser(Role.OPERATOR), await plant.browser(Role.OPERATOR)
    await sign_on(lost)
    account = (await lost.get("/api/v1/me")).json()["account"]
    async with db.transaction(Cause(actor="service:test", at=utc_now())) as tx:
        assert await end(tx, account) in {1, None}
    assert (await lost.get("/api/v1/me")).status_code == 401
    listed = {row["terminal"]: row["sign_on"] for row in (await other.get("/api/v1/terminals")).json()}
    assert listed["CNC-1"] is None
