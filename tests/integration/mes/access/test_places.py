"""A role at one line acts at that line; everywhere else it only sees."""

from pathlib import Path
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

BODIES: dict[str, dict[str, object]] = {
    "hold": {"reason": "other"},
    "reverse": {"report": str(uuid4()), "reason": "other"},
    "consume": {"lot": "LOT-CAST-40-1"},
    "report": {"good": "1"},
    "stop-reason": {"reason": "breakdown"},
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


async def test_a_person_is_clocked_at_a_terminal_of_the_callers_line(floor: Floor, web: Web) -> None:
    floor.now = utc_now()
    operator = await web.browser(Role.OPERATOR, scope="MACH")
    await operator.post("/api/v1/terminals/CNC-1/sit-down", json={"person": "E-1001"})
    clock_in = "/api/v1/people/E-1002/clock-in"
    assert (await operator.post(clock_in, json={}, headers=key())).status_code == 403
    at_terminal = {**key(), "X-Terminal": "CNC-1"}
    assert (await operator.post(clock_in, json={}, headers=at_terminal)).status_code != 403
