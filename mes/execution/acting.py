"""What every act of a person at a unit begins and ends with."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TypedDict
from uuid import UUID

from mes.access import reach
from mes.execution.model import (
    EquipmentBusy,
    JobOrderElsewhere,
    JobOrderNotRunning,
    JobOrderNotStartable,
    PersonMissing,
    WrongEquipment,
)
from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, JobOrderId, PersonId, SerialNumber, WorkOrderNumber
from mes.resources import service as resources
from mes.resources.model import Equipment
from mes.workorders import service as workorders
from mes.workorders.model import JobOrder, JobOrderStatus, Line


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


class Where(TypedDict):
    """What every event of a job says: which job, and where."""

    site: str
    scope: str
    job_order: JobOrderId
    work_order: WorkOrderNumber
    operation: int
    work_center: EquipmentId
    cost_center: str
    equipment: EquipmentId


def actor_of(tx: Tx) -> PersonId:
    """Return the person who acts.

    Raises:
        PersonMissing: No person does.
    """
    person = resources.acting_person(tx)
    if person is None:
        raise PersonMissing
    return person


async def lock_running(tx: Tx, job_order: str) -> tuple[Line, JobOrder]:
    """Return a job that runs at this terminal, and its order's other jobs, all locked."""
    line = await workorders.lock_line(tx, job_order)
    job = line.job(job_order)
    if job.status is not JobOrderStatus.RUNNING:
        raise JobOrderNotRunning(state=job.state, job_order=job.id, status=job.status.value)
    if not reach.at_hand(tx, unit_of(job)):
        raise JobOrderElsewhere(state=job.state, job_order=job.id, equipment=job.equipment)
    return line, job


async def free_unit(tx: Tx, job: JobOrder, equipment: str | None) -> Equipment:
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


def unit_of(job: JobOrder) -> EquipmentId:
    """Return the unit of a job that was started.

    Raises:
        JobOrderNotRunning: It has none.
    """
    if job.equipment is None:
        raise JobOrderNotRunning(state=job.state, job_order=job.id, status=job.status.value)
    return job.equipment


def scope_of(job: JobOrder) -> str:
    """Return the path of a job's unit below the site."""
    return f"{job.scope}/{job.equipment}"


def where(tx: Tx, job: JobOrder) -> Where:
    """Return what an event of a job says of its place."""
    return Where(
        site=tx.site,
        scope=scope_of(job),
        job_order=job.id,
        work_order=job.work_order,
        operation=job.operation,
        work_center=job.work_center,
        cost_center=job.cost_center,
        equipment=unit_of(job),
    )


def done_at(
    line: Line,
    job: JobOrder,
    entry: UUID | None = None,
    serials: tuple[SerialNumber, ...] = (),
) -> Done:
    """Return the answer of an act on a job."""
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
