"""Start, report, consume, hold, resume, complete and correct: what a person does at a unit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypedDict
from uuid import UUID

from mes.execution import store
from mes.execution.events import (
    GoodReported,
    HelpCalled,
    JobOrderCompleted,
    JobOrderHeld,
    JobOrderResumed,
    JobOrderStarted,
    LabourBooked,
    MachineTimeBooked,
    MaterialConsumed,
    MaterialReturned,
    ReportReversed,
    ScrapReported,
    StopReasonGiven,
)
from mes.execution.model import (
    EquipmentBusy,
    Interval,
    JobOrderElsewhere,
    JobOrderNotFinished,
    JobOrderNotHeld,
    JobOrderNotRunning,
    JobOrderNotStartable,
    LotUse,
    MaterialActual,
    MaterialNotNeeded,
    MaterialNotOnBill,
    MoreThanRemaining,
    NothingReported,
    PersonMissing,
    PiecesMovedOn,
    QuantityReport,
    Report,
    ReportReversedAlready,
    ReportUnknown,
    WorkOrderFinished,
    WrongEquipment,
    hours_between,
    why_not_startable,
)
from mes.inventory import service as inventory
from mes.inventory.model import Lot, QuantityNotPositive, plain
from mes.kernel.db import Tx
from mes.kernel.ids import (
    EquipmentId,
    JobOrderId,
    PersonId,
    SerialNumber,
    WorkOrderNumber,
    uuid7,
)
from mes.kernel.outbox import append
from mes.resources import service as resources
from mes.resources.model import Equipment, ReasonKind
from mes.tracking import service as tracking
from mes.tracking.model import GenealogyEdge, SerialNotExpected, SerialStatus, SerialUnit
from mes.workorders import service as workorders
from mes.workorders.model import (
    OVER,
    JobComponent,
    JobOrder,
    JobOrderStatus,
    Line,
    QuantityNotWhole,
    WorkOrderStatus,
)

REOPENED = "reversal"
"""Why a completed job is held again."""


@dataclass(frozen=True, slots=True)
class Done:
    """What an act answers: the job as it is now, and the line it wrote, if it wrote one."""

    job_order: JobOrderId
    status: JobOrderStatus
    equipment: EquipmentId | None
    good: Decimal
    scrap: Decimal
    remaining: Decimal
    entry: UUID | None = None
    serials: tuple[SerialNumber, ...] = ()
    quantity: Decimal | None = None


class _Where(TypedDict):
    site: str
    scope: str
    job_order: JobOrderId
    work_order: WorkOrderNumber
    operation: int
    work_center: EquipmentId
    cost_center: str
    equipment: EquipmentId


async def start(tx: Tx, job_order: str, equipment: str | None = None) -> Done:
    """Start a job at a unit: the one named, else the terminal's, else the planned one.

    Raises:
        PersonMissing, PersonNotClockedIn, PersonLacksSkill: Nobody who may do it is there.
        JobOrderUnknown, EquipmentUnknown: No such job or unit.
        JobOrderNotStartable: Its status forbids it, or no good piece lies before it.
        WrongEquipment: The unit belongs to another work centre.
        EquipmentBusy: Another job runs there.
    """
    person = _person(tx)
    line = await workorders.lock_line(tx, job_order)
    job = line.job(job_order)
    reason = why_not_startable(line, job)
    if reason is not None:
        raise JobOrderNotStartable(state=job.state, job_order=job.id, reason=reason)
    unit = await _free_unit(tx, job, equipment or tx.cause.terminal or job.equipment)
    await resources.check_can_work(tx, person, job.skill)
    job = replace(job.moved(JobOrderStatus.RUNNING), equipment=unit.id, started_at=tx.now)
    await workorders.save_job(tx, job)
    await workorders.mark_started(tx, job.work_order)
    await _begin_work(tx, job, person)
    await append(tx, JobOrderStarted(**_where(tx, job), person=person))
    return _done(line.with_job(job), job)


async def _free_unit(tx: Tx, job: JobOrder, equipment: str | None) -> Equipment:
    """Return the unit, locked, if this job may run there now."""
    if equipment is None:
        raise JobOrderNotStartable(state=job.state, job_order=job.id, reason="not-planned")
    unit = await resources.lock_unit(tx, equipment)
    if unit.work_center != job.work_center:
        raise WrongEquipment(
            state=job.state, job_order=job.id, equipment=unit.id, work_center=job.work_center
        )
    running = await workorders.running_on(tx, unit.id, simulated=job.simulated)
    if running is not None:
        raise EquipmentBusy(state=running.state, equipment=unit.id, job_order=running.id)
    return unit


async def report(tx: Tx, counted: QuantityReport) -> Done:
    """Count good pieces and scrap of a running job, in one gesture.

    Where pieces have serial numbers, the named ones (or the next that lie there) move on; those
    that leave the last operation get their as-built record.

    Raises:
        NothingReported, QuantityNotPositive, QuantityNotWhole: The figures cannot be.
        ReasonMissing, ReasonUnknown: Scrap needs one of the scrap reasons.
        JobOrderNotRunning, JobOrderElsewhere: Not at this terminal, not now.
        MoreThanRemaining: The operation before did not make so many.
        SerialCountWrong, SerialNotExpected: The numbers do not fit the pieces.
    """
    person = _person(tx)
    _check_figures(counted)
    if counted.scrap > 0:
        await resources.check_reason(tx, ReasonKind.SCRAP, counted.reason)
    line, job = await _running(tx, counted.job_order)
    _check_pieces(line, job, counted)
    await _join(tx, job, person)
    serials, lost = await _pass_serials(tx, job, counted)
    booked = _report_of(tx, job, person, counted, serials, lost)
    await store.insert_report(tx, booked, _scope(job))
    job = replace(job, good=job.good + counted.good, scrap=job.scrap + counted.scrap)
    await _tell_report(tx, job, booked)
    if counted.good > 0:
        await store.feed_next(tx, job.work_order, job.operation)
    if job.last:
        await _record(tx, job, serials)
    return _done(line.with_job(job), job, entry=booked.id, serials=serials)


def _check_figures(counted: QuantityReport) -> None:
    if counted.good < 0 or counted.scrap < 0:
        raise QuantityNotPositive(quantity=plain(min(counted.good, counted.scrap)))
    if counted.good == 0 and counted.scrap == 0:
        raise NothingReported(job_order=counted.job_order)


def _check_pieces(line: Line, job: JobOrder, counted: QuantityReport) -> None:
    if job.serial_from is not None and (counted.good % 1 or counted.scrap % 1):
        raise QuantityNotWhole(quantity=plain(counted.good + counted.scrap))
    available = line.available(job)
    if counted.good + counted.scrap > available:
        raise MoreThanRemaining(
            state=job.state,
            job_order=job.id,
            available=plain(available),
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
        equipment=_unit_of(job),
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
                **_where(tx, job),
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
                **_where(tx, job),
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


async def consume(tx: Tx, use: LotUse) -> Done:
    """Take part of a lot for a running job: stock goes down, the genealogy grows.

    Without a quantity it takes what the job still requires, or what the lot still has.

    Raises:
        JobOrderNotRunning, JobOrderElsewhere: Not at this terminal, not now.
        UnknownBarcode: No such lot.
        MaterialNotOnBill: The job does not take this material.
        MaterialNotNeeded: It has all it needs, and no quantity was given.
        QuantityNotPositive: The quantity is zero or less.
        LotBlocked, LotExpired, LotReserved, LotTooSmall: The lot may not be used for this.
        SerialNotExpected: The piece is not of this order.
    """
    person = _person(tx)
    line, job = await _running(tx, use.job_order)
    lot = await inventory.lock_lot(tx, use.lot)
    part = _on_bill(job, lot, await workorders.components_of(tx, job.id))
    quantity = _quantity_to_take(part, lot, use)
    await _check_piece(tx, job, use.serial)
    movement = await inventory.issue(tx, lot, quantity, job.work_order, job.id)
    await _join(tx, job, person)
    actual = _actual_of(tx, job, person, lot, quantity, use.serial, movement)
    await store.insert_actual(tx, actual, _scope(job))
    await tracking.link(tx, _edge(actual))
    await append(tx, _consumed(tx, job, actual))
    return replace(_done(line, job, entry=actual.id), quantity=quantity)


def _actual_of(  # noqa: PLR0917 - the columns of one use
    tx: Tx,
    job: JobOrder,
    person: PersonId,
    lot: Lot,
    quantity: Decimal,
    serial: SerialNumber | None,
    movement: UUID,
) -> MaterialActual:
    return MaterialActual(
        id=uuid7(),
        job_order=job.id,
        work_order=job.work_order,
        operation=job.operation,
        equipment=_unit_of(job),
        person=person,
        material=lot.material,
        lot=lot.id,
        quantity=quantity,
        uom=lot.uom,
        serial=serial,
        movement=movement,
        at=tx.now,
    )


def _consumed(tx: Tx, job: JobOrder, actual: MaterialActual) -> MaterialConsumed:
    return MaterialConsumed(
        **_where(tx, job),
        actual=actual.id,
        person=actual.person,
        material=actual.material,
        lot=actual.lot,
        quantity=actual.quantity,
        uom=actual.uom,
        serial=actual.serial,
    )


def _on_bill(job: JobOrder, lot: Lot, parts: Iterable[JobComponent]) -> JobComponent:
    part = next((one for one in parts if one.material == lot.material), None)
    if part is None:
        raise MaterialNotOnBill(lot=lot.id, material=lot.material, job_order=job.id)
    return part


def _quantity_to_take(part: JobComponent, lot: Lot, use: LotUse) -> Decimal:
    if use.quantity is not None:
        if use.quantity <= 0:
            raise QuantityNotPositive(quantity=plain(use.quantity))
        return use.quantity
    needed = part.required - part.consumed
    if needed <= 0:
        raise MaterialNotNeeded(material=part.material, consumed=plain(part.consumed), uom=part.uom)
    return min(needed, lot.on_hand) if lot.on_hand > 0 else needed


async def _check_piece(tx: Tx, job: JobOrder, serial: SerialNumber | None) -> None:
    if serial is None:
        return
    piece = await tracking.find_serial(tx, serial)
    if piece is None or piece.work_order != job.work_order:
        raise SerialNotExpected(serial=serial)


def _edge(actual: MaterialActual) -> GenealogyEdge:
    return GenealogyEdge(
        id=uuid7(),
        work_order=actual.work_order,
        job_order=actual.job_order,
        material=actual.material,
        lot=actual.lot,
        serial=actual.serial,
        quantity=actual.quantity,
        uom=actual.uom,
        actual=actual.id,
        at=actual.at,
    )


async def hold(tx: Tx, job_order: str, reason: str) -> Done:
    """Interrupt a running job; its hours so far are booked and the unit is free.

    Raises:
        ReasonMissing, ReasonUnknown: A hold needs one of the hold reasons.
        JobOrderNotRunning, JobOrderElsewhere: Not at this terminal, not now.
    """
    code = await resources.check_reason(tx, ReasonKind.HOLD, reason)
    line, job = await _running(tx, job_order)
    await _end_work(tx, job)
    job = replace(job.moved(JobOrderStatus.HELD), hold_reason=code)
    await workorders.save_job(tx, job)
    await append(tx, JobOrderHeld(**_where(tx, job), person=resources.acting_person(tx), reason=code))
    return _done(line.with_job(job), job)


async def resume(tx: Tx, job_order: str, equipment: str | None = None) -> Done:
    """Go on with a held job, at its unit or another of the same work centre.

    Raises:
        PersonMissing, PersonNotClockedIn, PersonLacksSkill: Nobody who may do it is there.
        JobOrderNotHeld: It runs, is over, or was never started.
        WrongEquipment, EquipmentBusy: Not at this unit, not now.
    """
    person = _person(tx)
    line = await workorders.lock_line(tx, job_order)
    job = line.job(job_order)
    if job.status not in {JobOrderStatus.HELD, JobOrderStatus.SUSPENDED}:
        raise JobOrderNotHeld(state=job.state, job_order=job.id, status=job.status.value)
    unit = await _free_unit(tx, job, equipment or tx.cause.terminal or job.equipment)
    await resources.check_can_work(tx, person, job.skill)
    job = replace(job.moved(JobOrderStatus.RUNNING), equipment=unit.id, hold_reason=None, completed_at=None)
    await workorders.save_job(tx, job)
    await _begin_work(tx, job, person)
    await append(tx, JobOrderResumed(**_where(tx, job), person=person))
    return _done(line.with_job(job), job)


async def complete(tx: Tx, job_order: str, *, short: bool = False, reason: str | None = None) -> Done:
    """End a job; its hours are booked. The last job of an order completes the order.

    Args:
        short: Pieces that lie here stay undone; only when the operation before is over.
        reason: Why short, one of the hold reasons.

    Raises:
        JobOrderNotRunning, JobOrderElsewhere: Not at this terminal, not now.
        JobOrderNotFinished: Pieces are still to be made or still to come.
        ReasonMissing, ReasonUnknown: Short without one of the hold reasons.
    """
    line, job = await _running(tx, job_order)
    remaining = line.remaining(job)
    if remaining > 0:
        await _check_short(tx, line, job, short=short, reason=reason)
    await _end_work(tx, job)
    job = replace(job.moved(JobOrderStatus.COMPLETED), completed_at=tx.now)
    await workorders.save_job(tx, job)
    await append(
        tx,
        JobOrderCompleted(
            **_where(tx, job),
            material=job.material,
            good=job.good,
            scrap=job.scrap,
            uom=job.uom,
            last=job.last,
            short=remaining > 0,
            reason=reason if remaining > 0 else None,
        ),
    )
    line = await workorders.settle(tx, line.with_job(job))
    return _done(line, job)


async def _check_short(tx: Tx, line: Line, job: JobOrder, *, short: bool, reason: str | None) -> None:
    before = line.before(job)
    if not short or (before is not None and before.status not in OVER):
        raise JobOrderNotFinished(
            state=job.state, job_order=job.id, remaining=plain(line.remaining(job)), uom=job.uom
        )
    await resources.check_reason(tx, ReasonKind.HOLD, reason)


async def reverse(tx: Tx, job_order: str, entry: UUID, reason: str) -> Done:
    """Undo a report or a use of material of a job; a completed job is held again.

    Raises:
        ReportUnknown: The job has no such entry.
        ReportReversedAlready: It was undone before.
        ReasonMissing, ReasonUnknown: A reversal needs one of the reversal reasons.
        WorkOrderFinished: The order is completed.
        PiecesMovedOn: The next operation worked on these pieces.
    """
    person = _person(tx)
    code = await resources.check_reason(tx, ReasonKind.REVERSAL, reason)
    line = await workorders.lock_line(tx, job_order)
    job = line.job(job_order)
    order = await workorders.get_work_order(tx, job.work_order)
    if order.status not in {WorkOrderStatus.RELEASED, WorkOrderStatus.RUNNING}:
        raise WorkOrderFinished(work_order=order.id, status=order.status.value)
    if await store.is_reversed(tx, entry):
        raise ReportReversedAlready(report=entry)
    booked = await store.find_report(tx, entry)
    if booked is not None and booked.job_order == job.id and booked.reverses is None:
        return await _reverse_report(tx, line, booked, person, code)
    actual = await store.find_actual(tx, entry)
    if actual is not None and actual.job_order == job.id and actual.reverses is None:
        await _reverse_use(tx, job, actual, person, code)
        return _done(line, job, entry=entry)
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
    await store.insert_report(tx, undo, _scope(job))
    job = replace(job, good=job.good - booked.good, scrap=job.scrap - booked.scrap)
    if job.status is JobOrderStatus.COMPLETED:
        job = replace(job.moved(JobOrderStatus.HELD), hold_reason=REOPENED, completed_at=None)
        await workorders.save_job(tx, job)
    await append(
        tx,
        ReportReversed(
            **_where(tx, job),
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
    return _done(line.with_job(job), job, entry=undo.id)


async def _check_still_here(tx: Tx, line: Line, job: JobOrder, booked: Report) -> None:
    after = line.after(job)
    if after is None:
        return
    if after.status in OVER or job.good - booked.good < after.done:
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
    await store.insert_actual(tx, undo, _scope(job), reason)
    await tracking.link(tx, _edge(undo))
    need = await workorders.need_per_piece(tx, job.work_order)
    await tracking.correct_as_built(tx, job.work_order, job.material, actual.lot, need)
    await append(
        tx,
        MaterialReturned(
            **_where(tx, job),
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


async def give_stop_reason(tx: Tx, equipment: str, reason: str, interval: UUID | None = None) -> UUID:
    """Note why a unit stands.

    Args:
        interval: The state interval meant; the present one when None.

    Raises:
        EquipmentUnknown: No such unit.
        ReasonMissing, ReasonUnknown: It needs one of the stop reasons.
    """
    unit = await resources.get_equipment(tx, equipment)
    code = await resources.check_reason(tx, ReasonKind.STOP, reason)
    person = resources.acting_person(tx)
    stop = uuid7()
    await store.insert_stop_reason(tx, stop, unit.id, unit.scope, interval, code, person)
    await append(
        tx,
        StopReasonGiven(
            site=tx.site,
            scope=unit.scope,
            equipment=unit.id,
            interval=interval,
            reason=code,
            person=person,
        ),
    )
    return stop


async def call_help(tx: Tx, equipment: str) -> None:
    """Ask for somebody to come to a unit.

    Raises:
        PersonMissing: Nobody is signed on there.
        EquipmentUnknown: No such unit.
    """
    person = _person(tx)
    unit = await resources.get_equipment(tx, equipment)
    running = await workorders.running_on(tx, unit.id, simulated=tx.cause.simulated)
    job_order = None if running is None else running.id
    await append(
        tx,
        HelpCalled(site=tx.site, scope=unit.scope, equipment=unit.id, job_order=job_order, person=person),
    )


async def leave(tx: Tx, person: PersonId, reason: str | None = None) -> None:
    """Let a person go: the hours on the job at hand are booked, then the person is clocked out.

    Raises:
        PersonUnknown, PersonNotClockedIn: Nobody to let go.
        ReasonUnknown: No such reason of absence.
    """
    await _book_labour(tx, await store.close_labour(tx, person=person))
    await resources.clock_out(tx, person, reason)


def _person(tx: Tx) -> PersonId:
    person = resources.acting_person(tx)
    if person is None:
        raise PersonMissing
    return person


async def _running(tx: Tx, job_order: str) -> tuple[Line, JobOrder]:
    """Return a job that runs at this terminal, and its order's other jobs, all locked."""
    line = await workorders.lock_line(tx, job_order)
    job = line.job(job_order)
    if job.status is not JobOrderStatus.RUNNING:
        raise JobOrderNotRunning(state=job.state, job_order=job.id, status=job.status.value)
    if tx.cause.terminal is not None and tx.cause.terminal != job.equipment:
        raise JobOrderElsewhere(state=job.state, job_order=job.id, equipment=job.equipment)
    return line, job


async def _begin_work(tx: Tx, job: JobOrder, person: PersonId) -> None:
    await store.open_machine(tx, job.id, _unit_of(job), _scope(job))
    await _move_person(tx, job, person)


async def _join(tx: Tx, job: JobOrder, person: PersonId) -> None:
    """Let a person's time run on a job from the first act on it; the one before hands over."""
    if await store.works_on(tx, job.id, person):
        return
    await resources.check_can_work(tx, person, job.skill)
    await _move_person(tx, job, person)


async def _move_person(tx: Tx, job: JobOrder, person: PersonId) -> None:
    await _book_labour(tx, await store.close_labour(tx, job_order=job.id))
    await _book_labour(tx, await store.close_labour(tx, person=person))
    await store.open_labour(tx, job.id, person, _unit_of(job), _scope(job))


async def _end_work(tx: Tx, job: JobOrder) -> None:
    await _book_labour(tx, await store.close_labour(tx, job_order=job.id))
    for interval in await store.close_machine(tx, job.id):
        ended_at = interval.ended_at or tx.now
        hours = hours_between(interval.started_at, ended_at)
        if hours > 0:
            await append(
                tx,
                MachineTimeBooked(
                    **_where(tx, replace(job, equipment=interval.equipment)),
                    started_at=interval.started_at,
                    ended_at=ended_at,
                    hours=hours,
                ),
            )


async def _book_labour(tx: Tx, intervals: Iterable[Interval]) -> None:
    for interval in intervals:
        ended_at = interval.ended_at or tx.now
        hours = hours_between(interval.started_at, ended_at)
        if hours <= 0:
            continue
        job = await workorders.get_job(tx, interval.job_order)
        person = await resources.get_person(tx, PersonId(interval.resource))
        await append(
            tx,
            LabourBooked(
                **_where(tx, replace(job, equipment=interval.equipment)),
                person=person.id,
                rate_class=person.rate_class,
                started_at=interval.started_at,
                ended_at=ended_at,
                hours=hours,
            ),
        )


def _unit_of(job: JobOrder) -> EquipmentId:
    if job.equipment is None:
        raise JobOrderNotRunning(state=job.state, job_order=job.id, status=job.status.value)
    return job.equipment


def _scope(job: JobOrder) -> str:
    return f"{job.scope}/{job.equipment}"


def _where(tx: Tx, job: JobOrder) -> _Where:
    return _Where(
        site=tx.site,
        scope=_scope(job),
        job_order=job.id,
        work_order=job.work_order,
        operation=job.operation,
        work_center=job.work_center,
        cost_center=job.cost_center,
        equipment=_unit_of(job),
    )


def _done(
    line: Line,
    job: JobOrder,
    entry: UUID | None = None,
    serials: tuple[SerialNumber, ...] = (),
) -> Done:
    return Done(
        job_order=job.id,
        status=job.status,
        equipment=job.equipment,
        good=job.good,
        scrap=job.scrap,
        remaining=line.remaining(job),
        entry=entry,
        serials=serials,
    )
