"""The course of a job at a unit: started, held, resumed, completed."""

from dataclasses import replace

from mes.execution.acting import Done, actor_of, done_at, free_unit, lock_running, where
from mes.execution.events import JobOrderCompleted, JobOrderHeld, JobOrderResumed, JobOrderStarted
from mes.execution.hours import begin_work, end_work
from mes.execution.model import JobOrderNotFinished, JobOrderNotHeld, JobOrderNotStartable, why_not_startable
from mes.inventory.model import plain
from mes.kernel.db import Tx
from mes.kernel.outbox import append
from mes.resources import service as resources
from mes.resources.model import ReasonKind
from mes.workorders import service as workorders
from mes.workorders.model import OVER, JobOrder, JobOrderStatus, Line


async def start(tx: Tx, job_order: str, equipment: str | None = None) -> Done:
    """Start a job at a unit: the one named, else the terminal's, else the planned one.

    Raises:
        PersonMissing, PersonNotClockedIn, PersonLacksSkill: Nobody who may do it is there.
        JobOrderUnknown, EquipmentUnknown: No such job or unit.
        JobOrderNotStartable: Its status forbids it, or no good piece lies before it.
        WrongEquipment: The unit belongs to another work centre.
        EquipmentBusy: Another job runs there.
    """
    person = actor_of(tx)
    line = await workorders.lock_line(tx, job_order)
    job = line.job(job_order)
    reason = why_not_startable(line, job)
    if reason is not None:
        raise JobOrderNotStartable(state=job.state, job_order=job.id, reason=reason)
    unit = await free_unit(tx, job, equipment or tx.cause.terminal or job.equipment)
    await resources.check_can_work(tx, person, job.skill)
    job = replace(job.moved(JobOrderStatus.RUNNING), equipment=unit.id, started_at=tx.now)
    await workorders.save_job(tx, job)
    await workorders.mark_started(tx, job.work_order)
    await begin_work(tx, job, person)
    await append(tx, JobOrderStarted(**where(tx, job), person=person))
    return done_at(line.with_job(job), job)


async def hold(tx: Tx, job_order: str, reason: str) -> Done:
    """Interrupt a running job; its hours so far are booked and the unit is free.

    Raises:
        PersonMissing: Nobody is signed on there.
        ReasonMissing, ReasonUnknown: A hold needs one of the hold reasons.
        JobOrderNotRunning, JobOrderElsewhere: Not at this terminal, not now.
    """
    person = actor_of(tx)
    code = await resources.check_reason(tx, ReasonKind.HOLD, reason)
    line, job = await lock_running(tx, job_order)
    await end_work(tx, job)
    job = replace(job.moved(JobOrderStatus.HELD), hold_reason=code)
    await workorders.save_job(tx, job)
    await append(tx, JobOrderHeld(**where(tx, job), person=person, reason=code))
    return done_at(line.with_job(job), job)


async def resume(tx: Tx, job_order: str, equipment: str | None = None) -> Done:
    """Go on with a held job, at its unit or another of the same work centre.

    Raises:
        PersonMissing, PersonNotClockedIn, PersonLacksSkill: Nobody who may do it is there.
        JobOrderNotHeld: It runs, is over, or was never started.
        WrongEquipment, EquipmentBusy: Not at this unit, not now.
    """
    person = actor_of(tx)
    line = await workorders.lock_line(tx, job_order)
    job = line.job(job_order)
    if job.status not in {JobOrderStatus.HELD, JobOrderStatus.SUSPENDED}:
        raise JobOrderNotHeld(state=job.state, job_order=job.id, status=job.status.value)
    unit = await free_unit(tx, job, equipment or tx.cause.terminal or job.equipment)
    await resources.check_can_work(tx, person, job.skill)
    job = replace(job.moved(JobOrderStatus.RUNNING), equipment=unit.id, hold_reason=None, completed_at=None)
    await workorders.save_job(tx, job)
    await begin_work(tx, job, person)
    await append(tx, JobOrderResumed(**where(tx, job), person=person))
    return done_at(line.with_job(job), job)


async def complete(tx: Tx, job_order: str, *, short: bool = False, reason: str | None = None) -> Done:
    """End a job; its hours are booked. The last job of an order completes the order.

    Args:
        short: Pieces that lie here stay undone; only when the operation before is over.
        reason: Why short, one of the hold reasons.

    Raises:
        PersonMissing: Nobody is signed on there.
        JobOrderNotRunning, JobOrderElsewhere: Not at this terminal, not now.
        JobOrderNotFinished: Pieces are still to be made or still to come.
        ReasonMissing, ReasonUnknown: Short without one of the hold reasons.
    """
    actor_of(tx)
    line, job = await lock_running(tx, job_order)
    remaining = line.remaining(job)
    if remaining > 0:
        await _check_short(tx, line, job, short=short, reason=reason)
    await end_work(tx, job)
    job = replace(job.moved(JobOrderStatus.COMPLETED), completed_at=tx.now)
    await workorders.save_job(tx, job)
    await append(
        tx,
        JobOrderCompleted(
            **where(tx, job),
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
    return done_at(line, job)


async def _check_short(tx: Tx, line: Line, job: JobOrder, *, short: bool, reason: str | None) -> None:
    before = line.before(job)
    if not short or (before is not None and before.status not in OVER):
        raise JobOrderNotFinished(
            state=job.state, job_order=job.id, remaining=plain(line.remaining(job)), uom=job.uom
        )
    await resources.check_reason(tx, ReasonKind.HOLD, reason)
