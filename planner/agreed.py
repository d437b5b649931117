"""A snapshot with what people have agreed on beside the plant's own facts: accepted dates, and locks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from mes.dispatching.model import (
    PlanJobOrder,
    PlanLock,
    PlanMasterOperation,
    PlanningSnapshot,
    PlanOvertime,
    PlanWorkOrder,
)
from mes.kernel.ids import EquipmentId
from planner.reading import asked_jobs
from planner.store import AcceptedOrder, JobLock

Place = tuple[EquipmentId, datetime]
"""A unit, and when it begins there."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Work that is only promised, at the places that are kept for it.

    Args:
        places: Job id -> unit and start.
        only_on: Job id -> the unit that was agreed on for it.
    """

    order: PlanWorkOrder
    master: Sequence[PlanMasterOperation]
    places: Mapping[str, Place]
    only_on: Mapping[str, EquipmentId] = field(default_factory=dict)


def with_runs(snapshot: PlanningSnapshot, runs: Mapping[str, datetime]) -> PlanningSnapshot:
    """The snapshot with the begins of runs that the plan in force has.

    Args:
        runs: Job id -> when its run begins, after the set-up.
    """
    jobs = (replace(job, planned_run=runs.get(job.id)) for job in snapshot.job_orders)
    return replace(snapshot, job_orders=tuple(jobs))


def with_delays(snapshot: PlanningSnapshot, places: Mapping[str, Place]) -> PlanningSnapshot:
    """The snapshot with jobs where they go for somebody else's accepted date, unless they have begun."""
    return replace(
        snapshot, job_orders=tuple(_delayed(job, places.get(job.id)) for job in snapshot.job_orders)
    )


def _delayed(job: PlanJobOrder, place: Place | None) -> PlanJobOrder:
    if place is None or job.started_at is not None:
        return job
    return replace(job, equipment=place[0], planned_start=place[1], planned_run=None)


def with_taken_over(
    snapshot: PlanningSnapshot, places: Mapping[str, Place], only_on: Mapping[str, EquipmentId]
) -> PlanningSnapshot:
    """The snapshot with jobs of promised orders at the places of their promises, until a plan has them.

    Args:
        places: Job id -> unit and start.
        only_on: Job id -> the unit that was agreed on for it.
    """
    jobs = with_delays(snapshot, places).job_orders
    return replace(
        snapshot, job_orders=tuple(replace(job, only_on=only_on.get(job.id, job.only_on)) for job in jobs)
    )


def with_reserved(snapshot: PlanningSnapshot, came: Iterable[AcceptedOrder]) -> PlanningSnapshot:
    """The snapshot with the orders whose dates were accepted before they came: they are due by then."""
    by_order = {row.work_order: row for row in came}
    orders = (_reserved(order, by_order.get(order.id)) for order in snapshot.work_orders)
    return replace(snapshot, work_orders=tuple(orders))


def _reserved(order: PlanWorkOrder, row: AcceptedOrder | None) -> PlanWorkOrder:
    if row is None:
        return order
    return replace(order, reserved_at=row.accepted_at, due_at=min(order.due_at, row.promised_at))


def with_overtime(snapshot: PlanningSnapshot, rows: Iterable[PlanOvertime]) -> PlanningSnapshot:
    """The snapshot with overtime beside its calendars."""
    return replace(snapshot, overtime=(*snapshot.overtime, *rows))


def with_kept(snapshot: PlanningSnapshot, rows: Iterable[Kept]) -> PlanningSnapshot:
    """The snapshot with promised work as orders that are due when they are promised."""
    orders, jobs = list(snapshot.work_orders), list(snapshot.job_orders)
    for row in rows:
        orders.append(row.order)
        for job in asked_jobs(row.order.id, row.order.material, row.order.quantity, row.master):
            unit, start = row.places.get(job.id, (None, None))
            agreed = row.only_on.get(job.id)
            jobs.append(replace(job, equipment=unit, planned_start=start, only_on=agreed))
    return replace(snapshot, work_orders=tuple(orders), job_orders=tuple(jobs))


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
