"""Maintenance: planned by people and by the plant file, begun, done, cancelled; and who may say so."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from mes.access.api import router as access_router
from mes.access.guard import Plant
from mes.access.model import Role
from mes.app import build_app
from mes.dispatching import service as dispatching
from mes.kernel.clock import utc_now
from mes.kernel.ids import EquipmentId, MaintenanceNumber
from mes.maintenance import service as maintenance
from mes.maintenance.api import router
from mes.maintenance.model import (
    Maintenance,
    MaintenanceDoesNotFit,
    MaintenanceDraft,
    MaintenanceOver,
    MaintenanceRunsAlready,
    MaintenanceUnknown,
)
from mes.resources import service as resources
from mes.resources.model import EquipmentUnknown, MaintenanceRule, PlantDefinition
from tests.fixtures.floor import Floor
from tests.fixtures.web import Web, anybody, demo_settings, key

UNIT = EquipmentId("CNC-1")
OIL = MaintenanceRule(
    id="OIL", unit=UNIT, name="换油 Oil", minutes=90, every_days=30, first_due=date(2026, 3, 4), window_days=3
)


@pytest_asyncio.fixture
async def web(floor: Floor, tmp_path: Path) -> AsyncIterator[Web]:
    """The application over the open floor."""
    made = Web(
        build_app(Plant(floor.db, demo_settings(tmp_path), anybody), [access_router, router]), floor.db
    )
    yield made
    for client in made.opened:
        await client.aclose()


def kept(*rules: MaintenanceRule) -> PlantDefinition:
    return replace(resources.load_plant(), maintenance=rules)


def draft(floor: Floor, **changes: object) -> MaintenanceDraft:
    row = MaintenanceDraft(
        equipment=UNIT,
        name="Spindle",
        minutes=60,
        earliest=floor.now,
        latest=floor.now + timedelta(hours=8),
    )
    return replace(row, **changes)  # type: ignore[arg-type]


async def fit(floor: Floor, *rules: MaintenanceRule) -> int:
    """Load a plant file, and what the floor's timer does then."""
    await floor.do(lambda tx: resources.put_plant(tx, kept(*rules)))
    return await floor.do(maintenance.plan_due)


async def there(floor: Floor) -> list[Maintenance]:
    async with floor.db.read() as tx:
        return await maintenance.open_maintenance(tx)


async def only(floor: Floor) -> Maintenance:
    (one,) = await there(floor)
    return one


async def test_a_person_plans_begins_and_ends_maintenance(floor: Floor) -> None:
    number = await floor.do(lambda tx: maintenance.plan(tx, draft(floor)), "E-1001")
    async with floor.db.read() as tx:
        (seen,) = (await dispatching.planning_snapshot(tx, at=floor.now)).maintenance
    assert (seen.id, seen.equipment, seen.minutes, seen.started_at) == (number, UNIT, 60, None)
    await floor.after(60).do(lambda tx: maintenance.begin(tx, number), "E-1002")
    running = await only(floor)
    assert (running.status, running.started_at, running.by) == ("running", floor.now, "person:E-1002")
    other = await floor.do(lambda tx: maintenance.plan(tx, draft(floor)))
    for again in (number, other):
        with pytest.raises(MaintenanceRunsAlready):
            await floor.do(lambda tx, again=again: maintenance.begin(tx, again))  # type: ignore[misc]
    await floor.after(600).do(lambda tx: maintenance.complete(tx, number))
    await floor.do(lambda tx: maintenance.cancel(tx, other, "double"))
    assert await there(floor) == []
    with pytest.raises(MaintenanceOver):
        await floor.do(lambda tx: maintenance.cancel(tx, number, "late"))
    async with floor.db.read() as tx:
        past = {one.id: (one.status, one.reason) for one in await maintenance.maintenance(tx, floor.now)}
        events = await tx.value(
            "select array_agg(type order by id) from mes.event where type like 'Maintenance%%'", {}
        )
    assert past == {number: ("done", ""), other: ("cancelled", "double")}
    assert [name.removeprefix("Maintenance") for name in events] == [
        "Planned", "Begun", "Planned", "Done", "Cancelled"
    ]  # fmt: skip


async def test_what_cannot_be_planned_is_refused(floor: Floor) -> None:
    with pytest.raises(MaintenanceDoesNotFit):
        await floor.do(lambda tx: maintenance.plan(tx, draft(floor, minutes=481)))
    with pytest.raises(EquipmentUnknown):
        await floor.do(lambda tx: maintenance.plan(tx, draft(floor, equipment=EquipmentId("MC"))))
    with pytest.raises(MaintenanceUnknown):
        await floor.do(lambda tx: maintenance.begin(tx, "MT-999999"))


async def test_the_plant_file_wants_it_again_so_many_days_after_it_was_done(floor: Floor) -> None:
    assert await fit(floor, OIL) == 1
    first = await only(floor)
    assert (first.earliest, first.latest) == (  # midnights in Suzhou: from the 2nd to the end of the 4th
        datetime(2026, 3, 1, 16, tzinfo=UTC),
        datetime(2026, 3, 4, 16, tzinfo=UTC),
    )
    assert await floor.do(maintenance.plan_due) == 0
    await floor.do(lambda tx: maintenance.complete(tx, first.id))
    second = await only(floor)
    assert second.latest == datetime(2026, 4, 1, 16, tzinfo=UTC)  # done on the 2nd of March
    await floor.do(lambda tx: maintenance.cancel(tx, second.id, "stocktaking"))
    assert (await only(floor)).latest == datetime(2026, 5, 1, 16, tzinfo=UTC)


async def test_what_is_planned_follows_the_plant_file(floor: Floor) -> None:
    await fit(floor, OIL)
    number = (await only(floor)).id
    assert await fit(floor, replace(OIL, minutes=30, unit=EquipmentId("CNC-2"))) == 1
    changed = await only(floor)
    assert (changed.id, changed.minutes, changed.scope) == (number, 30, "MACH/MC/CNC-2")
    await floor.do(lambda tx: maintenance.begin(tx, number))
    assert await fit(floor) == 0  # what somebody does is not taken from under his hands
    await floor.do(lambda tx: maintenance.complete(tx, number))
    assert await there(floor) == []
    await fit(floor, OIL)
    assert await fit(floor) == 1
    assert await there(floor) == []


async def test_maintenance_of_a_machine_that_goes_out_of_service_is_cancelled(floor: Floor) -> None:
    await floor.do(lambda tx: maintenance.plan(tx, draft(floor)))
    fewer = tuple(one for one in resources.load_plant().equipment if one.id != UNIT)
    plant = replace(resources.load_plant(), equipment=fewer)
    await floor.after(60).do(lambda tx: resources.put_plant(tx, plant))
    assert await floor.do(maintenance.plan_due) == 1
    assert await there(floor) == []


async def test_a_planner_does_it_by_the_api_and_an_operator_sees_it(floor: Floor, web: Web) -> None:
    operator, planner = await web.browser(Role.OPERATOR), await web.browser(Role.PLANNER)
    now = utc_now()
    body = {
        "equipment": UNIT,
        "name": "Spindle",
        "minutes": 60,
        "earliest": now.isoformat(),
        "latest": (now + timedelta(hours=8)).isoformat(),
    }
    address = "/api/v1/maintenance"
    assert (await operator.post(address, json=body, headers=key())).status_code == 403
    planned = await planner.post(address, json=body, headers=key())
    assert planned.status_code == 200, planned.text
    number = MaintenanceNumber(planned.json()["maintenance"])
    for verb, status in (("begin", "running"), ("complete", "done")):
        reply = await planner.post(f"{address}/{number}/{verb}", json={}, headers=key())
        assert reply.status_code == 200, reply.text
        (shown,) = (await operator.get(address)).json()
        assert shown["status"] == status
    over = await planner.post(f"{address}/{number}/cancel", json={"reason": "late"}, headers=key())
    assert (over.status_code, over.json()["error"]) == (409, "MaintenanceOver")
