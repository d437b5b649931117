"""Locks: a person puts a job on a unit, its run beginning at a minute, and plans keep to it.

Where the plant does not let them, a plan is without them and says why (`planner.contradiction`). When the
minute is over and the job has not begun, its unit stays and it begins as soon as it can.
"""

from __future__ import annotations

from datetime import datetime

from mes.dispatching import service as dispatching
from mes.kernel.db import Tx
from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, JobOrderId
from planner import service, store
from planner.store import JobLock


class LockInThePast(PlantError):
    """A job cannot be fixed at a time that is over."""

    http_status = 422
    remedy = "Give a later time."


class JobNotLocked(PlantError):
    """This job is not fixed."""

    http_status = 409
    remedy = "Nothing to do: it has begun, or somebody took the lock off before."


async def lock(tx: Tx, job_order: JobOrderId, equipment: EquipmentId, start: datetime) -> dict[str, str]:
    """Lock a job that has not begun, or lock it elsewhere than before; a new plan follows.

    Args:
        start: When its run begins, after the set-up; its minute counts.

    Raises:
        LockInThePast: The minute is over.
        JobNotPlannable: The job has begun, is over or is unknown.
        EquipmentNotForJob: The unit is none of its work centre.
    """
    start = start.replace(second=0, microsecond=0)
    if start <= tx.now:
        raise LockInThePast(job_order=job_order, start=start.isoformat())
    await dispatching.set_locked(tx, job_order, equipment, start)
    await store.save_lock(tx, JobLock(job_order, equipment, start, tx.cause.actor, tx.now))
    await service.ask(tx, "lock", {"job_order": job_order, "equipment": equipment}, move=False)
    return {"job_order": job_order, "equipment": equipment, "start": start.isoformat()}


async def unlock(tx: Tx, job_order: JobOrderId) -> dict[str, str]:
    """Take the lock of a job off; a new plan follows.

    Raises:
        JobNotLocked: It has none.
    """
    if not await store.drop_lock(tx, job_order):
        raise JobNotLocked(job_order=job_order)
    await dispatching.set_unlocked(tx, job_order)
    await service.ask(tx, "unlock", {"job_order": job_order}, move=False)
    return {"job_order": job_order, "status": "unlocked"}
