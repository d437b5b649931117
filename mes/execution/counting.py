"""Good pieces and scrap of a job, with the serial numbers that move on or are lost."""

from collections.abc import Sequence
from dataclasses import replace

from mes.definitions import service as definitions
from mes.execution import store
from mes.execution.acting import Done, actor_of, done_at, lock_running, scope_of, unit_of, where
from mes.execution.events import GoodReported, ScrapReported
from mes.execution.hours import join
from mes.execution.model import MoreThanRemaining, NothingReported, QuantityReport, Report
from mes.inventory.model import QuantityNotPositive, plain
from mes.kernel.db import Tx
from mes.kernel.ids import PersonId, SerialNumber, uuid7
from mes.kernel.outbox import append
from mes.resources import service as resources
from mes.resources.model import ReasonKind
from mes.tracking import service as tracking
from mes.tracking.model import SerialStatus
from mes.workorders import service as workorders
from mes.workorders.model import JobOrder, Line


async def report(tx: Tx, counted: QuantityReport) -> Done:
    """Count good pieces and scrap of a running job, in one gesture.

    Where pieces have serial numbers, the named ones (or the next that lie there) move on; those
    that leave the last operation get their as-built record.

    Raises:
        NothingReported, QuantityNotPositive, QuantityNotWhole, QuantityTooFine: The figures cannot be.
        ReasonMissing, ReasonUnknown: Scrap needs one of the scrap reasons.
        JobOrderNotRunning, JobOrderElsewhere: Not at this terminal, not now.
        MoreThanRemaining: The operation before did not make so many, or the order may not have so many.
        SerialCountWrong, SerialNotExpected: The numbers do not fit the pieces.
    """
    person = actor_of(tx)
    _check_figures(counted)
    if counted.scrap > 0:
        await resources.check_reason(tx, ReasonKind.SCRAP, counted.reason)
    line, job = await lock_running(tx, counted.job_order)
    await _check_pieces(tx, line, job, counted)
    await join(tx, job, person)
    made = replace(job, good=job.good + counted.good, scrap=job.scrap + counted.scrap)
    line = await workorders.fit(tx, line.with_job(made))
    serials, lost = await _pass_serials(tx, job, counted)
    booked = _report_of(tx, job, person, counted, serials, lost)
    await store.insert_report(tx, booked, scope_of(job))
    job = line.job(job.id)
    await _tell_report(tx, job, booked)
    if counted.good > 0:
        await store.feed_next(tx, job.work_order, job.operation)
    if job.last:
        await _record(tx, job, serials)
    return done_at(line, job, entry=booked.id, serials=serials)


def _check_figures(counted: QuantityReport) -> None:
    if counted.good < 0 or counted.scrap < 0:
        raise QuantityNotPositive(quantity=plain(min(counted.good, counted.scrap)))
    if counted.good == 0 and counted.scrap == 0:
        raise NothingReported(job_order=counted.job_order)


async def _check_pieces(tx: Tx, line: Line, job: JobOrder, counted: QuantityReport) -> None:
    available = line.available(job)
    material = await definitions.get_material(tx, job.material)
    for figure in (counted.good, counted.scrap):
        if figure != available:
            material.check(figure)
    if counted.good + counted.scrap <= available:
        return
    room = line.room(job, await workorders.most_of(tx, job.work_order))
    first = line.before(job) is None
    if not first or counted.good > room or counted.scrap > job.quantity:
        raise MoreThanRemaining(
            state=job.state,
            job_order=job.id,
            available=plain(room if first else available),
            reported=plain(counted.good + counted.scrap),
            uom=job.uom,
        )


def _report_of(  # noqa: PLR0917 - the columns of one report
    tx: Tx,
    job: JobOrder,
    person: PersonId,
    counted: QuantityReport,
    serials: tuple[SerialNumber, ...],
    lost: tuple[SerialNumber, ...],
) -> Report:
    return Report(
        id=uuid7(),
        job_order=job.id,
        work_order=job.work_order,
        operation=job.operation,
        equipment=unit_of(job),
        person=person,
        good=counted.good,
        scrap=counted.scrap,
        uom=job.uom,
        reason=counted.reason if counted.scrap > 0 else None,
        serials=serials,
        scrap_serials=lost,
        at=tx.now,
    )


async def _pass_serials(
    tx: Tx, job: JobOrder, counted: QuantityReport
) -> tuple[tuple[SerialNumber, ...], tuple[SerialNumber, ...]]:
    if job.serial_from is None or job.operation < job.serial_from:
        return (), ()
    first = job.operation == job.serial_from
    units = await tracking.serials_of(tx, job.work_order)
    there = tracking.waiting(units, job.from_operation, first=first)
    good = tracking.choose(there, counted.good, counted.serials)
    rest = [one for one in there if one.serial not in good]
    named = counted.scrap_serials
    lost = () if first and not named else tracking.choose(rest, counted.scrap, named)
    passed = SerialStatus.FINISHED if job.last else SerialStatus.ASSIGNED
    await tracking.move_serials(tx, good, passed, job.operation)
    await tracking.move_serials(tx, lost, SerialStatus.SCRAPPED, job.from_operation)
    return good, lost


async def _tell_report(tx: Tx, job: JobOrder, booked: Report) -> None:
    if booked.good > 0:
        await append(
            tx,
            GoodReported(
                **where(tx, job),
                report=booked.id,
                last=job.last,
                material=job.material,
                person=booked.person,
                quantity=booked.good,
                uom=job.uom,
                serials=booked.serials,
            ),
        )
    if booked.scrap > 0:
        await append(
            tx,
            ScrapReported(
                **where(tx, job),
                report=booked.id,
                last=job.last,
                material=job.material,
                person=booked.person,
                quantity=booked.scrap,
                uom=job.uom,
                reason=booked.reason or "",
                serials=booked.scrap_serials,
            ),
        )


async def _record(tx: Tx, job: JobOrder, serials: Sequence[SerialNumber]) -> None:
    need = await workorders.need_per_piece(tx, job.work_order)
    await tracking.record_as_built(tx, serials, job.work_order, job.material, need)
