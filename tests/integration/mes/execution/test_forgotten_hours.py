"""Who goes home without a word works until the shift ends, and not through the night."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from mes.execution import service as execution
from mes.execution.model import QuantityReport
from mes.kernel.ids import JobOrderId
from mes.resources import service as resources
from tests.fixtures.floor import NOW, Floor
from tests.integration.mes.execution.test_an_order_runs import events

BEGUN = timedelta(minutes=30)
"""After ten, when the break is over; the shift ends at two in the afternoon."""


async def hours(floor: Floor) -> list[str]:
    return [one.payload["hours"] for one in await events(floor) if one.type == "LabourBooked"]


async def look(floor: Floor, after: timedelta) -> int:
    """Let the floor process look for forgotten work, so long after ten."""
    floor.now = NOW + after
    return await floor.do(execution.end_forgotten)


@pytest.mark.parametrize(
    ("last_act", "too_early", "time", "booked"),
    [
        (None, timedelta(hours=7, minutes=59), timedelta(hours=20), "3.500000"),
        (timedelta(hours=6), timedelta(hours=9, minutes=59), timedelta(hours=11), "5.500000"),
    ],
)
async def test_forgotten_work_ends_with_the_shift_or_the_last_act(
    floor: Floor, last_act: timedelta | None, too_early: timedelta, time: timedelta, booked: str
) -> None:
    order = await floor.order(3)
    await floor.plan(order)
    job = JobOrderId(f"{order}-10")
    one_good = QuantityReport(job_order=job, good=Decimal(1))
    floor.now = NOW + BEGUN
    await floor.do(lambda tx: execution.start(tx, job), "E-1001", "CNC-1")
    if last_act is not None:
        floor.now = NOW + last_act
        await floor.do(lambda tx: execution.report(tx, one_good), "E-1001", "CNC-1")
    assert (await look(floor, too_early), await hours(floor)) == (0, [])
    assert (await look(floor, time), await hours(floor)) == (1, [booked])
    assert await look(floor, time) == 0

    floor.now = NOW + timedelta(hours=24, minutes=30)
    await floor.do(lambda tx: execution.report(tx, one_good), "E-1001", "CNC-1")
    floor.after(1800)
    await floor.do(lambda tx: execution.hold(tx, job, "other"), "E-1001", "CNC-1")
    assert await hours(floor) == [booked, "0.500000"]


async def test_work_in_no_shift_is_believed_as_long_as_a_sign_on(floor: Floor) -> None:
    plant = resources.load_plant()
    days = tuple(
        replace(one, shifts=tuple(shift for shift in one.shifts if shift.name != "C"))
        for one in plant.calendars
    )
    await floor.do(lambda tx: resources.put_plant(tx, replace(plant, calendars=days)))
    order = await floor.order(3)
    await floor.plan(order)
    job = JobOrderId(f"{order}-10")
    floor.now = NOW + timedelta(hours=13)
    await floor.do(lambda tx: execution.start(tx, job), "E-1001", "CNC-1")
    assert await look(floor, timedelta(hours=18)) == 0
    await floor.do(lambda tx: execution.hold(tx, job, "other"), "E-1001", "CNC-1")
    assert await hours(floor) == ["5.000000"]
