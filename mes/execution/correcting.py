"""A report or a use of material is undone by a reversal with a reason, until its order is closed.

A completed job whose entry is undone is held again, and its completed order is open again: what was
really made and used is booked at the terminal as usual, and genealogy, costs and ERP follow.
"""

from dataclasses import replace
from uuid import UUID

from mes.execution import store
from mes.execution.acting import Done, actor_of, done_at, scope_of, where
from mes.execution.consuming import edge_of
from mes.execution.events import JobOrderHeld, MaterialReturned, ReportReversed
from mes.execution.model import (
    MaterialActual,
    PiecesMovedOn,
    Report,
    ReportReversedAlready,
    ReportUnknown,
    WorkOrderFinished,
)
from mes.inventory import service as inventory
from mes.kernel.db import Tx
from mes.kernel.ids import PersonId, uuid7
from mes.kernel.outbox import append
from mes.resources import service as resources
from mes.resources.model import ReasonKind
from mes.tracking import service as tracking
from mes.tracking.model import SerialStatus, SerialUnit
from mes.workorders import service as workorders
from mes.workorders.model import OVER, JobOrder, JobOrderStatus, Line, WorkOrderStatus

CORRECTABLE = frozenset({WorkOrderStatus.RELEASED, WorkOrderStatus.RUNNING, WorkOrderStatus.COMPLETED})
WORKED_OFF = OVER - {JobOrderStatus.CANCELLED}
"""A job that was cancelled because no piece could reach it any more is revived instead."""
REOPENED = "reversal"
"""Why a completed job is held again."""


async def reverse(tx: Tx, job_order: str, entry: UUID, reason: str) -> Done:
    """Undo a report or a use of material of a job; a completed job is held again.

    Raises:
        ReportUnknown: The job has no such entry.
        ReportReversedAlready: It was undone before.
        ReasonMissing, ReasonUnknown: A reversal needs one of the reversal reasons.
        WorkOrderFinished: The order is closed, or was cancelled.
        PiecesMovedOn: The next operation worked on these pieces.
    """
    person = actor_of(tx)
    code = await resources.check_reason(tx, ReasonKind.REVERSAL, reason)
    line = await workorders.lock_line(tx, job_order)
    job = line.job(job_order)
    order = await workorders.get_work_order(tx, job.work_order)
    if order.status not in CORRECTABLE:
        raise WorkOrderFinished(work_order=order.id, status=order.status.value)
    if await store.is_reversed(tx, entry):
        raise ReportReversedAlready(report=entry)
    booked = await store.find_report(tx, entry)
    if booked is not None and booked.job_order == job.id and booked.reverses is None:
        return await _reverse_report(tx, line, booked, person, code)
    actual = await store.find_actual(tx, entry)
    if actual is not None and actual.job_order == job.id and actual.reverses is None:
        await _reverse_use(tx, job, actual, person, code)
        job = await _hold_again(tx, job, person, code)
        return done_at(line.with_job(job), job, entry=entry)
    raise ReportUnknown(job_order=job.id, report=entry)


async def _reverse_report(tx: Tx, line: Line, booked: Report, person: PersonId, reason: str) -> Done:
    job = line.job(booked.job_order)
    await _check_still_here(tx, line, job, booked)
    await _take_serials_back(tx, job, booked)
    undo = replace(
        booked,
        id=uuid7(),
        person=person,
        good=-booked.good,
        scrap=-booked.scrap,
        reason=reason,
        at=tx.now,
        reverses=booked.id,
    )
    await store.insert_report(tx, undo, scope_of(job))
    job = replace(job, good=job.good - booked.good, scrap=job.scrap - booked.scrap)
    line = await workorders.fit(tx, line.with_job(job))
    job = line.job(job.id)
    await append(
        tx,
        ReportReversed(
            **where(tx, job),
            report=undo.id,
            reverses=booked.id,
            reason=reason,
            last=job.last,
            material=job.material,
            person=person,
            good=booked.good,
            scrap=booked.scrap,
            uom=job.uom,
            scrap_reason=booked.reason,
            serials=booked.serials,
        ),
    )
    job = await _hold_again(tx, job, person, reason)
    line = await workorders.revive(tx, line.with_job(job), job)
    return done_at(line, job, entry=undo.id)


async def _hold_again(tx: Tx, job: JobOrder, person: PersonId, reason: str) -> JobOrder:
    if job.status is not JobOrderStatus.COMPLETED:
        return job
    job = replace(job.moved(JobOrderStatus.HELD), hold_reason=REOPENED, completed_at=None)
    await workorders.save_job(tx, job)
    await append(tx, JobOrderHeld(**where(tx, job), person=person, reason=REOPENED))
    await workorders.reopen(tx, job.work_order, reason)
    return job


async def _check_still_here(tx: Tx, line: Line, job: JobOrder, booked: Report) -> None:
    after = line.after(job)
    if after is None:
        return
    if after.status in WORKED_OFF or job.good - booked.good < after.done:
        raise PiecesMovedOn(state=after.state, job_order=after.id)
    if booked.serials:
        units = {unit.serial: unit for unit in await tracking.serials_of(tx, job.work_order)}
        if any(_moved_on(units[serial], job) for serial in booked.serials):
            raise PiecesMovedOn(state=after.state, job_order=after.id)


def _moved_on(unit: SerialUnit, job: JobOrder) -> bool:
    return unit.status is not SerialStatus.ASSIGNED or unit.last_operation != job.operation


async def _take_serials_back(tx: Tx, job: JobOrder, booked: Report) -> None:
    first = job.operation == job.serial_from
    status = SerialStatus.RESERVED if first else SerialStatus.ASSIGNED
    back = 0 if first else job.from_operation
    await tracking.move_serials(tx, (*booked.serials, *booked.scrap_serials), status, back)


async def _reverse_use(tx: Tx, job: JobOrder, actual: MaterialActual, person: PersonId, reason: str) -> None:
    undo = replace(
        actual,
        id=uuid7(),
        person=person,
        quantity=-actual.quantity,
        movement=await inventory.put_back(tx, actual.movement, reason),
        at=tx.now,
        reverses=actual.id,
    )
    await store.insert_actual(tx, undo, scope_of(job), reason)
    await tracking.link(tx, edge_of(undo))
    need = await workorders.need_per_piece(tx, job.work_order)
    await tracking.correct_as_built(tx, job.work_order, job.material, actual.lot, need)
    await append(
        tx,
        MaterialReturned(
            **where(tx, job),
            actual=undo.id,
            reverses=actual.id,
            reason=reason,
            person=person,
            material=actual.material,
            lot=actual.lot,
            quantity=actual.quantity,
            uom=actual.uom,
            serial=actual.serial,
        ),
    )
