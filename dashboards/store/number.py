"""What a number stands for."""

from dataclasses import dataclass
from typing import Literal

from mes.kernel.db import Tx

NumberKind = Literal["customer_order", "production", "work_order", "job_order", "lot", "serial"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a number is, and the orders that belong to it."""

    kind: NumberKind
    number: str
    work_orders: list[str]


async def find(tx: Tx, number: str) -> Found | None:
    """Say what `number` is, as it is written or in capitals, as our own are; lots are not looked for.

    None when nothing has it.
    """
    return await tx.fetch_one(
        Found,
        """
        with found (rank, kind, number, work_orders) as (
            select 1, 'work_order', id, array[id] from mes.work_order
            where id in (%(number)s, upper(%(number)s))
            union all
            select 2, 'customer_order', c.id,
                   coalesce((select array_agg(id order by received_at, id) from mes.work_order
                             where customer_order = c.id), '{}')
            from mes.customer_order c where c.id = %(number)s or c.erp_ref = %(number)s
            union all
            select 3, 'production', erp_ref, array[id] from mes.work_order where erp_ref = %(number)s
            union all
            select 4, 'job_order', id, array[work_order] from mes.job_order
            where id in (%(number)s, upper(%(number)s))
            union all
            select 5, 'serial', serial, array[work_order] from mes.serial_unit
            where serial in (%(number)s, upper(%(number)s))
        )
        select kind, number, work_orders from found order by number = %(number)s desc, rank limit 1
        """,
        {"number": number},
    )


async def find_folded(tx: Tx, number: str) -> Found | None:
    """Find a customer order of the ERP's whose number was written in other letters."""
    return await tx.fetch_one(
        Found,
        """
        select 'customer_order' as kind, c.id as number,
               coalesce((select array_agg(id order by received_at, id) from mes.work_order
                         where customer_order = c.id), '{}') as work_orders
        from mes.customer_order c where upper(c.id) = upper(%(number)s) order by c.id limit 1
        """,
        {"number": number},
    )
