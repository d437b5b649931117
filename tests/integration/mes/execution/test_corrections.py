"""What was wrong is undone by a reversal with a reason; the ledgers keep both."""

from decimal import Decimal
from uuid import UUID

import psycopg
import pytest

from mes.execution import service as execution
from mes.execution.model import (
    LotUse,
    MoreThanRemaining,
    PiecesMovedOn,
    QuantityReport,
    ReportReversedAlready,
    WorkOrderFinished,
)
from mes.execution.terminal import show
from mes.inventory import service as inventory
from mes.kernel.ids import JobOrderId, LotNumber, WorkOrderNumber
from mes.tracking import service as tracking
from mes.tracking.model import SerialStatus
from mes.workorders import service as workorders
from mes.workorders.model import JobOrderStatus, WorkOrderStatus
from tests.fixtures.floor import PEOPLE, UNITS, Floor
from tests.fixtures.postgres import cause

CAST = LotNumber("LOT-CAST-40-1")


async def started(floor: Floor, number: WorkOrderNumber, operation: int) -> JobOrderId:
    job = JobOrderId(f"{number}-{operation}")
    await floor.do(lambda tx: execution.start(tx, job), PEOPLE[operation], UNITS[operation])
    return job


async def reported(floor: Floor, job: JobOrderId, good: int, scrap: int = 0) -> UUID:
    operation = int(job.rsplit("-", 1)[1])
    counted = QuantityReport(
        job_order=job, good=Decimal(good), scrap=Decimal(scrap), reason="dimension" if scrap else None
    )
    done = await floor.do(lambda tx: execution.report(tx, counted), PEOPLE[operation], UNITS[operation])
    assert done.entry is not None
    return done.entry


async def ended(floor: Floor, job: JobOrderId) -> None:
    operation = int(job.rsplit("-", 1)[1])
    await floor.do(lambda tx: execution.complete(tx, job), PEOPLE[operation], UNITS[operation])


async def reversed_(floor: Floor, job: JobOrderId, entry: UUID, reason: str = "miscounted") -> None:
    await floor.do(lambda tx: execution.reverse(tx, job, entry, reason), "E-1001")


async def test_a_report_is_undone_and_counted_again(floor: Floor) -> None:
    number = await floor.order(4)
    await floor.plan(number)
    job = await started(floor, number, 10)
    wrong = await reported(floor, job, good=3, scrap=1)
    await reversed_(floor, job, wrong)
    await reported(floor, job, good=4)
    async with floor.db.read() as tx:
        found = await workorders.get_job(tx, job)
        order = await workorders.get_work_order(tx, number)
    assert (found.good, found.scrap, order.scrap) == (4, 0, 0)
    with pytest.raises(ReportReversedAlready):
        await reversed_(floor, job, wrong)


async def test_a_completed_job_is_held_again_and_goes_on(floor: Floor) -> None:
    number = await floor.order(2)
    await floor.plan(number)
    job = await started(floor, number, 10)
    wrong = await reported(floor, job, good=1, scrap=1)
    await floor.do(lambda tx: execution.complete(tx, job), "E-1001", "CNC-1")
    await reversed_(floor, job, wrong)
    async with floor.db.read() as tx:
        assert (await workorders.get_job(tx, job)).status is JobOrderStatus.HELD
    await floor.do(lambda tx: execution.resume(tx, job), "E-1001", "CNC-2")
    done = await floor.do(
        lambda tx: execution.report(tx, QuantityReport(job_order=job, good=Decimal(2))), "E-1001"
    )
    assert (done.equipment, done.good) == ("CNC-2", 2)


async def pieces_of(floor: Floor, number: WorkOrderNumber) -> tuple[Decimal, ...]:
    """Return for how many pieces each job of an order is."""
    async with floor.db.read() as tx:
        return tuple(one.quantity for one in await workorders.jobs_of(tx, number))


async def allow_over(floor: Floor, percent: int) -> None:
    async with floor.db.transaction(cause()) as tx:
        await tx.execute("update mes.policy set over_percent = %(percent)s", {"percent": percent})


async def test_scrap_is_made_up_for_while_the_first_operation_runs(floor: Floor) -> None:
    number = await floor.order(4)
    await floor.plan(number)
    job = await started(floor, number, 10)
    await reported(floor, job, good=3, scrap=1)
    instead = await reported(floor, job, good=1)
    assert await pieces_of(floor, number) == (5,) * 6
    with pytest.raises(MoreThanRemaining) as refused:
        await reported(floor, job, good=1)
    assert refused.value.params["available"] == "0"
    await reversed_(floor, job, instead)
    assert await pieces_of(floor, number) == (4,) * 6
    await reported(floor, job, good=1)
    following = await started(floor, number, 20)
    await reported(floor, following, good=1, scrap=1)  # lost later: made anew from the beginning too
    await reported(floor, job, good=1)
    async with floor.db.read() as tx:
        order = await workorders.get_work_order(tx, number)
        parts = await workorders.components_of(tx, job)
        shown = (await show(tx, "CNC-1", floor.now)).job
    assert (order.quantity, order.scrap, parts[0].required) == (4, 2, 6)
    assert shown is not None
    assert (shown.quantity, shown.remaining, shown.room) == (6, 0, 0)


async def test_more_than_ordered_is_made_as_far_as_the_policy_says(floor: Floor) -> None:
    number = await floor.order(4)
    await floor.plan(number)
    await allow_over(floor, 25)
    job = await started(floor, number, 10)
    with pytest.raises(MoreThanRemaining):
        await reported(floor, job, good=6)
    use = LotUse(job_order=job, lot=CAST, quantity=Decimal(4))
    await floor.do(lambda tx: execution.consume(tx, use), "E-1001", "CNC-1")
    await reported(floor, job, good=5)
    for operation in (20, 30, 40, 50, 60):
        await reported(floor, await started(floor, number, operation), good=5)
    for operation in (10, 20, 30, 40, 50, 60):
        await ended(floor, JobOrderId(f"{number}-{operation}"))
    async with floor.db.read() as tx:
        order = await workorders.get_work_order(tx, number)
        serials = await tracking.serials_of(tx, number)
    assert (order.status, order.quantity, order.good) == (WorkOrderStatus.COMPLETED, 4, 5)
    assert [one.status for one in serials] == [SerialStatus.FINISHED] * 5


async def test_pieces_that_moved_on_stay_reported(floor: Floor) -> None:
    number = await floor.order(2)
    await floor.plan(number)
    job = await started(floor, number, 10)
    entry = await reported(floor, job, good=2)
    following = await started(floor, number, 20)
    await reported(floor, following, good=1)
    with pytest.raises(PiecesMovedOn) as refused:
        await reversed_(floor, job, entry)
    assert refused.value.params["job_order"] == following


async def test_material_goes_back_to_its_lot(floor: Floor) -> None:
    number = await floor.order(2)
    await floor.plan(number)
    job = await started(floor, number, 10)
    use = LotUse(job_order=job, lot=LotNumber("LOT-CAST-40-1"), quantity=Decimal(2))
    done = await floor.do(lambda tx: execution.consume(tx, use), "E-1001", "CNC-1")
    assert done.entry is not None
    await reversed_(floor, job, done.entry, "wrong-lot")
    async with floor.db.read() as tx:
        lot = await inventory.get_lot(tx, "LOT-CAST-40-1")
        parts = await workorders.components_of(tx, job)
        edges = await tracking.genealogy(tx, number)
    assert (lot.on_hand, parts[0].consumed) == (200, 0)
    assert [edge.quantity for edge in edges] == [2, -2]


async def finish(floor: Floor, number: WorkOrderNumber, pieces: int, upto: int = 60) -> JobOrderId:
    """Take the pieces through all operations, the last one still running."""
    job = JobOrderId(f"{number}-10")
    for operation in (10, 20, 30, 40, 50, 60):
        job = await started(floor, number, operation)
        if operation == 10:
            use = LotUse(job_order=job, lot=LotNumber("LOT-CAST-40-1"))
            await floor.do(lambda tx, u=use: execution.consume(tx, u), "E-1001", "CNC-1")  # type: ignore[misc]
        await reported(floor, job, good=pieces)
        if operation < upto:
            await floor.do(
                lambda tx, j=job: execution.complete(tx, j),  # type: ignore[misc]
                PEOPLE[operation],
                UNITS[operation],
            )
    return job


async def test_a_finished_piece_comes_back_into_work(floor: Floor) -> None:
    number = await floor.order(1)
    await floor.plan(number)
    job = await finish(floor, number, 1)
    async with floor.db.read() as tx:
        last = await tx.value("select id from mes.report where job_order = %(job)s", {"job": job})
    await reversed_(floor, job, last)
    async with floor.db.read() as tx:
        (serial,) = await tracking.serials_of(tx, number)
    assert (serial.status, serial.last_operation) == (SerialStatus.ASSIGNED, 50)


async def test_a_returned_lot_leaves_the_record_of_the_piece(floor: Floor) -> None:
    number = await floor.order(1)
    await floor.plan(number)
    await finish(floor, number, 1)
    async with floor.db.read() as tx:
        (serial,) = await tracking.serials_of(tx, number)
        used = await tx.value("select id from mes.material_actual")
    await reversed_(floor, JobOrderId(f"{number}-10"), used, "wrong-lot")
    async with floor.db.read() as tx:
        record = await tracking.as_built(tx, serial.serial)
    assert record is not None
    assert (record.revision, record.components) == (2, ())


async def completed(floor: Floor, pieces: int = 1) -> tuple[WorkOrderNumber, JobOrderId, UUID]:
    """Return a completed order, its last job and the last job's report."""
    number = await floor.order(pieces)
    await floor.plan(number)
    job = await finish(floor, number, pieces)
    await floor.do(lambda tx: execution.complete(tx, job), "E-1009", "PACK-1")
    async with floor.db.read() as tx:
        last = await tx.value("select id from mes.report where job_order = %(job)s", {"job": job})
    return number, job, last


async def told(floor: Floor, number: WorkOrderNumber) -> list[str]:
    async with floor.db.read() as tx:
        found = await tx.value(
            """
            select array_agg(type order by id) from mes.event
            where payload ->> 'work_order' = %(number)s
            """,
            {"number": number},
        )
    return list(found)


async def test_a_report_of_a_completed_order_is_undone_and_made_again(floor: Floor) -> None:
    number, job, wrong = await completed(floor, 2)
    await reversed_(floor, job, wrong)
    async with floor.db.read() as tx:
        order = await workorders.get_work_order(tx, number)
        found = await workorders.get_job(tx, job)
    assert (order.status, order.good, order.completed_at) == (WorkOrderStatus.RUNNING, 0, None)
    assert (found.status, found.hold_reason) == (JobOrderStatus.HELD, "reversal")
    assert (await told(floor, number))[-3:] == ["ReportReversed", "JobOrderHeld", "WorkOrderReopened"]
    await floor.do(lambda tx: execution.resume(tx, job), "E-1009", "PACK-1")
    await reported(floor, job, good=1, scrap=1)
    await floor.do(lambda tx: execution.complete(tx, job), "E-1009", "PACK-1")
    async with floor.db.read() as tx:
        order = await workorders.get_work_order(tx, number)
        serials = await tracking.serials_of(tx, number)
    assert (order.status, order.good, order.scrap) == (WorkOrderStatus.COMPLETED, 1, 1)
    assert [one.status for one in serials] == [SerialStatus.FINISHED, SerialStatus.SCRAPPED]
    assert (await told(floor, number)).count("WorkOrderCompleted") == 2


async def test_a_wrong_lot_of_a_completed_order_is_exchanged_in_the_record_of_the_piece(floor: Floor) -> None:
    number, _, _ = await completed(floor)
    first = JobOrderId(f"{number}-10")
    right = await floor.lot("CAST-40", "5", lot=LotNumber("LOT-CAST-40-2"))
    async with floor.db.read() as tx:
        (serial,) = await tracking.serials_of(tx, number)
        used = await tx.value("select id from mes.material_actual")
    await reversed_(floor, first, used, "wrong-lot")
    await floor.do(lambda tx: execution.resume(tx, first), "E-1001", "CNC-1")
    await floor.do(lambda tx: execution.consume(tx, LotUse(job_order=first, lot=right)), "E-1001", "CNC-1")
    await floor.do(lambda tx: execution.complete(tx, first), "E-1001", "CNC-1")
    async with floor.db.read() as tx:
        order = await workorders.get_work_order(tx, number)
        record = await tracking.as_built(tx, serial.serial)
    assert order.status is WorkOrderStatus.COMPLETED
    assert record is not None
    assert (record.revision, [part.lot for part in record.components]) == (3, [right])


async def test_a_lost_piece_that_was_good_after_all_goes_on_its_way(floor: Floor) -> None:
    number = await floor.order(1)
    await floor.plan(number)
    first = await started(floor, number, 10)
    wrong = await reported(floor, first, good=0, scrap=1)
    await floor.do(lambda tx: execution.complete(tx, first), "E-1001", "CNC-1")
    async with floor.db.read() as tx:
        assert (await workorders.get_work_order(tx, number)).status is WorkOrderStatus.COMPLETED
    await reversed_(floor, first, wrong)
    await floor.do(lambda tx: execution.resume(tx, first), "E-1001", "CNC-1")
    await reported(floor, first, good=1)
    await floor.do(lambda tx: execution.complete(tx, first), "E-1001", "CNC-1")
    following = await started(floor, number, 20)
    done = await floor.do(
        lambda tx: execution.report(tx, QuantityReport(job_order=following, good=Decimal(1))),
        "E-1005",
        "ASM-1",
    )
    assert done.good == 1


async def test_a_closed_order_stands(floor: Floor) -> None:
    number, job, last = await completed(floor)
    await floor.do(lambda tx: workorders.close_work_order(tx, number))
    with pytest.raises(WorkOrderFinished) as refused:
        await reversed_(floor, job, last)
    assert refused.value.params == {"work_order": number, "status": "Closed"}
    assert "finance" in refused.value.remedy


@pytest.mark.parametrize(
    "statement",
    [
        "update mes.report set good = 100",
        "delete from mes.stock_movement",
        "update mes.lot set on_hand = 1000",
        "update mes.job_order set good = 3",
        "update mes.genealogy_edge set lot = 'x'",
        "delete from mes.event",
    ],
)
async def test_the_application_cannot_rewrite_a_ledger(floor: Floor, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await floor.do(lambda tx: tx.execute(statement))
