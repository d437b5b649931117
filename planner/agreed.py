"""A snapshot with what people have agreed on beside the plant's own facts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mes.dispatching.model import PlanJobOrder, PlanLock, PlanningSnapshot
from planner.store import JobLock


def with_locks(snapshot: PlanningSnapshot, locks: Iterable[JobLock], *, firm: bool) -> PlanningSnapshot:
    """The snapshot with the locks of its jobs.

    Args:
        firm: To the minute. Else not before it: a question for a date is answered even where a lock cannot be
            kept.
    """
    by_job = {row.job_order: row for row in locks}
    return replace(
        snapshot, job_orders=tuple(_locked(job, by_job.get(job.id), firm=firm) for job in snapshot.job_orders)
    )


def _locked(job: PlanJobOrder, row: JobLock | None, *, firm: bool) -> PlanJobOrder:
    if row is None:
        return job
    return replace(job, lock=PlanLock(equipment=row.equipment, start=row.starts_at, firm=firm))
