"""The application as a whole: health, figures, headers, and one form of refusal."""

import json
from pathlib import Path

import httpx2
import pytest
from fastapi import APIRouter

from mes.access.guard import Plant, opened
from mes.access.model import Role
from mes.app import build_app
from mes.kernel.db import Database
from tests.fixtures.web import Web, anybody, demo_settings


async def test_health_needs_no_account(web: Web) -> None:
    visitor = web.visitor()
    assert (await visitor.get("/healthz")).json() == {"status": "alive"}
    assert (await visitor.get("/readyz")).json() == {"status": "ready"}


async def test_without_a_database_the_process_lives_but_is_not_ready(tmp_path: Path) -> None:
    async with await Database.open(
        "postgresql://lineside@127.0.0.1:1/none?connect_timeout=1", name="test", site="SUZ"
    ) as db:
        web = Web(build_app(Plant(db, demo_settings(tmp_path), anybody), []), db)
        async with web.visitor() as visitor:
            assert (await visitor.get("/healthz")).status_code == 200
            away = await visitor.get("/readyz")
            assert (away.status_code, away.json()["error"]) == (503, "DatabaseUnavailable")
            assert away.headers["retry-after"] == "1"
            figures = (await visitor.get("/metrics")).text
    assert "lineside_database_reachable 0.0" in figures


async def test_figures_are_by_route_and_not_by_address(web: Web) -> None:
    browser = await web.browser(Role.OPERATOR)
    await browser.post("/api/v1/terminals/CNC-99/sign-off")
    figures = (await browser.get("/metrics")).text
    assert 'route="/api/v1/terminals/{terminal}/sign-off"' in figures
    assert "CNC-99" not in figures
    assert "lineside_database_reachable 1.0" in figures
    assert "lineside_outbox_held_back_s" in figures


@pytest.mark.parametrize("path", ["/", "/api/v1/nothing", "/healthz"])
async def test_every_reply_is_dressed(web: Web, path: str) -> None:
    reply = await web.visitor().get(path)
    assert "default-src 'self'" in reply.headers["content-security-policy"]
    assert reply.headers["x-content-type-options"] == "nosniff"


async def test_answers_of_the_api_are_not_cached(web: Web) -> None:
    reply = await web.visitor().get("/api/v1/me")
    assert reply.headers["cache-control"] == "no-store"


async def refused(reply: httpx2.Response, status: int, code: str) -> None:
    body = reply.json()
    assert (reply.status_code, body["error"]) == (status, code)
    assert body["message"]
    assert body["remedy"]


async def test_every_refusal_has_the_same_form(web: Web) -> None:
    browser = await web.browser(Role.OPERATOR)
    await refused(await web.visitor().get("/api/v1/me"), 401, "NotSignedIn")
    await refused(await browser.get("/api/v1/nothing"), 404, "NotFound")
    await refused(await browser.get("/api/v1/sign-in"), 405, "MethodNotAllowed")
    await refused(await browser.post("/api/v1/sign-in", json={"x": 1}), 422, "RequestNotValid")
    await refused(await browser.post("/api/v1/sign-in", content=b"{"), 422, "RequestNotValid")
    await refused(
        await browser.post("/api/v1/sign-out", headers={"Sec-Fetch-Site": "cross-site"}),
        403,
        "OriginRefused",
    )
    await refused(
        await browser.post("/api/v1/sign-in", content=b" " * (1024 * 1024 + 1)), 413, "BodyTooLarge"
    )
    await refused(await browser.get("/healthz", headers={"Host": "evil.example"}), 421, "HostRefused")


async def test_the_description_of_the_api_is_complete(web: Web) -> None:
    described = (await web.visitor().get("/api/v1/openapi.json")).json()
    assert "/api/v1/terminals/{terminal}/sign-on" in described["paths"]
    assert json.dumps(described)


broken = APIRouter()


@broken.get("/broken", dependencies=[opened("a route that fails, for this test")])
async def fail() -> None:
    """Fail as no route should."""
    raise ZeroDivisionError


async def test_a_fault_of_ours_tells_no_secrets_and_is_counted(db: Database, tmp_path: Path) -> None:
    web = Web(build_app(Plant(db, demo_settings(tmp_path), anybody), [broken]), db)
    async with web.visitor() as visitor:
        reply = await visitor.get("/broken")
        await refused(reply, 500, "InternalFault")
        assert "ZeroDivision" not in reply.text
        figures = (await visitor.get("/metrics")).text
    assert 'route="/broken",status="500"} 1.0' in figures
