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


async def overdue_jobs(tx: Tx, at: datetime, minutes: int) -> int:
    """Return how many jobs should have been planned, started or ended more than `minutes` ago."""
    return int(
        await tx.value(
            """
            select count(*) from mes.job_order j join mes.work_order w on w.id = j.work_order
            where w.site = %(site)s and not w.simulated and w.status in ('Released', 'Running')
              and %(at)s - make_interval(mins => %(minutes)s) > case
                when j.status = 'Running' then j.planned_end
                when j.status in ('Waiting', 'Pending', 'Dispatched', 'Ready')
                    then coalesce(j.planned_start, w.released_at) end
            """,
            {"site": tx.site, "at": at, "minutes": minutes},
        )
    )
