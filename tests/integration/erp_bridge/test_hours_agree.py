"""A job that lies over a night has the same hours in every book: events, costs, the ERP, the planner."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from erp_bridge.adapters.memory import SHEET
from erp_bridge.documents import SegmentResponse
from erp_bridge.postings import Books, documents_of
from mes.costing import service as costing
from mes.costing.model import Account
from mes.dispatching import service as dispatching
from mes.execution import service as execution
from mes.execution.model import LotUse, QuantityReport
from mes.kernel.ids import EquipmentId, JobOrderId, LotNumber, PersonId
from mes.performance import service as performance
from mes.performance.model import StateReading, Window
from mes.resources import service as resources
from tests.fixtures.floor import Floor
from tests.integration.mes.execution.test_an_order_runs import events

UNIT, PERSON = EquipmentId("CNC-1"), PersonId("E-1001")
MINUTE = timedelta(minutes=1)
MACHINE_RATE, LABOUR_RATE = Decimal(120), Decimal(60)


def clock(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of March 2026 in Suzhou; the 2nd is a Monday. The unit works from 6 to 14, but for a break."""
    return datetime(2026, 3, day, hour, minute, tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC)


BEGINS, LEAVES, COMES, ENDS = clock(2, 11), clock(2, 15, 30), clock(3, 6), clock(3, 11)
TOLD = (
    (clock(2, 11), "Starting"),
    (clock(2, 11, 20), "Execute"),
    (clock(2, 13), "Held"),
    (clock(2, 13, 30), "Execute"),
    (clock(2, 17), "Aborted"),
    (clock(3, 6, 15), "Execute"),
)
"""It is set up, runs, waits, runs alone after its person has gone, and lies in a fault until he is back."""


def minutes(*stretches: tuple[datetime, datetime]) -> set[datetime]:
    """Return every minute of some stretches: what is counted here is counted one by one."""
    return {
        start + number * MINUTE for start, end in stretches for number in range(int((end - start) / MINUTE))
    }


BREAK = minutes((clock(3, 10), clock(3, 10, 10)))
IN_SHIFT = minutes((clock(2, 11), clock(2, 14)), (clock(3, 6), clock(3, 11))) - BREAK
PEOPLE = minutes((BEGINS, LEAVES), (COMES, ENDS)) - BREAK
RUN_ALONE = minutes((clock(2, 15, 30), clock(2, 17)))


def hours(counted: set[datetime]) -> Decimal:
    return round(Decimal(len(counted)) / 60, 6)


async def lived_through(floor: Floor) -> JobOrderId:
    """Let a job of three pieces begin before noon and end before the next."""
    plant = resources.load_plant()
    days = tuple(
        replace(one, shifts=tuple(shift for shift in one.shifts if shift.name == "A"))
        for one in plant.calendars
    )
    await floor.do(lambda tx: resources.put_plant(tx, replace(plant, calendars=days)))
    number = await floor.order(3)
    await floor.plan(number)
    job = JobOrderId(f"{number}-10")
    floor.now = BEGINS
    await floor.do(lambda tx: execution.start(tx, job), PERSON, UNIT)
    cast = LotUse(job_order=job, lot=LotNumber("LOT-CAST-40-1"))
    await floor.do(lambda tx: execution.consume(tx, cast), PERSON, UNIT)
    for at, state in TOLD:
        reading = StateReading(equipment=UNIT, state=state, at=at)
        await floor.do(lambda tx, reading=reading: performance.record_state(tx, reading))  # type: ignore[misc]
    floor.now = LEAVES
    await floor.do(lambda tx: execution.leave(tx, PERSON))
    floor.now = COMES
    await floor.do(lambda tx: resources.clock_in(tx, PERSON))
    made = [QuantityReport(job_order=job, good=Decimal(one)) for one in (1, 2)]
    await floor.do(lambda tx: execution.report(tx, made[0]), PERSON, UNIT)
    floor.now = ENDS
    await floor.do(lambda tx: execution.report(tx, made[1]), PERSON, UNIT)
    await floor.do(lambda tx: execution.complete(tx, job), PERSON, UNIT)
    while await floor.do(costing.book_events):
        pass
    return job


async def test_the_hours_of_a_job_over_a_night_are_the_same_in_every_book(floor: Floor) -> None:
    job = await lived_through(floor)
    machine, labour = hours(IN_SHIFT | PEOPLE | RUN_ALONE), hours(PEOPLE)
    assert (machine, labour) == (Decimal("10.833333"), Decimal("9.333333"))

    told = await events(floor)
    books = Books(
        sheet=SHEET,
        periods=(),
        today=ENDS.date(),
        zone=lambda at: at.astimezone(ZoneInfo("Asia/Shanghai")),
        page="",
    )
    documents = [one for stored in told for one in documents_of(stored, books)]
    async with floor.db.read() as tx:
        balance = {one.account: one.amount for one in await costing.balances(tx)}
        figures = await performance.report(tx, UNIT, Window(starts_at=BEGINS, ends_at=ENDS))
        (finished,) = (await dispatching.planning_snapshot(tx, floor.now, far=True)).finished

    def of_event(kind: str) -> Decimal:
        return sum((Decimal(one.payload["hours"]) for one in told if one.type == kind), Decimal(0))

    assert (of_event("MachineTimeBooked"), of_event("LabourBooked")) == (machine, labour)
    assert -balance[Account.MACHINE_ABSORBED] == round(machine * MACHINE_RATE, 2)
    assert -balance[Account.LABOUR_ABSORBED] == round(labour * LABOUR_RATE, 2)
    assert [one.hours for one in documents if isinstance(one, SegmentResponse)] == [machine]
    assert (finished.job_order, finished.busy_s) == (job, len(IN_SHIFT | PEOPLE | RUN_ALONE) * 60)
    assert figures.elements["AUBT"] == len(IN_SHIFT) * 60
    assert machine - hours(IN_SHIFT) == hours((PEOPLE | RUN_ALONE) - IN_SHIFT) == 3
