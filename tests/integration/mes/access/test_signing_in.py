"""Accounts sign in by password or one-time link, and every other way is shut."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from mes.access import service
from mes.access.api import router as access_router
from mes.access.guard import Plant
from mes.access.model import (
    PASSWORD_ATTEMPTS,
    SESSION_LIFETIME,
    AccountUnknown,
    Grant,
    PasswordTooShort,
    Role,
)
from mes.app import build_app
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database
from tests.fixtures.postgres import cause
from tests.fixtures.web import BASE, Web, anybody, demo_settings

PASSWORD = "correct horse battery"


async def make_planner(db: Database) -> None:
    hashed = await service.hash_password(PASSWORD)
    async with db.transaction(cause()) as tx:
        await service.make_account(tx, "petra", (Grant(Role.PLANNER),), password_hash=hashed)


async def test_a_link_signs_in_once(web: Web) -> None:
    async with web.db.transaction(cause()) as tx:
        link = await service.make_one_time_link(tx, BASE)
    token = link.partition("token=")[2]
    browser = web.visitor()
    first = await browser.post("/api/v1/sign-in/link", json={"token": token})
    assert first.json() == {"account": "admin"}
    assert "HttpOnly" in first.headers["set-cookie"]
    assert "SameSite=lax" in first.headers["set-cookie"]
    assert (await browser.get("/api/v1/me")).json()["roles"] == ["administrator"]
    second = await web.visitor().post("/api/v1/sign-in/link", json={"token": token})
    assert (second.status_code, second.json()["error"]) == (401, "LinkNotValid")


async def test_a_link_is_good_for_a_day(web: Web) -> None:
    yesterday = Cause(actor="service:test", at=utc_now() - timedelta(hours=25))
    async with web.db.transaction(yesterday) as tx:
        link = await service.make_one_time_link(tx, BASE)
    token = link.partition("token=")[2]
    reply = await web.visitor().post("/api/v1/sign-in/link", json={"token": token})
    assert reply.json()["error"] == "LinkNotValid"


async def test_a_link_for_nobody_is_not_made(web: Web) -> None:
    with pytest.raises(AccountUnknown):
        async with web.db.transaction(cause()) as tx:
            await service.make_one_time_link(tx, BASE, "nobody")


async def test_the_token_of_a_link_or_session_is_stored_nowhere(web: Web) -> None:
    browser = await web.browser(Role.PLANNER)
    token = next(iter(browser.cookies.values()))
    async with web.db.read() as tx:
        rows = await tx.value("select string_agg(s::text, '') from mes.session s")
        events = await tx.value("select string_agg(e::text, '') from mes.event e")
    assert token not in rows
    assert token not in events


async def test_a_password_signs_in(web: Web) -> None:
    await make_planner(web.db)
    browser = web.visitor()
    reply = await browser.post("/api/v1/sign-in", json={"account": "petra", "password": PASSWORD})
    assert reply.status_code == 200
    assert (await browser.get("/api/v1/me")).json()["account"] == "petra"


async def test_a_wrong_password_and_an_unknown_account_are_told_the_same(web: Web) -> None:
    await make_planner(web.db)
    wrong = await web.visitor().post("/api/v1/sign-in", json={"account": "petra", "password": "x"})
    unknown = await web.visitor().post("/api/v1/sign-in", json={"account": "nobody", "password": "x"})
    assert wrong.status_code == 401
    assert wrong.json() == unknown.json()


async def test_an_account_waits_after_ten_wrong_passwords(web: Web) -> None:
    await make_planner(web.db)
    for _ in range(PASSWORD_ATTEMPTS):
        await web.visitor().post("/api/v1/sign-in", json={"account": "petra", "password": "x"})
    right = await web.visitor().post("/api/v1/sign-in", json={"account": "petra", "password": PASSWORD})
    assert (right.status_code, right.json()["error"]) == (429, "AccountLocked")
    assert "until" in right.json()["params"]


async def test_many_wrong_passwords_at_once_are_no_more_than_one_by_one(web: Web) -> None:
    await make_planner(web.db)
    visitor = web.visitor()
    body = {"account": "petra", "password": "x"}
    replies = await asyncio.gather(
        *(visitor.post("/api/v1/sign-in", json=body) for _ in range(PASSWORD_ATTEMPTS + 4))
    )
    answers = Counter(reply.json()["error"] for reply in replies)
    assert answers == {"SignInRefused": PASSWORD_ATTEMPTS, "AccountLocked": 4}


async def test_short_passwords_are_refused() -> None:
    with pytest.raises(PasswordTooShort):
        await service.hash_password("elevenchars")


async def test_signing_out_ends_the_session_at_once(web: Web) -> None:
    browser = await web.browser(Role.PLANNER)
    cookies = dict(browser.cookies)
    await browser.post("/api/v1/sign-out")
    thief = web.visitor()
    thief.cookies.update(cookies)
    assert (await thief.get("/api/v1/me")).json()["error"] == "NotSignedIn"


async def test_a_shut_account_is_out_at_once(web: Web) -> None:
    browser = await web.browser(Role.PLANNER, account="petra")
    async with web.db.transaction(cause()) as tx:
        await service.shut_account(tx, "petra")
    assert (await browser.get("/api/v1/me")).status_code == 401


async def test_a_session_without_use_ends(web: Web) -> None:
    browser = await web.browser(Role.PLANNER)
    async with web.db.transaction(cause()) as tx:
        await tx.execute(
            "update mes.session set last_used_at = %(then)s",
            {"then": utc_now() - SESSION_LIFETIME},
        )
    assert (await browser.get("/api/v1/me")).status_code == 401


async def test_a_session_in_use_goes_on(web: Web) -> None:
    browser = await web.browser(Role.PLANNER)
    before = utc_now() - timedelta(minutes=5)
    async with web.db.transaction(cause()) as tx:
        await tx.execute("update mes.session set last_used_at = %(then)s", {"then": before})
    await browser.get("/api/v1/me")
    async with web.db.read() as tx:
        assert await tx.value("select last_used_at from mes.session") > before


async def test_a_token_that_is_not_ours_is_refused(web: Web) -> None:
    program = await web.program("supervisor")
    program.headers["Authorization"] = "Bearer supervisor.guess"
    assert (await program.get("/api/v1/me")).json()["error"] == "NotSignedIn"


async def test_a_program_may_only_what_its_token_allows(web: Web) -> None:
    program = await web.program("supervisor")
    assert (await program.get("/api/v1/terminals")).json()["error"] == "NotPermitted"


async def test_a_right_that_a_release_took_away_opens_nothing_and_shuts_nobody_out(web: Web) -> None:
    program = await web.program("supervisor")
    async with web.db.transaction(cause()) as tx:
        await tx.execute("update mes.service_token set permissions = permissions || '{lot.receive}'")
    assert (await program.get("/api/v1/terminals")).json()["error"] == "NotPermitted"


async def test_the_language_of_an_account_is_kept(web: Web) -> None:
    browser = await web.browser(Role.PLANNER)
    await browser.post("/api/v1/me/language", json={"language": "zh-CN"})
    assert (await browser.get("/api/v1/me")).json()["language"] == "zh-CN"


async def test_over_https_the_cookie_is_bound_to_this_host(web: Web) -> None:
    async with web.db.transaction(cause()) as tx:
        link = await service.make_one_time_link(tx, BASE)
    browser = web.visitor()
    browser.base_url = "https://127.0.0.1:8080"
    reply = await browser.post("/api/v1/sign-in/link", json={"token": link.partition("token=")[2]})
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith("__Host-lineside_session=")
    assert "Secure" in cookie
    assert "Path=/" in cookie


@pytest.mark.parametrize("direct", [False, True])
async def test_behind_a_proxy_the_cookie_is_for_its_tls_only(
    db: Database, tmp_path: Path, direct: bool
) -> None:
    """The proxy ends TLS and leaves the name that was asked for; at the machine itself plain http goes on."""
    settings = demo_settings(tmp_path)
    public = settings.http.model_copy(update={"url": "https://mes.plant.example"})
    plant = Plant(db, settings.model_copy(update={"http": public}), anybody)
    browser = Web(build_app(plant, [access_router]), db).visitor()
    browser.base_url = BASE if direct else "http://mes.plant.example"
    async with db.transaction(cause()) as tx:
        link = await service.make_one_time_link(tx, public.url)
    reply = await browser.post("/api/v1/sign-in/link", json={"token": link.partition("token=")[2]})
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith("lineside_session=" if direct else "__Host-lineside_session=")
    assert ("Secure" in cookie) is not direct
    session = {"Cookie": cookie.partition(";")[0]}
    assert (await browser.get("/api/v1/me", headers=session)).is_success
    await browser.aclose()


@pytest.mark.parametrize(
    "elsewhere", [{"host": "192.168.1.20"}, {"host": "0.0.0.0"}, {"url": "https://mes.plant.example"}]
)
def test_the_demo_is_a_demo_on_loopback_only(tmp_path: Path, elsewhere: dict[str, str]) -> None:
    settings = demo_settings(tmp_path)
    assert settings.demo
    assert not settings.model_copy(update={"http": settings.http.model_copy(update=elsewhere)}).demo


async def test_whom_a_proxy_speaks_for_does_not_sit_at_this_machine(web: Web) -> None:
    browser = await web.browser(Role.OPERATOR)
    assert (await browser.get("/api/v1/me")).json()["demo"]
    through = await browser.get("/api/v1/me", headers={"X-Forwarded-For": "192.168.1.20"})
    assert not through.json()["demo"]
