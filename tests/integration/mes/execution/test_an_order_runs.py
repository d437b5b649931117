"""An order goes through the plant: started, fed with lots, reported, completed, traced."""

from decimal import Decimal

from mes.execution import service as execution
from mes.execution.model import QuantityReport
from mes.kernel.ids import JobOrderId
from mes.kernel.outbox import EventRow
from mes.tracking import service as tracking
from mes.tracking.model import SerialStatus
from mes.workorders import service as workorders
from mes.workorders.model import JobOrderStatus, WorkOrderStatus
from tests.fixtures.floor import BILL, Floor


async def events(floor: Floor) -> list[EventRow]:
    async with floor.db.read() as tx:
        return await tx.fetch_all(
            EventRow,
            """
            select id, xid::text as xid, event_id, type, schema_version, site, scope, aggregate, payload,
                   actor, terminal, key, causation, at, recorded_at, simulated
            from mes.event order by id
            """,
        )


async def test_an_order_runs_through_the_plant(floor: Floor) -> None:
    number = await floor.order(4)
    await floor.plan(number)
    await floor.make(number, 10, good=3, scrap=1)
    for operation in (20, 30, 40, 50, 60):
        await floor.make(number, operation, good=3)

    async with floor.db.read() as tx:
        order = await workorders.get_work_order(tx, number)
        jobs = await workorders.jobs_of(tx, number)
        serials = await tracking.serials_of(tx, number)
        record = await tracking.as_built(tx, serials[0].serial)
    assert order.status is WorkOrderStatus.COMPLETED
    assert (order.good, order.scrap) == (3, 1)
    assert all(job.status is JobOrderStatus.COMPLETED for job in jobs)
    assert [one.status for one in serials] == [SerialStatus.FINISHED] * 3 + [SerialStatus.RESERVED]
    assert record is not None
    assert {part.material: part.quantity for part in record.components} == {
        material: Decimal(quantity) for material, (_, quantity) in BILL.items()
    }


async def test_numbers_that_no_piece_got_are_given_up_with_the_close(floor: Floor) -> None:
    number = await floor.order(2)
    await floor.plan(number)
    await floor.make(number, 10, good=1, scrap=1)
    for operation in (20, 30, 40, 50, 60):
        await floor.make(number, operation, good=1)
    await floor.do(lambda tx: workorders.close_work_order(tx, number))
    async with floor.db.read() as tx:
        serials = await tracking.serials_of(tx, number)
    assert [one.status for one in serials] == [SerialStatus.FINISHED, SerialStatus.VOID]


async def test_every_act_leaves_its_event_at_its_place(floor: Floor) -> None:
    number = await floor.order(2)
    await floor.plan(number)
    await floor.make(number, 10, good=2)
    of_job = [one for one in await events(floor) if one.aggregate == f"{number}-10"]
    assert [one.type for one in of_job] == [
        "JobOrderDispatched",
        "JobOrderStarted",
        "MaterialConsumed",
        "GoodReported",
        "LabourBooked",
        "MachineTimeBooked",
        "JobOrderCompleted",
    ]
    assert {one.scope for one in of_job} == {"MACH/MC/CNC-1"}
    assert [one.payload["hours"] for one in of_job if one.type == "LabourBooked"] == ["0.008333"]
    assert {one.event.site for one in of_job} == {"SUZ"}


async def test_the_next_operation_works_on_what_has_come(floor: Floor) -> None:
    number = await floor.order(4)
    await floor.plan(number)
    first, second = JobOrderId(f"{number}-10"), JobOrderId(f"{number}-20")
    await floor.do(lambda tx: execution.start(tx, first), "E-1001", "CNC-1")
    one = QuantityReport(job_order=first, good=Decimal(1))
    await floor.do(lambda tx: execution.report(tx, one), "E-1001", "CNC-1")
    done = await floor.do(lambda tx: execution.start(tx, second), "E-1005", "ASM-1")
    assert (done.status, done.remaining) == (JobOrderStatus.RUNNING, 4)
