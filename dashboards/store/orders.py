"""What the live page of a customer order or work order shows."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from dashboards.store.number import Found
from mes.kernel.db import Tx
from mes.kernel.quantity import plain_money


@dataclass(frozen=True, slots=True)
class CustomerOrderRow:
    """The customer order behind the number."""

    number: str
    customer: str | None


async def customer_order(tx: Tx, found: Found) -> CustomerOrderRow | None:
    """Return the customer order that the number is or belongs to."""
    return await tx.fetch_one(
        CustomerOrderRow,
        """
        select id as number, customer_name as customer from mes.customer_order
        where id = case when %(kind)s = 'customer_order' then %(number)s
                   else (select customer_order from mes.work_order where id = any(%(orders)s) limit 1) end
        """,
        {"kind": found.kind, "number": found.number, "orders": found.work_orders},
    )


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One work order of the page."""

    work_order: str
    status: str
    material: str
    material_name: str
    quantity: Decimal
    good: Decimal
    scrap: Decimal
    uom: str
    due_at: datetime
    erp_ref: str
    planned_end: datetime | None
    completed_at: datetime | None


async def orders(tx: Tx, numbers: list[str]) -> list[OrderRow]:
    """Return the orders with their planned end."""
    return await tx.fetch_all(
        OrderRow,
        """
        select o.id as work_order, o.status, o.material, m.name as material_name, o.quantity, o.good,
               o.scrap, o.uom, o.due_at, o.erp_ref,
               (select max(planned_end) from mes.job_order j where j.work_order = o.id) as planned_end,
               o.completed_at
        from mes.work_order o join mes.material m on m.id = o.material
        where o.id = any(%(numbers)s) order by o.received_at, o.id
        """,
        {"numbers": numbers},
    )


@dataclass(frozen=True, slots=True)
class PromiseRow:
    """The newest promise for an order."""

    work_order: str
    promised_at: datetime
    previous: datetime | None
    reason: str
    at: datetime


async def promises(tx: Tx, numbers: list[str]) -> list[PromiseRow]:
    """Return the newest promise of each order."""
    return await tx.fetch_all(
        PromiseRow,
        """
        select distinct on (work_order) work_order, promised_at, previous, reason, given_at as at
        from mes.promise where work_order = any(%(numbers)s) order by work_order, given_at desc
        """,
        {"numbers": numbers},
    )


@dataclass(frozen=True, slots=True)
class OperationRow:
    """One job of an order, planned and done."""

    work_order: str
    job_order: str
    operation: int
    name: str
    status: str
    equipment: str | None
    quantity: Decimal
    good: Decimal
    scrap: Decimal
    planned_start: datetime | None
    planned_end: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


async def operations(tx: Tx, numbers: list[str]) -> list[OperationRow]:
    """Return the jobs in the order of the routing."""
    return await tx.fetch_all(
        OperationRow,
        """
        select work_order, id as job_order, operation, name, status, equipment, quantity, good, scrap,
               planned_start, planned_end, started_at, completed_at as ended_at
        from mes.job_order where work_order = any(%(numbers)s) order by work_order, operation
        """,
        {"numbers": numbers},
    )


@dataclass(frozen=True, slots=True)
class MaterialRow:
    """What an order took of one lot, net of what came back."""

    work_order: str
    material: str
    lot: str
    quantity: Decimal
    uom: str


async def materials(tx: Tx, numbers: list[str]) -> list[MaterialRow]:
    """Return the lots that the orders used."""
    return await tx.fetch_all(
        MaterialRow,
        """
        select work_order, material, lot, sum(quantity) as quantity, min(uom) as uom
        from mes.material_actual where work_order = any(%(numbers)s)
        group by work_order, material, lot having sum(quantity) <> 0 order by work_order, material, lot
        """,
        {"numbers": numbers},
    )


@dataclass(frozen=True, slots=True)
class LabourRow:
    """Hours of one person on an order, as they were booked and costed: without planned breaks."""

    work_order: str
    person: str
    rate_class: str
    hours: Decimal


async def labour(tx: Tx, numbers: list[str]) -> list[LabourRow]:
    """Return the hours that people worked on the orders."""
    return await tx.fetch_all(
        LabourRow,
        """
        select job.work_order, p.name as person, e.payload ->> 'rate_class' as rate_class,
               sum((e.payload ->> 'hours')::numeric) as hours
        from mes.job_order job
        join mes.event e on e.aggregate = job.id and e.type = 'LabourBooked'
        join mes.person p on p.id = e.payload ->> 'person'
        where job.work_order = any(%(numbers)s)
        group by job.work_order, p.name, e.payload ->> 'rate_class' order by job.work_order, p.name
        """,
        {"numbers": numbers},
    )


@dataclass(frozen=True, slots=True)
class ScrapRow:
    """One report of scrap that stands."""

    work_order: str
    job_order: str
    quantity: Decimal
    uom: str
    reason: str
    at: datetime


async def scraps(tx: Tx, numbers: list[str]) -> list[ScrapRow]:
    """Return the scrap reports that were not reversed."""
    return await tx.fetch_all(
        ScrapRow,
        """
        select work_order, job_order, scrap as quantity, uom, coalesce(reason, 'other') as reason, at
        from mes.report r
        where work_order = any(%(numbers)s) and scrap > 0
          and not exists (select from mes.report back where back.reverses = r.id)
        order by at
        """,
        {"numbers": numbers},
    )


@dataclass(frozen=True, slots=True)
class CostRow:
    """Sums of one account over the entries of an order."""

    work_order: str
    account: str
    debit: Decimal
    credit: Decimal
    currency: str


async def costs(tx: Tx, numbers: list[str]) -> list[CostRow]:
    """Return each account's sums over the orders' entries."""
    rows = await tx.fetch_all(
        CostRow,
        """
        select e.work_order, l.account, sum(l.debit) as debit, sum(l.credit) as credit, l.currency
        from mes.cost_entry e join mes.cost_line l on l.entry = e.entry
        where e.work_order = any(%(numbers)s)
        group by e.work_order, l.account, l.currency order by e.work_order, min(e.number), l.account
        """,
        {"numbers": numbers},
    )
    return [
        replace(
            row,
            debit=plain_money(row.debit, row.currency),
            credit=plain_money(row.credit, row.currency),
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class EntryCount:
    """How many entries an order has."""

    work_order: str
    entries: int


async def entry_counts(tx: Tx, numbers: list[str]) -> list[EntryCount]:
    """Return the number of cost entries of each order."""
    return await tx.fetch_all(
        EntryCount,
        "select work_order, count(*) as entries from mes.cost_entry"
        " where work_order = any(%(numbers)s) group by work_order",
        {"numbers": numbers},
    )


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One document to the ERP.

    Args:
        quantity: Of the material, in `uom`; with `material` None where the document moves none.
        hours: That a unit worked on the operation.
        promised_at: What a promise to the customer says.
        reason: Why somebody left it out; None where nobody did.
        lag_s: From the fact to the ERP's answer; None while it waits.
    """

    work_order: str
    id: str
    kind: str
    material: str | None
    quantity: Decimal | None
    uom: str | None
    operation: int | None
    hours: Decimal | None
    promised_at: datetime | None
    state: str
    erp_ref: str | None
    recorded_at: datetime
    posted_at: datetime | None
    lag_s: float | None
    error: str | None
    reason: str | None


async def documents(tx: Tx, numbers: list[str]) -> list[DocumentRow]:
    """Return the orders' documents, newest first, at most 60 of each order."""
    return await tx.fetch_all(
        DocumentRow,
        """
        select work_order, id, kind, material, quantity, uom, operation, hours, promised_at, state, erp_ref,
               recorded_at, posted_at, lag_s, error, reason from (
            select d.work_order, d.id::text as id,
                   case when d.noun = 'MaterialActual' then 'MaterialActual.' || (d.body ->> 'use')
                        else d.noun end as kind,
                   b.material, b.quantity, b.uom, b.operation, b.hours, b.promised_at,
                   d.state, nullif(array_to_string(d.erp_ref, ', '), '') as erp_ref, d.recorded_at,
                   d.applied_at as posted_at,
                   extract(epoch from d.applied_at - d.recorded_at)::float8 as lag_s,
                   case when d.state <> 'skipped' then d.code end as error,
                   case when d.state = 'skipped' then d.detail end as reason,
                   row_number() over (partition by d.work_order order by d.id desc) as nth
            from erp.document d cross join lateral jsonb_to_record(d.body) as b (
                material text, quantity numeric, uom text, operation int, hours numeric,
                promised_at timestamptz)
            where d.work_order = any(%(numbers)s)) newest
        where nth <= 60 order by work_order, nth
        """,
        {"numbers": numbers},
    )
