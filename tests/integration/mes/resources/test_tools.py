"""Tools of the plant file: what steps need them, and what is out of service until a time."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio

from mes.access.api import router as access_router
from mes.access.guard import Plant
from mes.access.model import Role
from mes.app import build_app
from mes.dispatching import service as dispatching
from mes.dispatching.model import PlanningSnapshot, PlanToolOut, PlanToolUse
from mes.execution import service as execution
from mes.execution.model import LotUse, QuantityReport
from mes.kernel.clock import utc_now
from mes.kernel.ids import JobOrderId, LotNumber, MaterialId, ToolId
from mes.resources import service as resources
from mes.resources import tooling
from mes.resources.api import router
from mes.resources.model import (
    BackInThePast,
    PlantDefinition,
    ReasonUnknown,
    Step,
    StepTool,
    Tool,
    ToolNotOut,
    ToolsNotThere,
    ToolUnknown,
)
from mes.resources.plantfile import parse_plant, plant_text
from tests.fixtures.floor import Floor
from tests.fixtures.web import Web, anybody, demo_settings, key

JIG = ToolId("JIG-40")


@pytest_asyncio.fixture
async def web(floor: Floor, tmp_path: Path) -> AsyncIterator[Web]:
    """The application over the open floor."""
    made = Web(
        build_app(Plant(floor.db, demo_settings(tmp_path), anybody), [access_router, router]), floor.db
    )
    yield made
    for client in made.opened:
        await client.aclose()


def tooled(count: int = 2) -> PlantDefinition:
    """The pump plant, whose small pumps are machined in jigs."""
    step = Step(material=MaterialId("PUMP-40"), operation=10, tools=(StepTool(tool=JIG, count=1),))
    jig = Tool(id=JIG, name="夹具 Jig 40", count=count)
    return replace(resources.load_plant(), tools=(jig,), steps=(step,))


async def seen(floor: Floor) -> PlanningSnapshot:
    async with floor.db.read() as tx:
        return await dispatching.planning_snapshot(tx, at=floor.now)


async def test_a_plant_file_says_which_steps_hold_which_tools(floor: Floor) -> None:
    await floor.order(quantity=4)
    assert (await seen(floor)).tools == ()
    await floor.do(lambda tx: resources.put_plant(tx, tooled()))
    plant = await seen(floor)
    assert [(tool.id, tool.count) for tool in plant.tools] == [(JIG, 2)]
    uses = {job.operation: job.tools for job in plant.job_orders}
    assert uses.pop(10) == (PlanToolUse(tool=JIG, count=1),)
    assert set(uses.values()) == {()}
    async with floor.db.read() as tx:
        master = await dispatching.planning_master(tx, MaterialId("PUMP-40"), floor.now)
        written = await resources.read_plant(tx, floor.now)
    assert [len(step.tools) for step in master] == [1, 0, 0, 0, 0, 0]
    assert written is not None
    assert (written.tools, written.steps) == (tooled().tools, tooled().steps)
    again = parse_plant(plant_text(written))
    assert (again.tools, again.steps) == (written.tools, written.steps)
    await floor.do(lambda tx: resources.put_plant(tx, resources.load_plant()))
    assert {job.tools for job in (await seen(floor)).job_orders} == {()}


async def test_what_lies_between_steps_is_seen_until_it_is_over(floor: Floor) -> None:
    steps = (
        Step(material=MaterialId("PUMP-40"), operation=20, lag_min=30, most_min=90),
        Step(material=MaterialId("PUMP-40"), operation=30, transfer=Decimal("2.5"), resumable=False),
    )
    dries = replace(resources.load_plant(), steps=steps)
    await floor.do(lambda tx: resources.put_plant(tx, dries))
    number = await floor.order(quantity=1)
    await floor.plan(number)
    jobs = {job.operation: job for job in (await seen(floor)).job_orders}
    assert [(jobs[no].lag_min, jobs[no].transfer, jobs[no].not_before) for no in (10, 20, 30)] == [
        (0, None, None), (30, None, None), (0, Decimal("2.5"), None)
    ]  # fmt: skip
    async with floor.db.read() as tx:
        master = await dispatching.planning_master(tx, MaterialId("PUMP-40"), floor.now)
        written = await resources.read_plant(tx, floor.now)
    assert [(step.lag_min, step.most_min, step.transfer) for step in master[1:3]] == [
        (30, 90, None), (0, None, Decimal("2.5"))
    ]  # fmt: skip
    assert written is not None
    assert written.steps == steps
    assert [jobs[no].resumable for no in (10, 20, 30)] == [step.resumable for step in master[:3]]
    assert [step.resumable for step in master[:3]] == [True, True, False]
    job = JobOrderId(f"{number}-10")
    await floor.do(lambda tx: execution.start(tx, job), "E-1001", "CNC-1")
    use = LotUse(job_order=job, lot=LotNumber("LOT-CAST-40-1"), quantity=Decimal(1))
    await floor.do(lambda tx: execution.consume(tx, use), "E-1001", "CNC-1")
    done = QuantityReport(job_order=job, good=Decimal(1))
    await floor.do(lambda tx: execution.report(tx, done), "E-1001", "CNC-1")
    await floor.after(60).do(lambda tx: execution.complete(tx, job), "E-1001", "CNC-1")
    after = {one.operation: one for one in (await seen(floor)).job_orders}
    assert (after[20].predecessors, after[20].not_before) == ((), floor.now + timedelta(minutes=30))
    assert (after[20].after, after[20].ended_at, after[20].most_min) == (job, floor.now, 90)


async def test_a_tool_is_out_of_service_until_its_time_or_until_it_is_put_back(floor: Floor) -> None:
    await floor.do(lambda tx: resources.put_plant(tx, tooled()))
    noon, night = floor.now + timedelta(hours=2), floor.now + timedelta(hours=12)
    first = await floor.do(lambda tx: tooling.take_out(tx, JIG, 1, noon, "breakdown"))
    await floor.do(lambda tx: tooling.take_out(tx, JIG, 1, night, "cleaning"), "E-1001")
    (tool,) = (await seen(floor)).tools
    assert tool.out == (PlanToolOut(count=1, until=noon), PlanToolOut(count=1, until=night))
    with pytest.raises(ToolsNotThere):
        await floor.do(lambda tx: tooling.take_out(tx, JIG, 1, noon, "breakdown"))
    assert await floor.do(lambda tx: tooling.put_back(tx, JIG, first)) == 1
    with pytest.raises(ToolNotOut):
        await floor.do(lambda tx: tooling.put_back(tx, JIG, first))
    async with floor.db.read() as tx:
        (status,) = await tooling.tools(tx, floor.now)
    assert [(one.reason, one.by) for one in status.out] == [("cleaning", "person:E-1001")]
    floor.after(12 * 3600)
    assert (await seen(floor)).tools[0].out == ()
    with pytest.raises(ToolNotOut):
        await floor.do(lambda tx: tooling.put_back(tx, JIG))


async def test_what_cannot_be_taken_out_is_refused(floor: Floor) -> None:
    await floor.do(lambda tx: resources.put_plant(tx, tooled()))
    later = floor.now + timedelta(hours=2)
    with pytest.raises(ToolUnknown):
        await floor.do(lambda tx: tooling.take_out(tx, "JIG-65", 1, later, "breakdown"))
    with pytest.raises(BackInThePast):
        await floor.do(lambda tx: tooling.take_out(tx, JIG, 1, floor.now, "breakdown"))
    with pytest.raises(ReasonUnknown):
        await floor.do(lambda tx: tooling.take_out(tx, JIG, 1, later, "porosity"))
    with pytest.raises(ToolsNotThere):
        await floor.do(lambda tx: tooling.take_out(tx, JIG, 3, later, "breakdown"))


async def test_the_shift_takes_a_tool_out_and_puts_it_back_by_the_api(floor: Floor, web: Web) -> None:
    await floor.do(lambda tx: resources.put_plant(tx, tooled()))
    body = {"until": (utc_now() + timedelta(hours=2)).isoformat(), "reason": "breakdown"}
    operator, supervisor = await web.browser(Role.OPERATOR), await web.browser(Role.SUPERVISOR)
    refused = await operator.post("/api/v1/tools/JIG-40/take-out", json=body, headers=key())
    assert refused.status_code == 403
    taken = await supervisor.post("/api/v1/tools/JIG-40/take-out", json=body, headers=key())
    assert taken.status_code == 200, taken.text
    (shown,) = (await operator.get("/api/v1/tools")).json()
    assert [(one["id"], one["count"]) for one in shown["out"]] == [(taken.json()["out"], 1)]
    back = await supervisor.post("/api/v1/tools/JIG-40/put-back", json=taken.json(), headers=key())
    assert back.json() == {"count": 1}
    assert (await operator.get("/api/v1/tools")).json()[0]["out"] == []
