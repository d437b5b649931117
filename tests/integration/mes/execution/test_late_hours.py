"""Hours of acts that are told late: a tablet was without a network, and its person is elsewhere by now."""

from datetime import timedelta
from decimal import Decimal

from mes.execution import service as execution
from mes.execution.hours import leave
from mes.execution.model import QuantityReport
from mes.kernel.ids import JobOrderId, PersonId
from mes.resources import service as resources
from tests.fixtures.floor import NOW, Floor
from tests.integration.mes.execution.test_an_order_runs import events

PERSON = "E-1001"


async def booked(floor: Floor) -> dict[str, list[str]]:
    """Return the minutes booked, by person and job."""
    hours: dict[str, list[str]] = {}
    for one in await events(floor):
        if one.type == "LabourBooked":
            minutes = Decimal(one.payload["hours"]) * 60
            hours.setdefault(f"{one.payload['person']} {one.aggregate}", []).append(f"{minutes:.1f}")
    return hours


async def two_jobs(floor: Floor) -> tuple[JobOrderId, JobOrderId]:
    """Return jobs of one person at two units; the second has been started, the first will be told late."""
    first, second = await floor.order(4), await floor.order(4)
    await floor.plan(first)
    await floor.plan(second, units={10: "CNC-2"})
    early, late = JobOrderId(f"{first}-10"), JobOrderId(f"{second}-10")
    at(floor, 30)
    await floor.do(lambda tx: execution.start(tx, late), PERSON, "CNC-2")
    return early, late


def at(floor: Floor, minute: int) -> None:
    """Set the clock; the break that begins the shift's second half is over."""
    floor.now = NOW + timedelta(minutes=60 + minute)


async def test_work_that_is_told_late_leaves_what_was_begun_since_alone(floor: Floor) -> None:
    early, late = await two_jobs(floor)
    at(floor, 0)
    await floor.do(lambda tx: execution.start(tx, early), PERSON, "CNC-1")
    at(floor, 20)
    await floor.do(lambda tx: execution.hold(tx, early, "other"), PERSON, "CNC-1")
    at(floor, 60)
    await floor.do(lambda tx: execution.hold(tx, late, "other"), PERSON, "CNC-2")
    assert await booked(floor) == {f"{PERSON} {early}": ["20.0"], f"{PERSON} {late}": ["30.0"]}


async def test_work_that_was_never_ended_ends_where_the_person_began_the_next(floor: Floor) -> None:
    early, late = await two_jobs(floor)
    at(floor, 0)
    await floor.do(lambda tx: execution.start(tx, early), PERSON, "CNC-1")
    at(floor, 60)
    await floor.do(lambda tx: leave(tx, PersonId(PERSON)), PERSON, "CNC-2")
    assert await booked(floor) == {f"{PERSON} {early}": ["30.0"], f"{PERSON} {late}": ["30.0"]}


async def test_a_report_from_before_somebody_took_over_takes_nothing_from_him(floor: Floor) -> None:
    number = await floor.order(4)
    await floor.plan(number)
    job = JobOrderId(f"{number}-10")
    one = QuantityReport(job_order=job, good=Decimal(1))
    at(floor, 0)
    await floor.do(lambda tx: resources.clock_in(tx, PersonId("E-1002")))
    await floor.do(lambda tx: execution.start(tx, job), PERSON, "CNC-1")
    for minute, person in ((15, "E-1002"), (10, PERSON)):
        at(floor, minute)
        await floor.do(lambda tx: execution.report(tx, one), person, "CNC-1")
    at(floor, 60)
    await floor.do(lambda tx: execution.hold(tx, job, "other"), "E-1002", "CNC-1")
    assert await booked(floor) == {f"{PERSON} {job}": ["15.0"], f"E-1002 {job}": ["45.0"]}
