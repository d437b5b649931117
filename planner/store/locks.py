"""SQL of locks: where people put jobs."""

from dataclasses import dataclass
from datetime import datetime

from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, JobOrderId


@dataclass(frozen=True, slots=True)
class JobLock:
    """A person's word on a job that has not begun: on this unit, its run beginning then."""

    job_order: JobOrderId
    equipment: EquipmentId
    starts_at: datetime
    locked_by: str
    locked_at: datetime


async def save_lock(tx: Tx, lock: JobLock) -> None:
    """Lock a job, or lock it elsewhere than before."""
    await tx.execute(
        """
        insert into planner.lock (job_order, site, equipment, starts_at, locked_by, locked_at)
        values (%(job_order)s, %(site)s, %(equipment)s, %(starts_at)s, %(locked_by)s, %(locked_at)s)
        on conflict (job_order) do update set equipment = excluded.equipment,
            starts_at = excluded.starts_at, locked_by = excluded.locked_by, locked_at = excluded.locked_at
        """,
        {"site": tx.site, **{name: getattr(lock, name) for name in lock.__slots__}},
    )


async def drop_lock(tx: Tx, job_order: str) -> bool:
    """Take a lock off; say whether there was one."""
    return bool(
        await tx.execute(
            "delete from planner.lock where job_order = %(job_order)s and site = %(site)s",
            {"job_order": job_order, "site": tx.site},
        )
    )


async def locks(tx: Tx) -> list[JobLock]:
    """Return the locks of jobs that have not begun."""
    return await tx.fetch_all(
        JobLock,
        """
        select l.job_order, l.equipment, l.starts_at, l.locked_by, l.locked_at
        from planner.lock l join mes.job_order j on j.id = l.job_order
        where l.site = %(site)s and j.started_at is null
          and j.status in ('Waiting', 'Pending', 'Dispatched', 'Ready')
        order by l.starts_at, l.job_order
        """,
        {"site": tx.site},
    )


async def drop_old_locks(tx: Tx) -> None:
    """Forget the locks of jobs that are over."""
    await tx.execute(
        """
        delete from planner.lock l using mes.job_order j
        where j.id = l.job_order and l.site = %(site)s
          and j.status in ('Completed', 'Closed', 'Cancelled', 'Aborted')
        """,
        {"site": tx.site},
    )
