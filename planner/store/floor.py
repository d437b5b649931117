"""SQL of what the planner asks of orders and jobs."""

from dataclasses import dataclass
from datetime import datetime

from mes.kernel.db import Tx


@dataclass(frozen=True, slots=True)
class OrderNow:
    """What a customer was promised so far."""

    id: str
    customer_order: str
    due_at: datetime
    promised_at: datetime | None


async def open_customer_orders(tx: Tx, orders: list[str]) -> dict[str, OrderNow]:
    """Return those of the work orders that a customer waits for."""
    rows = await tx.fetch_all(
        OrderNow,
        """
        select id, customer_order, due_at, promised_at from mes.work_order
        where id = any(%(orders)s) and customer_order is not null
          and status in ('Waiting', 'Released', 'Running')
        """,
        {"orders": orders},
    )
    return {row.id: row for row in rows}


@dataclass(frozen=True, slots=True)
class _End:
    job_order: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class _Run:
    job_order: str
    runs_at: datetime


async def running_ends(tx: Tx) -> dict[str, datetime]:
    """Return when the plan in force has the running jobs end; those that it knows."""
    rows = await tx.fetch_all(
        _End,
        """
        select row ->> 'job_order' as job_order, (row ->> 'end')::timestamptz as ends_at
        from planner.plan p cross join jsonb_array_elements(p.body -> 'jobs') row
        where p.site = %(site)s and p.status = 'in_force' and row ->> 'job_order' in (
            select id from mes.job_order
            where site = %(site)s and status = 'Running' and not simulated)
        """,
        {"site": tx.site},
    )
    return {row.job_order: row.ends_at for row in rows}


async def runs_in_force(tx: Tx) -> dict[str, datetime]:
    """Return when the plan in force begins the run of each of its jobs, after the set-up."""
    rows = await tx.fetch_all(
        _Run,
        """
        select row ->> 'job_order' as job_order,
               coalesce((row ->> 'run')::timestamptz,
                        (row ->> 'start')::timestamptz + make_interval(secs => (row ->> 'setup_s')::float)
               ) as runs_at
        from planner.plan p cross join jsonb_array_elements(p.body -> 'jobs') row
        where p.site = %(site)s and p.status = 'in_force'
        """,
        {"site": tx.site},
    )
    return {row.job_order: row.runs_at for row in rows}


async def overdue_jobs(tx: Tx, at: datetime, minutes: int) -> int:
    """Return how many jobs should have been planned or started more than `minutes` ago."""
    return int(
        await tx.value(
            """
            select count(*) from mes.job_order j join mes.work_order w on w.id = j.work_order
            where w.site = %(site)s and not w.simulated and w.status in ('Released', 'Running')
              and j.status in ('Waiting', 'Pending', 'Dispatched', 'Ready')
              and %(at)s - make_interval(mins => %(minutes)s) > coalesce(j.planned_start, w.released_at)
            """,
            {"site": tx.site, "at": at, "minutes": minutes},
        )
    )
