"""SQL of customer orders, work orders and job orders."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mes.definitions.model import WorkMaster
from mes.kernel.db import Tx
from mes.kernel.ids import WorkOrderNumber
from mes.workorders.model import (
    CustomerOrder,
    CustomerOrderDraft,
    JobComponent,
    JobDraft,
    JobOrder,
    OrderRow,
    WorkOrder,
    WorkOrderDraft,
)

_ORDER = """
    select w.id, w.scope, w.material, w.quantity, w.uom, w.due_at, w.priority, w.customer_order,
           c.customer_name as customer, w.erp_ref, w.work_master, w.work_master_version, w.status,
           w.good, w.scrap, w.received_at, w.released_at, w.started_at, w.completed_at, w.closed_at,
           w.promised_at, w.simulated
    from mes.work_order w left join mes.customer_order c on c.id = w.customer_order
"""

JOB = """
    select j.id, j.work_order, j.operation, j.name, j.scope, j.material, j.family, j.work_center,
           j.cost_center, j.skill, j.labour_class, j.setup_s, j.run_s, j.quantity, j.uom, j.status,
           j.good, j.scrap, j.equipment, j.planned_start, j.planned_end, j.sequence, j.locked, j.last,
           j.from_operation, j.serial_from, j.hold_reason, j.started_at, j.completed_at,
           w.due_at, w.priority, j.simulated
    from mes.job_order j join mes.work_order w on w.id = j.work_order
"""


async def save_customer_order(tx: Tx, draft: CustomerOrderDraft) -> bool:
    """Insert or change a customer order; return whether anything differed."""
    return bool(
        await tx.execute(
            """
            insert into mes.customer_order as o (id, site, customer, customer_name, due_at, ordered_at,
                                                 erp_ref, simulated)
            values (%(id)s, %(site)s, %(customer)s, %(customer_name)s, %(due_at)s, %(ordered_at)s,
                    %(erp_ref)s, %(simulated)s)
            on conflict (id) do update set customer = excluded.customer,
                customer_name = excluded.customer_name, due_at = excluded.due_at
            where (o.customer, o.customer_name, o.due_at)
               is distinct from (excluded.customer, excluded.customer_name, excluded.due_at)
            """,
            {
                "id": draft.id,
                "site": tx.site,
                "customer": draft.customer,
                "customer_name": draft.customer_name,
                "due_at": draft.due_at,
                "ordered_at": draft.ordered_at or tx.now,
                "erp_ref": draft.erp_ref,
                "simulated": tx.cause.simulated,
            },
        )
    )


async def find_customer_order(tx: Tx, customer_order: str) -> CustomerOrder | None:
    """Return a customer order; its promise is the latest of its work orders'."""
    return await tx.fetch_one(
        CustomerOrder,
        """
        select o.id, o.customer, o.customer_name, o.due_at, o.erp_ref,
               (select max(w.promised_at) from mes.work_order w
                where w.customer_order = o.id and w.status <> 'Cancelled') as promised_at
        from mes.customer_order o where o.id = %(id)s
        """,
        {"id": customer_order},
    )


async def next_number(tx: Tx) -> WorkOrderNumber:
    """Return the next `WO-nnnnnn`."""
    number: str = await tx.value("select 'WO-' || lpad(nextval('mes.work_order_number')::text, 6, '0')")
    return WorkOrderNumber(number)


async def insert_order(tx: Tx, number: WorkOrderNumber, draft: WorkOrderDraft, master: WorkMaster) -> bool:
    """Add a work order; return False when its `erp_ref` is taken."""
    return bool(
        await tx.execute(
            """
            insert into mes.work_order (id, site, material, quantity, uom, due_at, priority,
                customer_order, erp_ref, work_master, work_master_version, status, received_at, simulated)
            values (%(id)s, %(site)s, %(material)s, %(quantity)s, %(uom)s, %(due_at)s, %(priority)s,
                %(customer_order)s, %(erp_ref)s, %(work_master)s, %(version)s, 'Waiting', %(at)s,
                %(simulated)s)
            on conflict (erp_ref) do nothing
            """,
            {
                "id": number,
                "site": tx.site,
                "material": draft.material,
                "quantity": draft.quantity,
                "uom": draft.uom,
                "due_at": draft.due_at,
                "priority": draft.priority,
                "customer_order": draft.customer_order,
                "erp_ref": draft.erp_ref,
                "work_master": master.id,
                "version": master.version,
                "at": tx.now,
                "simulated": tx.cause.simulated,
            },
        )
    )


async def find_order(tx: Tx, number: str) -> WorkOrder | None:
    """Return a work order."""
    return await tx.fetch_one(WorkOrder, f"{_ORDER} where w.id = %(id)s", {"id": number})


async def lock_order(tx: Tx, number: str) -> WorkOrder | None:
    """Return a work order that nobody else changes until the transaction ends."""
    return await tx.fetch_one(
        WorkOrder, f"{_ORDER} where w.id = %(id)s for no key update of w", {"id": number}
    )


async def lock_order_by_ref(tx: Tx, erp_ref: str) -> WorkOrder | None:
    """Return the work order of an ERP production, locked."""
    return await tx.fetch_one(
        WorkOrder, f"{_ORDER} where w.erp_ref = %(erp_ref)s for no key update of w", {"erp_ref": erp_ref}
    )


async def update_order(tx: Tx, number: str, draft: WorkOrderDraft) -> None:
    """Change what the ERP may change of an order."""
    await tx.execute(
        """
        update mes.work_order set quantity = %(quantity)s, due_at = %(due_at)s,
            priority = %(priority)s, customer_order = %(customer_order)s
        where id = %(id)s
        """,
        {
            "id": number,
            "quantity": draft.quantity,
            "due_at": draft.due_at,
            "priority": draft.priority,
            "customer_order": draft.customer_order,
        },
    )


async def resize_jobs(tx: Tx, number: str, quantity: Decimal) -> None:
    """Change the pieces of an order's jobs."""
    await tx.execute(
        "update mes.job_order set quantity = %(quantity)s where work_order = %(id)s",
        {"id": number, "quantity": quantity},
    )
    await tx.execute(
        """
        update mes.job_component c set required = c.per_piece * %(quantity)s
        from mes.job_order j where j.id = c.job_order and j.work_order = %(id)s
        """,
        {"id": number, "quantity": quantity},
    )


async def mark_released(tx: Tx, number: str, version: int) -> None:
    """Note the release and the version of the work master that holds from now on."""
    await tx.execute(
        """
        update mes.work_order
        set status = 'Released', released_at = %(at)s, work_master_version = %(version)s
        where id = %(id)s
        """,
        {"id": number, "at": tx.now, "version": version},
    )


async def mark_started(tx: Tx, number: str) -> None:
    """Note that work on the order has begun, if it had not."""
    await tx.execute(
        """
        update mes.work_order set status = 'Running', started_at = %(at)s
        where id = %(id)s and status = 'Released'
        """,
        {"id": number, "at": tx.now},
    )


async def mark_completed(tx: Tx, number: str) -> None:
    """Note that the order's last job is over."""
    await tx.execute(
        "update mes.work_order set status = 'Completed', completed_at = %(at)s where id = %(id)s",
        {"id": number, "at": tx.now},
    )


async def mark_reopened(tx: Tx, number: str) -> None:
    """Note that work on a completed order goes on."""
    await tx.execute(
        "update mes.work_order set status = 'Running', completed_at = null where id = %(id)s", {"id": number}
    )


async def mark_closed(tx: Tx, number: str) -> None:
    """Note that nothing more is booked on the order and its jobs."""
    await tx.execute(
        "update mes.work_order set status = 'Closed', closed_at = %(at)s where id = %(id)s",
        {"id": number, "at": tx.now},
    )
    await tx.execute("update mes.job_order set status = 'Closed' where work_order = %(id)s", {"id": number})


async def mark_cancelled(tx: Tx, number: str) -> None:
    """Note that the order is not made."""
    await tx.execute(
        "update mes.work_order set status = 'Cancelled', closed_at = %(at)s where id = %(id)s",
        {"id": number, "at": tx.now},
    )
    await tx.execute(
        "update mes.job_order set status = 'Cancelled' where work_order = %(id)s", {"id": number}
    )


async def completed_before(tx: Tx, before: datetime, limit: int) -> list[WorkOrderNumber]:
    """Return orders that were completed before then and are not closed, locked."""
    rows = await tx.fetch_all(
        OrderRef,
        """
        select id from mes.work_order
        where status = 'Completed' and completed_at <= %(before)s and site = %(site)s
          and not simulated
        order by completed_at limit %(limit)s for update skip locked
        """,
        {"before": before, "site": tx.site, "limit": limit},
    )
    return [row.id for row in rows]


@dataclass(frozen=True, slots=True)
class OrderRef:
    """The number of a work order."""

    id: WorkOrderNumber


async def insert_jobs(tx: Tx, jobs: Sequence[JobDraft]) -> None:
    """Add the jobs of an order."""
    await tx.execute_many(
        """
        insert into mes.job_order (id, site, scope, work_order, operation, from_operation, last, name,
            instructions, material, family, work_center, cost_center, skill, labour_class, setup_s,
            run_s, quantity, uom, status, serial_from, simulated)
        values (%(id)s, %(site)s, %(scope)s, %(work_order)s, %(operation)s, %(from_operation)s, %(last)s,
            %(name)s, %(instructions)s, %(material)s, %(family)s, %(work_center)s, %(cost_center)s,
            %(skill)s, %(labour_class)s, %(setup_s)s, %(run_s)s, %(quantity)s, %(uom)s, 'Waiting',
            %(serial_from)s, %(simulated)s)
        """,
        [
            {
                **{name: getattr(job, name) for name in job.__slots__},
                "site": tx.site,
                "simulated": tx.cause.simulated,
            }
            for job in jobs
        ],
    )


async def insert_components(tx: Tx, components: Sequence[JobComponent]) -> None:
    """Add what the jobs of an order take."""
    await tx.execute_many(
        """
        insert into mes.job_component (job_order, material, site, scope, per_piece, required, uom)
        values (%(job_order)s, %(material)s, %(site)s,
                coalesce((select scope from mes.job_order where id = %(job_order)s), ''),
                %(per_piece)s, %(required)s, %(uom)s)
        """,
        [
            {
                "job_order": one.job_order,
                "material": one.material,
                "site": tx.site,
                "per_piece": one.per_piece,
                "required": one.required,
                "uom": one.uom,
            }
            for one in components
        ],
    )


async def find_job(tx: Tx, job_order: str) -> JobOrder | None:
    """Return a job."""
    return await tx.fetch_one(JobOrder, f"{JOB} where j.id = %(id)s", {"id": job_order})


async def jobs_of(tx: Tx, number: str) -> list[JobOrder]:
    """Return the jobs of an order, by operation."""
    return await tx.fetch_all(
        JobOrder, f"{JOB} where j.work_order = %(id)s order by j.operation", {"id": number}
    )


async def lock_jobs_beside(tx: Tx, job_order: str) -> list[JobOrder]:
    """Return all jobs of a job's order, by operation; the order is locked first, then they.

    Whoever changes an order and its jobs takes the locks in this order, so that no two wait for
    each other.
    """
    return await tx.fetch_all(
        JobOrder,
        f"""
        with held as (
            select id from mes.work_order
            where id = (select work_order from mes.job_order where id = %(id)s) for no key update)
        {JOB} where j.work_order = (select id from held)
        order by j.operation for no key update of j
        """,  # noqa: S608 - constants
        {"id": job_order},
    )


async def open_orders(tx: Tx) -> list[WorkOrder]:
    """Return the released orders that are not completed, the first due first; history left out."""
    return await tx.fetch_all(
        WorkOrder,
        f"""
        {_ORDER} where w.site = %(site)s and w.status in ('Released', 'Running') and not w.simulated
        order by w.due_at, w.id
        """,
        {"site": tx.site},
    )


async def open_jobs(tx: Tx) -> list[JobOrder]:
    """Return every job that is not over, by order and operation; history left out."""
    return await tx.fetch_all(
        JobOrder,
        f"""
        {JOB} where j.site = %(site)s and not j.simulated
          and w.status in ('Released', 'Running')
        order by j.work_order, j.operation
        """,
        {"site": tx.site},
    )


async def save_job(tx: Tx, job: JobOrder) -> None:
    """Store what may change of a job; its quantities are changed by reports alone."""
    await tx.execute(
        """
        update mes.job_order set status = %(status)s, equipment = %(equipment)s,
            planned_start = %(planned_start)s, planned_end = %(planned_end)s, sequence = %(sequence)s,
            locked = %(locked)s, hold_reason = %(hold_reason)s, started_at = %(started_at)s,
            completed_at = %(completed_at)s
        where id = %(id)s
        """,
        {
            "id": job.id,
            "status": job.status,
            "equipment": job.equipment,
            "planned_start": job.planned_start,
            "planned_end": job.planned_end,
            "sequence": job.sequence,
            "locked": job.locked,
            "hold_reason": job.hold_reason,
            "started_at": job.started_at,
            "completed_at": job.completed_at,
        },
    )


async def free_jobs(tx: Tx, units: Collection[str]) -> int:
    """Take jobs that are not begun and not fixed off some units; they keep their status."""
    return await tx.execute(
        """
        update mes.job_order
        set equipment = null, planned_start = null, planned_end = null, sequence = null
        where id in (
            select id from mes.job_order
            where equipment = any(%(units)s::text[]) and not locked
              and status in ('Waiting', 'Pending', 'Dispatched', 'Ready')
            order by work_order, operation for no key update)
        """,
        {"units": list(units)},
    )


async def running_on(tx: Tx, equipment: str, *, simulated: bool) -> JobOrder | None:
    """Return the job that runs on a unit."""
    return await tx.fetch_one(
        JobOrder,
        f"{JOB} where j.equipment = %(unit)s and j.status = 'Running' and j.simulated = %(simulated)s",
        {"unit": equipment, "simulated": simulated},
    )


_COMPONENT = "select job_order, material, per_piece, required, consumed, uom from mes.job_component"


async def components_of(tx: Tx, job_order: str) -> list[JobComponent]:
    """Return what a job takes."""
    return await tx.fetch_all(
        JobComponent, f"{_COMPONENT} where job_order = %(id)s order by material", {"id": job_order}
    )


async def components_of_order(tx: Tx, number: str) -> list[JobComponent]:
    """Return what all jobs of an order take."""
    return await tx.fetch_all(
        JobComponent,
        f"""
        {_COMPONENT} where job_order in (select id from mes.job_order where work_order = %(id)s)
        order by job_order, material
        """,  # noqa: S608 - constants
        {"id": number},
    )


async def open_components(tx: Tx) -> list[JobComponent]:
    """Return what the jobs that are not over take; history left out."""
    return await tx.fetch_all(
        JobComponent,
        f"""
        {_COMPONENT} where job_order in (
            select j.id from mes.job_order j join mes.work_order w on w.id = j.work_order
            where j.site = %(site)s and not j.simulated and w.status in ('Released', 'Running')
              and j.status not in ('Completed', 'Cancelled', 'Aborted', 'Closed'))
        order by job_order, material
        """,  # noqa: S608 - constants
        {"site": tx.site},
    )


async def list_orders(tx: Tx, statuses: list[str] | None, limit: int) -> list[OrderRow]:
    """Return open orders, those due first before others, and then the newest of the rest."""
    return await tx.fetch_all(
        OrderRow,
        """
        select w.id, w.material, m.name as material_name, w.quantity, w.good, w.scrap, w.uom, w.status,
               w.due_at, w.promised_at, p.planned_end, w.priority, w.customer_order,
               c.customer_name as customer, w.erp_ref, w.received_at, w.completed_at,
               p.jobs, p.jobs_over, w.simulated
        from (select * from mes.work_order
              where site = %(site)s and (%(statuses)s::text[] is null or status = any(%(statuses)s))
              order by (status in ('Waiting', 'Released', 'Running')) desc,
                       case when status in ('Waiting', 'Released', 'Running') then due_at end,
                       received_at desc
              limit %(limit)s) w
        join mes.material m on m.id = w.material
        left join mes.customer_order c on c.id = w.customer_order
        cross join lateral (
            select count(*)::integer as jobs,
                   count(*) filter (where j.status in ('Completed', 'Cancelled', 'Aborted', 'Closed'))
                       ::integer as jobs_over,
                   max(j.planned_end) as planned_end
            from mes.job_order j where j.work_order = w.id) p
        order by (w.status in ('Waiting', 'Released', 'Running')) desc, w.due_at desc, w.id desc
        """,
        {"site": tx.site, "statuses": statuses, "limit": limit},
    )
