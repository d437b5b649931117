"""Every route asks who calls, and lets in exactly whom the matrix names."""

from collections.abc import Iterator
from inspect import getsource
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from mes.access.guard import CommandRequirement, Opening, Plant, Requirement
from mes.access.model import ROLE_PERMISSIONS, SEEING, Permission, Role
from mes.app import build_app, describe, health, installed_routers
from mes.kernel.db import Database
from tests.fixtures.postgres import SITE, cause
from tests.fixtures.web import Web, anybody, demo_settings

REACH = {Permission.FLOOR_OVERSEE}
"""Opens no route, but widens what others reach: asked by `mes.access.reach`, shown in test_places."""
PROBE = "probe-1"
"""Stands for every identifier in an address."""


def calls(dependant: Dependant) -> Iterator[Any]:
    for found in dependant.dependencies:
        yield found.call
        yield from calls(found)


def guard_of(route: APIRoute) -> Requirement | Opening | None:
    guards = [call for call in calls(route.dependant) if isinstance(call, Requirement | Opening)]
    return guards[0] if len(guards) == 1 else None


def flat(router: APIRouter) -> Iterator[BaseRoute]:
    """Yield the routes of a router and of those it includes (without a prefix)."""
    for route in router.routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            context = getattr(route, "include_context", None)
            assert context is not None
            assert context.prefix == "", "give the included router its own prefix"
            yield from flat(included)


def methods(route: APIRoute) -> set[str]:
    assert route.methods is not None
    return route.methods


def routes() -> list[tuple[APIRoute, Requirement | Opening | None]]:
    found = (route for router in (health, *installed_routers()) for route in flat(router))
    return [(route, guard_of(route)) for route in found if isinstance(route, APIRoute)]


def guarded() -> Iterator[tuple[str, str, Permission]]:
    """Yield method, address and permission of every route that needs one."""
    for route, guard in routes():
        if isinstance(guard, Requirement):
            address = "/".join(PROBE if part.startswith("{") else part for part in route.path.split("/"))
            for method in sorted(methods(route)):
                yield method, address, guard.permission


@pytest.fixture
def web_routers() -> list[APIRouter]:
    return installed_routers()


def test_every_route_has_one_permission_or_a_reason_to_be_open() -> None:
    without = [f"{sorted(methods(route))} {route.path}" for route, guard in routes() if guard is None]
    assert without == []


def test_every_permission_opens_something() -> None:
    """A right that no route asks for is a promise that nothing keeps."""
    assert set(Permission) - {permission for _, _, permission in guarded()} == REACH


def test_nothing_but_routes_is_installed() -> None:
    """A mount or a raw route would have no guard."""
    other = [
        str(route)
        for router in installed_routers()
        for route in flat(router)
        if not isinstance(route, APIRoute)
    ]
    assert other == []


def test_open_routes_change_nothing_but_the_callers_own_session() -> None:
    changing = {
        route.path
        for route, guard in routes()
        if isinstance(guard, Opening) and methods(route) - {"GET", "HEAD"}
    }
    assert changing == {"/api/v1/sign-in", "/api/v1/sign-in/link", "/api/v1/sign-out"}


def test_every_reason_to_be_open_is_a_sentence() -> None:
    reasons = [guard.reason for _, guard in routes() if isinstance(guard, Opening)]
    assert all(len(reason.split()) >= 4 for reason in reasons)


NO_COMMANDS = {
    "/api/v1/sign-in",
    "/api/v1/sign-in/link",
    "/api/v1/sign-out",
    "/api/v1/me/language",
    "/api/v1/terminals/{terminal}/sign-on",
    "/api/v1/terminals/{terminal}/sit-down",
    "/api/v1/terminals/{terminal}/sign-off",
    "/api/v1/terminals/{terminal}/in-use",
}
"""Harmless when done twice, or a credential: they change sessions and settings of the caller's own."""


def test_whoever_runs_a_command_says_so() -> None:
    """`commanded` describes the headers that `run_command` demands."""
    wrong = [
        route.path
        for route, guard in routes()
        if isinstance(guard, CommandRequirement) != ("run_command(" in getsource(route.endpoint))
    ]
    assert wrong == []


def test_the_description_names_a_commands_headers() -> None:
    """A client that is generated from it sends what we demand."""
    changing = {
        path: {
            one["name"]: one["required"] for one in operation.get("parameters", ()) if one["in"] == "header"
        }
        for path, operations in describe(installed_routers())["paths"].items()
        for method, operation in operations.items()
        if method != "get"
    }
    headers = {"Idempotency-Key": True, "X-Terminal": False, "X-Sign-On": False, "X-Waited-S": False}
    commands = {path: named for path, named in changing.items() if path not in NO_COMMANDS}
    assert set(changing) >= NO_COMMANDS
    assert commands
    assert {path: named for path, named in commands.items() if named != headers} == {}


async def test_nobody_gets_in_without_signing_in(web: Web) -> None:
    visitor = web.visitor()
    got_in = [
        f"{method} {address}"
        for method, address, _ in guarded()
        if (await visitor.request(method, address, json={})).status_code != 401
    ]
    assert got_in == []


@pytest.mark.parametrize("role", list(Role))
async def test_a_role_is_refused_where_the_matrix_does_not_name_it(web: Web, role: Role) -> None:
    browser = await web.browser(role)
    got_in = [
        f"{method} {address}"
        for method, address, permission in guarded()
        if permission not in ROLE_PERMISSIONS[role]
        and (await browser.request(method, address, json={})).status_code != 403
    ]
    assert got_in == []


async def test_a_right_at_another_site_opens_nothing_here(web: Web) -> None:
    browser = await web.browser(Role.ADMINISTRATOR, account="far")
    async with web.db.transaction(cause()) as tx:
        await tx.execute("update mes.account_grant set site = 'WUX' where account = 'far'")
    got_in = [
        f"{method} {address}"
        for method, address, _ in guarded()
        if (await browser.request(method, address, json={})).status_code != 403
    ]
    assert got_in == []


@pytest.mark.parametrize("role", list(Role))
async def test_a_right_at_one_line_changes_nothing_that_is_the_whole_sites(web: Web, role: Role) -> None:
    """Orders, plans, the ERP and settings have no place: a role at a line alone does not change them."""
    browser = await web.browser(role, scope="MACH")
    whole = [
        (method, "/".join(PROBE if part.startswith("{") else part for part in route.path.split("/")))
        for route, guard in routes()
        if isinstance(guard, Requirement) and not guard.placed and guard.permission not in SEEING
        for method in methods(route)
    ]
    got_in = [
        f"{method} {address}"
        for method, address in whole
        if (await browser.request(method, address, json={})).status_code != 403
    ]
    assert whole
    assert got_in == []


async def test_every_page_is_read_in_one_session_that_may_only_read(
    database_url: str, tmp_path: Path, web_routers: list[APIRouter]
) -> None:
    """A page that needs more rights, or a second session while it holds the first, fails here."""
    async with await Database.open(database_url, name="test", site=SITE, readers=1) as db:
        web = Web(build_app(Plant(db, demo_settings(tmp_path), anybody), web_routers), db)
        browser = await web.browser(*Role)
        failed = [
            f"{address}: {reply.status_code}"
            for method, address, _ in guarded()
            if method == "GET"
            and address != "/api/v1/live"
            and (reply := await browser.get(address)).status_code >= 500
        ]
        await browser.aclose()
    assert failed == []


def test_no_get_route_changes_anything_by_its_permission() -> None:
    """What a link can trigger must be harmless: reading permissions only."""
    changing = {Permission.EDGE_CONFIGURE, Permission.TROUBLE_MAKE, Permission.PLAN_PUBLISH}
    wrong = [
        address for method, address, permission in guarded() if method == "GET" and permission in changing
    ]
    assert wrong == []
