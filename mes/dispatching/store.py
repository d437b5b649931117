"""SQL of plans in force, promises and the jobs they move."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mes.dispatching.model import (
    STANDING_STATES,
    PlanInForce,
    PlannedJob,
    PlanPace,
    Promise,
    PublishedPlan,
    Stay,
)
from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, JobOrderId, WorkOrderNumber
from mes.resources.calendar import Span
from mes.resources.model import RUNNING_STATES

_PLAN = """
    select plan, version, solver, status, objective, bound, late_orders, published_at, by from mes.plan
"""


async def in_force(tx: Tx) -> PlanInForce | None:
    """Return the newest published plan."""
    return await tx.fetch_one(
        PlanInForce, f"{_PLAN} where site = %(site)s order by version desc limit 1", {"site": tx.site}
    )


async def insert_plan(tx: Tx, plan: PublishedPlan) -> PlanInForce | None:
    """Add a plan under the next version; return None when it was published before.

    Two publishers wait for each other.
    """
    await tx.execute("select pg_advisory_xact_lock(hashtextextended(%(key)s, 0))", {"key": f"plan:{tx.site}"})
    return await tx.fetch_one(
        PlanInForce,
        """
        insert into mes.plan (plan, site, version, solver, status, objective, bound, operations,
                              late_orders, published_at, by)
        select %(plan)s, %(site)s, coalesce(max(version), 0) + 1, %(solver)s, %(status)s, %(objective)s,
               %(bound)s, %(operations)s, %(late_orders)s, %(at)s, %(by)s
        from mes.plan where site = %(site)s
        on conflict (plan) do nothing
        returning plan, version, solver, status, objective, bound, late_orders, published_at, by
        """,
        {
            "plan": plan.plan,
            "site": tx.site,
            "solver": plan.solver,
            "status": plan.status,
            "objective": plan.objective,
            "bound": plan.bound,
            "operations": len(plan.operations),
            "late_orders": plan.late_orders,
            "at": tx.now,
            "by": plan.by,
        },
    )


async def insert_promise(tx: Tx, promise: Promise) -> None:
    """Add a promise and note it on its work order."""
    await tx.execute(
        """
        insert into mes.promise (id, site, customer_order, work_order, promised_at, previous, reason,
                                 given_at, simulated)
        values (%(id)s, %(site)s, %(customer_order)s, %(work_order)s, %(promised_at)s, %(previous)s,
                %(reason)s, %(given_at)s, %(simulated)s)
        """,
        {
            **{name: getattr(promise, name) for name in promise.__slots__},
            "site": tx.site,
            "simulated": tx.cause.simulated,
        },
    )
    await tx.execute(
        "update mes.work_order set promised_at = %(promised_at)s where id = %(work_order)s",
        {"promised_at": promise.promised_at, "work_order": promise.work_order},
    )


async def promises(tx: Tx, customer_order: str) -> list[Promise]:
    """Return what a customer order was promised, oldest first."""
    return await tx.fetch_all(
        Promise,
        """
        select id, customer_order, work_order, promised_at, previous, reason, given_at
        from mes.promise where customer_order = %(customer_order)s order by given_at
        """,
        {"customer_order": customer_order},
    )


@dataclass(frozen=True, slots=True)
class _JobRef:
    id: JobOrderId
    work_center: EquipmentId


async def lock_plannable(tx: Tx, jobs: list[str]) -> dict[str, EquipmentId]:
    """Return the work centre of each job that has not begun; these jobs are locked.

    Their orders are locked first, as everybody does who changes both: a person who reports
    meanwhile waits for the plan, or the plan for the person.
    """
    await tx.execute(
        """
        select from mes.work_order
        where id in (select work_order from mes.job_order where id = any(%(jobs)s))
        order by id for no key update
        """,
        {"jobs": jobs},
    )
    rows = await tx.fetch_all(
        _JobRef,
        """
        select id, work_center from mes.job_order
        where id = any(%(jobs)s) and status in ('Waiting', 'Pending', 'Dispatched', 'Ready')
        order by work_order, operation for no key update
        """,
        {"jobs": jobs},
    )
    return {row.id: row.work_center for row in rows}


async def save_locked(tx: Tx, job: JobOrderId, *, locked: bool) -> None:
    """Remember whether a planner has put a job where it is."""
    await tx.execute(
        "update mes.job_order set locked = %(locked)s where id = %(job)s", {"job": job, "locked": locked}
    )


@dataclass(frozen=True, slots=True)
class Moved:
    """A job that came to a terminal: for the first time, or at another unit than before."""

    id: JobOrderId
    work_order: WorkOrderNumber
    operation: int
    scope: str
    equipment: EquipmentId
    planned_start: datetime
    planned_end: datetime
    sequence: int


async def place_jobs(tx: Tx, jobs: Sequence[PlannedJob], horizon: datetime) -> list[Moved]:
    """Give locked jobs their unit and times; return those that are new at a unit's terminal.

    A job goes to the terminal when it starts before `horizon`, and is ready when the operation
    before has sent a piece (or there is none before). It never goes back.
    """
    return await tx.fetch_all(
        Moved,
        """
        with planned as (
            select * from unnest(%(ids)s::text[], %(equipment)s::text[], %(starts)s::timestamptz[],
                                 %(ends)s::timestamptz[], %(sequences)s::integer[])
                as p (id, equipment, planned_start, planned_end, sequence)
        ), before as (
            select j.id, j.status, j.equipment,
                   j.from_operation = 0 or exists (
                       select 1 from mes.job_order f where f.work_order = j.work_order
                       and f.operation = j.from_operation and f.good > 0) as fed
            from mes.job_order j join planned p on p.id = j.id
        ), placed as (
            update mes.job_order j
            set equipment = p.equipment, planned_start = p.planned_start, planned_end = p.planned_end,
                sequence = p.sequence,
                status = case
                    when b.status in ('Waiting', 'Pending') and p.planned_start >= %(horizon)s
                        then 'Pending'
                    when b.fed then 'Ready' else 'Dispatched' end
            from planned p join before b on b.id = p.id
            where j.id = p.id
            returning j.id, j.work_order, j.operation, j.scope, j.equipment, j.planned_start,
                      j.planned_end, j.sequence, j.status,
                      b.status as old_status, b.equipment as old_equipment
        )
        select id, work_order, operation, scope, equipment, planned_start, planned_end, sequence
        from placed
        where status <> 'Pending'
          and (old_status in ('Waiting', 'Pending') or old_equipment is distinct from equipment)
        order by equipment, sequence
        """,
        {
            "ids": [job.job_order for job in jobs],
            "equipment": [job.equipment for job in jobs],
            "starts": [job.planned_start for job in jobs],
            "ends": [job.planned_end for job in jobs],
            "sequences": [job.sequence for job in jobs],
            "horizon": horizon,
        },
    )


async def dispatch_pending(tx: Tx, horizon: datetime) -> list[Moved]:
    """Send the pending jobs that start before `horizon` to their terminals."""
    return await tx.fetch_all(
        Moved,
        """
        update mes.job_order j
        set status = case when j.from_operation = 0 or exists (
                select 1 from mes.job_order f where f.work_order = j.work_order
                and f.operation = j.from_operation and f.good > 0) then 'Ready' else 'Dispatched' end
        where j.id in (
            select id from mes.job_order
            where site = %(site)s and status = 'Pending' and planned_start < %(horizon)s
              and equipment is not null
            order by work_order, operation for no key update skip locked)
        returning j.id, j.work_order, j.operation, j.scope, j.equipment, j.planned_start, j.planned_end,
                  coalesce(j.sequence, 0) as sequence
        """,
        {"site": tx.site, "horizon": horizon},
    )


@dataclass(frozen=True, slots=True)
class UnitFamily:
    """The setup family of the last job started on a unit."""

    equipment: EquipmentId
    family: str | None


async def unit_families(tx: Tx) -> dict[EquipmentId, str | None]:
    """Return what each unit is set up for; history left out."""
    rows = await tx.fetch_all(
        UnitFamily,
        """
        select e.id as equipment, j.family
        from mes.equipment e cross join lateral (
            select family from mes.job_order j
            where j.equipment = e.id and j.started_at is not null and not j.simulated
            order by started_at desc limit 1) j
        where e.site = %(site)s and e.level = 'work_unit'
        """,
        {"site": tx.site},
    )
    return {row.equipment: row.family for row in rows}


@dataclass(frozen=True, slots=True)
class _Measured:
    job_order: JobOrderId
    pieces: Decimal
    busy_s: Decimal
    last_at: datetime


async def paces(
    tx: Tx, since: datetime, until: datetime, work: Mapping[EquipmentId, tuple[str, str]]
) -> dict[JobOrderId, PlanPace]:
    """Return how fast the running jobs are that reported more than once from `since` to `until`.

    Time in no shift counts as far as there was work in it (`seen`): what is reported in overtime took time.

    Args:
        work: Unit -> its working time and its shifts, breaks included, as multiranges; a unit that is not
            named had none.
    """
    rows = await tx.fetch_all(
        _Measured,
        """
        with told as (
            select r.job_order, r.at, r.good + r.scrap as pieces,
                   min(r.at) over (partition by r.job_order) as first
            from mes.job_order j join mes.report r on r.job_order = j.id
            where j.site = %(site)s and j.status = 'Running' and not j.simulated
              and r.at between %(since)s and %(until)s and r.reverses is null
              and not exists (select from mes.report undone where undone.reverses = r.id)
        ), span as (
            select job_order, sum(pieces) as pieces, tstzrange(min(first), max(at)) as range
            from told where at > first group by job_order
        ), ran as (
            select s.job_order, a.equipment, range_agg(tstzrange(a.started_at, a.ended_at) * s.range) as range
            from span s join mes.equipment_actual a on a.job_order = s.job_order
            where tstzrange(a.started_at, a.ended_at) && s.range
            group by s.job_order, a.equipment
        ), busy as (
            select r.job_order,
                   mes.microseconds(
                       r.range * (w.work::tstzmultirange + (
                           coalesce(labour.range, '{}') + coalesce(state.ran, '{}')
                           - w.shifts::tstzmultirange))
                       - coalesce(state.stood, '{}')) as us
            from ran r
            join unnest(%(units)s::text[], %(work)s::text[], %(shifts)s::text[]) w (unit, work, shifts)
                on w.unit = r.equipment
            left join lateral (
                select range_agg(tstzrange(l.started_at, l.ended_at)) as range
                from mes.personnel_actual l where l.job_order = r.job_order
            ) labour on true
            left join lateral (
                select range_agg(tstzrange(t.started_at, t.ended_at))
                           filter (where t.state = any(%(standing)s)) as stood,
                       range_agg(tstzrange(t.started_at, t.ended_at))
                           filter (where t.state = any(%(running)s)) as ran
                from mes.equipment_state t
                where t.equipment = r.equipment
                  and t.started_at < upper(r.range) and coalesce(t.ended_at, 'infinity') > lower(r.range)
                  and t.started_at >= coalesce(
                      (select max(before.started_at) from mes.equipment_state before
                       where before.equipment = r.equipment and before.started_at <= lower(r.range)),
                      '-infinity')
            ) state on true
        )
        select s.job_order, s.pieces, sum(b.us) / 1000000.0 as busy_s, upper(s.range) as last_at
        from span s join busy b using (job_order) group by s.job_order, s.pieces, s.range
        """,
        {
            "site": tx.site,
            "since": since,
            "until": until,
            "units": list(work),
            "work": [open_for for open_for, _ in work.values()],
            "shifts": [shifts for _, shifts in work.values()],
            "standing": sorted(STANDING_STATES),
            "running": sorted(RUNNING_STATES),
        },
    )
    return {
        row.job_order: PlanPace(pieces=row.pieces, busy_s=row.busy_s, last_at=row.last_at) for row in rows
    }


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """A job order that is over, and was made by its unit.

    Args:
        family_before: Setup family of the job that the unit had before; None when it had none.
        alone: All its pieces were there when it began: the operation before was over.
        time_percent: Of its unit, as it is now.
    """

    id: JobOrderId
    work_center: EquipmentId
    family: str | None
    family_before: str | None
    run_s: Decimal
    setup_s: Decimal
    good: Decimal
    scrap: Decimal
    alone: bool
    time_percent: int


async def finished_jobs(tx: Tx, since: datetime, most: int) -> list[FinishedJob]:
    """Return the newest finished job orders of each work centre; history left out.

    Args:
        most: So many of a work centre.
    """
    return await tx.fetch_all(
        FinishedJob,
        """
        select j.id, j.work_center, j.family, b.family as family_before, j.run_s, j.setup_s, j.good, j.scrap,
               f.id is null or coalesce(f.completed_at <= j.started_at, false) as alone,
               coalesce(e.time_percent, 100) as time_percent
        from mes.equipment c
        cross join lateral (
            select * from mes.job_order
            where work_center = c.id and completed_at > %(since)s and not simulated
              and status in ('Completed', 'Closed')
            order by completed_at desc limit %(most)s) j
        left join mes.job_order f on f.work_order = j.work_order and f.operation = j.from_operation
        left join mes.equipment e on e.id = j.equipment
        left join lateral (
            select family from mes.job_order
            where equipment = j.equipment and started_at < j.started_at and not simulated
            order by started_at desc limit 1) b on true
        where c.site = %(site)s and c.level = 'work_center'
        order by j.work_center, j.completed_at desc, j.id
        """,
        {"site": tx.site, "since": since, "most": most},
    )


async def stays(tx: Tx, jobs: list[JobOrderId]) -> list[Stay]:
    """Return when job orders that are over were at their units."""
    return await tx.fetch_all(
        Stay,
        """
        select a.job_order, a.equipment, e.calendar, a.started_at, a.ended_at
        from mes.equipment_actual a join mes.equipment e on e.id = a.equipment
        where a.job_order = any(%(jobs)s) and a.ended_at is not null
        """,
        {"jobs": jobs},
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    n: int
    starts_at: datetime
    ends_at: datetime


async def seen(tx: Tx, stays: Sequence[Stay]) -> dict[Stay, list[Span]]:
    """Return when there was work in some stretches: somebody was on the job, or its unit told that it ran.

    Returns:
        When, without overlap; a stretch in which nobody saw any is missing.
    """
    rows = await tx.fetch_all(
        _Seen,
        """
        select stay.n::int as n, lower(span) as starts_at, upper(span) as ends_at
        from unnest(%(jobs)s::text[], %(units)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
             with ordinality stay (job_order, equipment, starts_at, ends_at, n)
        cross join lateral (
            select unnest(range_agg(work.range) * tstzmultirange(tstzrange(stay.starts_at, stay.ends_at)))
            from (
                select tstzrange(started_at, ended_at) as range from mes.personnel_actual
                where job_order = stay.job_order
                union all
                select tstzrange(started_at, ended_at) from mes.equipment_state
                where equipment = stay.equipment and state = any(%(running)s)
                  and started_at < stay.ends_at and coalesce(ended_at, 'infinity') > stay.starts_at
                  and started_at >= coalesce(
                      (select max(before.started_at) from mes.equipment_state before
                       where before.equipment = stay.equipment and before.started_at <= stay.starts_at),
                      '-infinity')
            ) work
        ) found (span)
        """,
        {
            "jobs": [one.job_order for one in stays],
            "units": [one.equipment for one in stays],
            "starts": [one.started_at for one in stays],
            "ends": [one.ended_at for one in stays],
            "running": sorted(RUNNING_STATES),
        },
    )
    found: dict[Stay, list[Span]] = defaultdict(list)
    for row in rows:
        found[stays[row.n - 1]].append((row.starts_at, row.ends_at))
    return dict(found)
