"""A role at one line acts at that line; everywhere else it only sees."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from mes.access.guard import Plant, Requirement
from mes.access.model import Role
from mes.app import build_app, installed_routers
from mes.kernel.clock import utc_now
from mes.resources.service import person_card
from tests.architecture.test_routes import routes
from tests.fixtures.floor import Floor
from tests.fixtures.web import Web, demo_settings, key

API = "/api/v1"
BODIES: dict[str, dict[str, Any]] = {
    "hold": {"reason": "other"},
    "reverse": {"report": str(uuid4()), "reason": "other"},
    "consume": {"lot": "LOT-CAST-40-1"},
    "report": {"good": "1"},
    "stop-reason": {"reason": "breakdown"},
    "expected-back": {"back_at": None},
    "sign-on": {"badge": "EMP:E-1001", "pin": "1234"},
    "sit-down": {"person": "E-1001"},
    "decide": {"take": True},
}
OWN_SESSION = {"/api/v1/terminals/{terminal}/sign-off", "/api/v1/terminals/{terminal}/in-use"}
"""They change nothing but what the caller's own browser has signed on."""


@pytest.fixture
def web(floor: Floor, tmp_path: Path) -> Web:
    """The whole application over the pump plant."""
    plant = Plant(floor.db, demo_settings(tmp_path), person_card)
    return Web(build_app(plant, installed_routers()), floor.db)


async def test_an_account_of_another_line_acts_nowhere_here(floor: Floor, web: Web) -> None:
    number = await floor.order(3)
    await floor.plan(number)
    names = {
        "{job_order}": f"{number}-10",
        "{equipment}": "CNC-1",
        "{terminal}": "CNC-1",
        "{person}": "E-1001",
        "{lot}": "LOT-CAST-40-1",
    }
    packer = await web.browser(*Role, scope="PACK")
    answers = {}
    for route, guard in routes():
        if isinstance(guard, Requirement) and guard.placed and route.path not in OWN_SESSION:
            address = "/".join(names.get(part, part) for part in route.path.split("/"))
            body = BODIES.get(route.path.rpartition("/")[2], {})
            if "{" not in address:
                reply = await packer.post(address, json=body, headers=key())
                answers[route.path] = (reply.status_code, reply.json()["error"])
    assert len(answers) >= 12
    assert {path: got for path, got in answers.items() if got != (403, "NotPermitted")} == {}


async def test_an_account_of_one_unit_works_at_it(floor: Floor, web: Web) -> None:
    floor.now = utc_now()
    number = await floor.order(3)
    await floor.plan(number)
    operator = await web.browser(Role.OPERATOR, scope="MACH/MC/CNC-1")
    operator.headers["X-Terminal"] = "CNC-1"
    seated = await operator.post("/api/v1/terminals/CNC-1/sit-down", json={"person": "E-1001"})
    assert seated.status_code == 200
    start = f"/api/v1/job-orders/{number}-10/start"
    begun = await operator.post(start, json={}, headers=key())
    assert (begun.status_code, begun.json().get("error")) == (200, None)
    elsewhere = await operator.post(
        f"/api/v1/job-orders/{number}-20/start", json={"equipment": "ASM-1"}, headers=key()
    )
    assert elsewhere.json()["error"] == "NotPermitted"


async def at_terminal(web: Web, role: Role, unit: str = "CNC-1", person: str = "E-1001") -> Any:
    """Return a browser at a unit's terminal, with the receipt of its person's sign-on."""
    browser = await web.browser(role)
    seat = await browser.post(f"{API}/terminals/{unit}/sit-down", json={"person": person})
    assert seat.status_code == 200
    browser.headers.update({"X-Terminal": unit, "X-Sign-On": seat.json()["receipt"]})
    return browser


async def came_of(browser: Any, path: str, waited: timedelta | None = None, **body: Any) -> str | None:
    """Send an act, and return why it was refused."""
    late = {} if waited is None else {"X-Waited-S": str(waited.total_seconds())}
    reply = await browser.post(f"{API}{path}", json=body, headers=key() | late)
    refused: str | None = reply.json().get("error") if reply.is_error else None
    return refused


def beyond_the_terminal(order: str) -> list[tuple[str, dict[str, Any], str]]:
    """Return acts that are not at CNC-1, where E-1001 is, and why they are refused there."""
    return [
        (f"/job-orders/{order}-10/start", {"equipment": "CNC-3"}, "UnitOutOfReach"),
        (f"/job-orders/{order}-20/reverse", BODIES["reverse"], "UnitOutOfReach"),
        ("/equipment/CNC-3/stop-reason", {"reason": "breakdown"}, "UnitOutOfReach"),
        ("/equipment/ASM-1/help", {}, "UnitOutOfReach"),
        ("/people/E-1002/clock-in", {}, "PersonOutOfReach"),
        ("/people/E-1005/clock-out", {}, "PersonOutOfReach"),
        ("/lots/LOT-SEAL-1/hold", {"reason": "damaged"}, "LotOutOfReach"),
    ]


async def test_an_operator_reaches_what_is_at_the_terminal(floor: Floor, web: Web) -> None:
    floor.now = utc_now()
    order = await floor.order(3)
    await floor.plan(order)
    operator = await at_terminal(web, Role.OPERATOR)
    for path, body, why in beyond_the_terminal(order):
        assert await came_of(operator, path, **body) == why, path
    here: dict[str, dict[str, Any]] = {
        f"/job-orders/{order}-10/start": {"equipment": "CNC-1"},
        "/equipment/CNC-1/stop-reason": {"reason": "breakdown"},
        "/equipment/CNC-1/help": {},
        "/lots/LOT-CAST-40-1/hold": {"reason": "damaged"},
        "/people/E-1001/clock-out": {},
        "/people/E-1001/clock-in": {},
    }
    for path, body in here.items():
        assert await came_of(operator, path, **body) is None, path


async def test_who_oversees_the_floor_reaches_it_all(floor: Floor, web: Web) -> None:
    floor.now = utc_now()
    order = await floor.order(3)
    await floor.plan(order)
    supervisor = await at_terminal(web, Role.SUPERVISOR)
    answers = {path: await came_of(supervisor, path, **body) for path, body, _ in beyond_the_terminal(order)}
    assert {why for why in answers.values() if why} == {"ReportUnknown"}
    desk = await web.browser(Role.SUPERVISOR)
    assert await came_of(desk, "/people/E-1006/clock-out") is None
    assert await came_of(desk, "/lots/LOT-BOLT-1/hold", reason="damaged") is None
    assert await came_of(desk, "/equipment/CNC-2/stop-reason", reason="breakdown") is None


async def test_an_operator_acts_at_no_desk(floor: Floor, web: Web) -> None:
    floor.now = utc_now()
    order = await floor.order(3)
    await floor.plan(order)
    desk = await web.browser(Role.OPERATOR)
    assert await came_of(desk, f"/job-orders/{order}-10/start") == "UnitOutOfReach"
    assert await came_of(desk, "/equipment/CNC-1/stop-reason", reason="breakdown") == "UnitOutOfReach"
    assert await came_of(desk, "/people/E-1001/clock-out") == "PersonOutOfReach"
    assert await came_of(desk, "/lots/LOT-CAST-40-1/hold", reason="damaged") == "LotOutOfReach"


async def test_an_act_that_waited_reaches_what_was_at_the_terminal_then(floor: Floor, web: Web) -> None:
    floor.now = utc_now()
    order = await floor.order(1)
    await floor.plan(order)
    operator = await at_terminal(web, Role.OPERATOR)
    await floor.do(lambda tx: tx.execute("update mes.sign_on set since = since - interval '4 hours'"))
    job, hour = f"/job-orders/{order}-10", timedelta(hours=1)
    assert await came_of(operator, f"{job}/start", 3 * hour) is None
    assert await came_of(operator, f"{job}/report", 2 * hour, good=1) is None
    assert await came_of(operator, f"{job}/complete", hour) is None
    hold = "/lots/LOT-CAST-40-1/hold"
    assert await came_of(operator, hold, reason="damaged") == "LotOutOfReach"
    assert await came_of(operator, hold, 2 * hour, reason="damaged") is None
    await at_terminal(web, Role.OPERATOR, person="E-1002")
    assert await came_of(operator, "/people/E-1002/clock-out", hour) == "PersonOutOfReach"
    assert await came_of(operator, "/people/E-1001/clock-out", hour) is None


async def test_a_line_clocks_its_own(floor: Floor, web: Web) -> None:
    """A supervisor of one line clocks others at a terminal of that line, and nobody anywhere else."""
    floor.now = utc_now()
    supervisor = await web.browser(Role.SUPERVISOR, scope="MACH")
    await supervisor.post(f"{API}/terminals/CNC-1/sit-down", json={"person": "E-1001"})
    assert await came_of(supervisor, "/people/E-1002/clock-in") == "NotPermitted"
    supervisor.headers["X-Terminal"] = "CNC-1"
    assert await came_of(supervisor, "/people/E-1002/clock-in") is None


async def test_at_the_gate_of_the_simulated_plant_everybody_clocks(floor: Floor, web: Web) -> None:
    floor.now = utc_now()
    gate = await web.program("plant")
    assert await came_of(gate, "/people/E-1002/clock-in") is None
    assert await came_of(gate, "/people/E-1005/clock-out") is None
