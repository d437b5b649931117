"""The hours of people and units on a job: begun, handed over, ended, booked.

Booked is the time in which there was work. In a unit's shifts that is all but the planned breaks that lie
wholly in the interval: those are planned down time (ISO 22400 PDOT), which is in no unit's busy time either.
In no shift it is the time in which work was seen. A person's own interval says that somebody was there; a
unit worked while somebody was on its job, or while it told that it ran (`mes.dispatching.busy`).
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from mes.access.model import SIGN_ON_LIFETIME
from mes.dispatching.busy import worked
from mes.dispatching.model import Stay
from mes.execution import store
from mes.execution.acting import scope_of, unit_of, where
from mes.execution.events import LabourBooked, MachineTimeBooked
from mes.execution.model import Interval, hours_in
from mes.kernel.db import Tx
from mes.kernel.ids import PersonId
from mes.kernel.log import get_logger
from mes.kernel.outbox import append
from mes.resources import service as resources
from mes.workorders import service as workorders
from mes.workorders.model import JobOrder

log = get_logger(__name__)

FORGOTTEN = timedelta(hours=4)
"""Whoever has done nothing for so long after the shift's end is not at work any more."""


async def begin_work(tx: Tx, job: JobOrder, person: PersonId) -> None:
    """Let the time of a unit and a person run on a job from `tx.now` on."""
    await store.open_machine(tx, job.id, unit_of(job), scope_of(job))
    await _move_person(tx, job, person)


async def join(tx: Tx, job: JobOrder, person: PersonId) -> None:
    """Let a person's time run on a job from the first act on it; the one before hands over."""
    if await store.works_on(tx, job.id, person):
        return
    await resources.check_can_work(tx, person, job.skill)
    await _move_person(tx, job, person)


async def _move_person(tx: Tx, job: JobOrder, person: PersonId) -> None:
    over = await store.close_labour(tx, job_order=job.id, person=person, begun_by=tx.now)
    await _book_labour(tx, over)
    await store.open_labour(tx, job.id, person, unit_of(job), scope_of(job))


async def end_work(tx: Tx, job: JobOrder) -> None:
    """End the time of a job's unit and people at `tx.now`, and book it."""
    await _book_labour(tx, await store.close_labour(tx, job_order=job.id))
    for interval in await store.close_machine(tx, job.id):
        ended_at = interval.ended_at or tx.now
        place = await resources.get_equipment(tx, interval.equipment)
        stay = Stay(
            job_order=job.id,
            equipment=interval.equipment,
            calendar=place.calendar,
            started_at=interval.started_at,
            ended_at=ended_at,
        )
        (lasted,) = await worked(tx, [stay])
        hours = hours_in(lasted)
        if hours > 0:
            await append(
                tx,
                MachineTimeBooked(
                    **where(tx, replace(job, equipment=interval.equipment)),
                    started_at=interval.started_at,
                    ended_at=ended_at,
                    hours=hours,
                ),
            )


async def _book_labour(tx: Tx, intervals: Iterable[Interval]) -> None:
    for interval in intervals:
        ended_at = interval.ended_at or tx.now
        rest = await resources.rest(tx, interval.equipment, interval.started_at, ended_at)
        hours = hours_in(ended_at - interval.started_at - rest)
        if hours <= 0:
            continue
        job = await workorders.get_job(tx, interval.job_order)
        person = await resources.get_person(tx, PersonId(interval.resource))
        await append(
            tx,
            LabourBooked(
                **where(tx, replace(job, equipment=interval.equipment)),
                person=person.id,
                rate_class=person.rate_class,
                started_at=interval.started_at,
                ended_at=ended_at,
                hours=hours,
            ),
        )


async def leave(tx: Tx, person: PersonId, reason: str | None = None) -> None:
    """Let a person go: the hours on the job at hand are booked, then the person is clocked out.

    Raises:
        PersonUnknown, PersonNotClockedIn: Nobody to let go.
        ReasonUnknown: No such reason of absence.
    """
    await _book_labour(tx, await store.close_labour(tx, person=person))
    await resources.clock_out(tx, person, reason)


async def end_forgotten(tx: Tx) -> int:
    """End the time of one who went home without a word; return 1, or 0 when there is nobody.

    It ends with the shift in which the work began, or with the person's last act on the job when that
    was later; the job and its unit go on. Only hours later is it taken for forgotten: acts may wait in
    a terminal without a network, and what is told then begins or goes on as it was. Work that began in
    no shift (at night, on a Sunday) is believed as long as a sign-on is.
    """
    for one in await store.open_labour_before(tx, tx.now - FORGOTTEN):
        shift = await resources.shift_of(tx, one.equipment, one.started_at)
        over = max(one.last_act, one.started_at if shift is None else shift.ends_at)
        if tx.now - over < (SIGN_ON_LIFETIME if shift is None else FORGOTTEN):
            continue
        ended = await store.end_labour(tx, one.id, over)
        log.warning("labour.forgotten", person=one.person, job_order=one.job_order, ended_at=over)
        await _book_labour(tx, ended)
        return 1
    return 0
