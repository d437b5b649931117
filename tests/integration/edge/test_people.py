"""Simulated operators at the real API: what a visitor leaves behind is taken up again."""

from pathlib import Path

import pytest

from edge.plant_sim.floor_api import FloorApi
from edge.plant_sim.machines import Machine
from edge.plant_sim.people import Crew, Operator
from mes.access.guard import Plant
from mes.app import build_app, installed_routers
from mes.execution import service as execution
from mes.resources.service import person_card
from tests.fixtures.floor import Floor
from tests.fixtures.web import BASE, Web, demo_settings

UNIT, PERSON = "CNC-1", "E-1001"


@pytest.fixture
def web(floor: Floor, tmp_path: Path) -> Web:
    """The whole application over the pump plant."""
    return Web(
        build_app(Plant(floor.db, demo_settings(tmp_path), person_card), installed_routers()), floor.db
    )


async def test_a_job_that_a_visitor_paused_goes_on_before_another_begins(floor: Floor, web: Web) -> None:
    paused, waiting = [await floor.order(3) for _ in range(2)]
    await floor.plan(waiting, paused)
    api = FloorApi(BASE, "plant")
    await api._client.aclose()
    api._client = await web.program("plant")
    api._client.base_url = f"{BASE}/api/v1"
    crew = Crew(api)
    crew._present = [{"id": PERSON, "skills": ["MACHINING"]}]
    operator = Operator(UNIT, Machine(UNIT), api, crew)
    await floor.do(lambda tx: execution.start(tx, f"{paused}-10", UNIT), PERSON, UNIT)
    await floor.do(lambda tx: execution.hold(tx, f"{paused}-10", "other"), PERSON, UNIT)
    assert await operator.act(await api.get(f"/terminals/{UNIT}"))
    runs = (await api.get(f"/terminals/{UNIT}"))["job"]
    assert (runs["id"], runs["status"]) == (f"{paused}-10", "Running")
    await api._client.aclose()
