"""What the pages show across activities: plain reading SQL, one snapshot per reply."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from mes.kernel.db import Tx

NumberKind = Literal["customer_order", "production", "work_order", "job_order", "lot", "serial"]


# --- the site


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit that has a terminal."""

    id: str
    name: str
    work_center: str


async def units(tx: Tx) -> list[UnitRow]:
    """Return the work units, in the order of the plant file."""
    return await tx.fetch_all(
        UnitRow,
        "select id, name, work_center from mes.equipment where level = 'work_unit' order by position, id",
        {},
    )


# --- the status


@dataclass(frozen=True, slots=True)
class EdgeFigures:
    """What came from the machines; `lost` and `doubled` against the machines' own counters."""

    samples_committed: int
    events_committed: int
    duplicates_refused: int
    gaps_declared: int
    spool_depth: int
    ingest_lag_s: float
    lost: int
    doubled: int


async def edge_figures(tx: Tx) -> EdgeFigures:
    """Return the sums over all edges."""
    row = await tx.fetch_one(
        EdgeFigures,
        """
        select coalesce(sum(samples_committed), 0)::bigint as samples_committed,
               coalesce(sum(events_committed), 0)::bigint as events_committed,
               coalesce(sum(duplicates_refused), 0)::bigint as duplicates_refused,
               coalesce(sum(gaps_declared), 0)::bigint as gaps_declared,
               coalesce(sum(spool_depth), 0)::bigint as spool_depth,
               coalesce(max(ingest_lag_s), 0)::float8 as ingest_lag_s,
               (select coalesce(sum(lost), 0)::bigint from mes.edge_tally) as lost,
               (select coalesce(sum(doubled), 0)::bigint from mes.edge_tally) as doubled
        from mes.edge_link
        """,
        {},
    )
    assert row is not None  # noqa: S101 - an aggregate always has a row
    return row


@dataclass(frozen=True, slots=True)
class OrderFigures:
    """Work orders of the running plant; the booked history is left out."""

    pulled: int
    released: int
    running: int
    completed: int


async def order_figures(tx: Tx) -> OrderFigures:
    """Return how many orders came, were released, run now and were completed."""
    row = await tx.fetch_one(
        OrderFigures,
        """
        select count(*) as pulled, count(released_at) as released,
               count(*) filter (where status = 'Running') as running, count(completed_at) as completed
        from mes.work_order where not simulated
        """,
        {},
    )
    assert row is not None  # noqa: S101 - an aggregate always has a row
    return row


@dataclass(frozen=True, slots=True)
class RecentOrder:
    """One of the orders that moved last."""

    work_order: str
    customer_order: str | None
    material: str
    status: str
    good: Decimal
    quantity: Decimal


async def recent_orders(tx: Tx) -> list[RecentOrder]:
    """Return ten orders: those at work, those to come by their due dates, then what was completed last."""
    return await tx.fetch_all(
        RecentOrder,
        """
        select id as work_order, customer_order, material, status, good, quantity
        from mes.work_order where not simulated and status != 'Cancelled'
        order by array_position('{Running,Released,Waiting,Completed,Closed}'::text[], status),
                 case when completed_at is null then due_at end, completed_at desc, id limit 10
        """,
        {},
    )


@dataclass(frozen=True, slots=True)
class PlanFigures:
    """The plan in force."""

    version: int | None = None
    operations: int = 0
    late_orders: int = 0
    solver: str | None = None
    objective: float | None = None
    bound: float | None = None


async def plan_figures(tx: Tx) -> PlanFigures:
    """Return the head of the newest published plan; an empty one when there is none."""
    row = await tx.fetch_one(
        PlanFigures,
        "select version, operations, late_orders, solver, objective, bound from mes.plan"
        " order by published_at desc, version desc limit 1",
        {},
    )
    return row or PlanFigures()


@dataclass(frozen=True, slots=True)
class ErpFigures:
    """How the link to the ERP stands; differences are None before the first comparison."""

    name: str
    reachable: bool
    documents_posted: int
    outbox_lag_s: float
    open_lanes: int
    dead_letters: int
    quantity_difference: str | None
    value_difference: str | None


async def erp_figures(tx: Tx, adapter: str) -> ErpFigures:
    """Return the link's state, its open documents and the newest comparison."""
    row = await tx.fetch_one(
        ErpFigures,
        """
        select coalesce(nullif(max(link.name), ''), %(adapter)s) as name,
               coalesce(bool_or(link.reachable), false) as reachable,
               (select count(*) from erp.document where state = 'applied') as documents_posted,
               (select coalesce(max(extract(epoch from clock_timestamp() - recorded_at)), 0)::float8
                from erp.document where state in ('pending', 'sending', 'retry')) as outbox_lag_s,
               (select count(distinct lane) from erp.document
                where state in ('pending', 'sending', 'retry', 'dead')) as open_lanes,
               (select count(*) from erp.document where state = 'dead') as dead_letters,
               round(max((link.comparison ->> 'quantity_difference')::numeric), 2)::text
                 as quantity_difference,
               round(max((link.comparison ->> 'value_difference')::numeric), 2)::text
                 as value_difference
        from erp.link where erp = %(adapter)s
        """,
        {"adapter": adapter},
    )
    assert row is not None  # noqa: S101 - an aggregate always has a row
    return row


# --- the drawer


@dataclass(frozen=True, slots=True)
class Counters:
    """The three counters of the trouble drawer.

    Args:
        lost: Pieces that machines counted and the plant does not have.
        doubled: Pieces that the plant has more than once.
        difference: Sum of absolute differences of quantities and values between plant and ERP.
    """

    lost: int
    doubled: int
    difference: str | None


async def counters(tx: Tx) -> Counters:
    """Return the counters, computed from the sources' own totals."""
    row = await tx.fetch_one(
        Counters,
        """
        select (select coalesce(sum(lost), 0)::bigint from mes.edge_tally) as lost,
               (select coalesce(sum(doubled), 0)::bigint from mes.edge_tally) as doubled,
               (select round(sum((comparison ->> 'quantity_difference')::numeric
                                 + (comparison ->> 'value_difference')::numeric), 2)::text
                from erp.link where comparison is not null) as difference
        """,
        {},
    )
    assert row is not None  # noqa: S101 - one row without a table
    return row


@dataclass(frozen=True, slots=True)
class LotInUse:
    """A lot that the open jobs are about to take."""

    lot: str
    material: str
    on_hand: Decimal
    uom: str


async def lots_in_use(tx: Tx) -> list[LotInUse]:
    """Return lots on hand of materials that open jobs still need, those used soonest first."""
    return await tx.fetch_all(
        LotInUse,
        """
        select lot.id as lot, lot.material, lot.on_hand, lot.uom
        from mes.lot lot
        where lot.on_hand > 0 and lot.status = 'available' and not lot.simulated
          and exists (
            select from mes.job_component need join mes.job_order job on job.id = need.job_order
            where need.material = lot.material and need.consumed < need.required and not job.simulated
              and job.status in ('Waiting', 'Pending', 'Dispatched', 'Ready', 'Running', 'Held'))
        order by lot.expires_at nulls last, lot.received_at, lot.id limit 30
        """,
        {},
    )


# --- one number


@dataclass(frozen=True, slots=True)
class Found:
    """What a number is, and the orders that belong to it."""

    kind: NumberKind
    number: str
    work_orders: list[str]


async def find(tx: Tx, number: str) -> Found | None:
    """Say what `number` is, as it is written or in capitals, as our own are. None when nothing has it."""
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
            union all
            select 6, 'lot', id, array[]::text[] from mes.lot where id in (%(number)s, upper(%(number)s))
        )
        select kind, number, work_orders from found order by number = %(number)s desc, rank limit 1
        """,
        {"number": number},
    )


async def find_folded(tx: Tx, number: str) -> Found | None:
    """Find a lot or a customer order of the ERP's whose number was written in other letters."""
    return await tx.fetch_one(
        Found,
        """
        with found (rank, kind, number, work_orders) as (
            select 1, 'customer_order', c.id,
                   coalesce((select array_agg(id order by received_at, id) from mes.work_order
                             where customer_order = c.id), '{}')
            from mes.customer_order c where upper(c.id) = upper(%(number)s)
            union all
            select 2, 'lot', id, array[]::text[] from mes.lot where upper(id) = upper(%(number)s)
        )
        select kind, number, work_orders from found order by rank, number limit 1
        """,
        {"number": number},
    )


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


async def orders(tx: Tx, numbers: list[str]) -> list[OrderRow]:
    """Return the orders with their planned end."""
    return await tx.fetch_all(
        OrderRow,
        """
        select o.id as work_order, o.status, o.material, m.name as material_name, o.quantity, o.good,
               o.scrap, o.uom, o.due_at, o.erp_ref,
               coalesce(o.completed_at, (select max(planned_end) from mes.job_order j
                                         where j.work_order = o.id)) as planned_end
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
    """Hours of one person on an order, closed intervals only."""

    work_order: str
    person: str
    rate_class: str
    hours: Decimal


async def labour(tx: Tx, numbers: list[str]) -> list[LabourRow]:
    """Return the hours that people worked on the orders."""
    return await tx.fetch_all(
        LabourRow,
        """
        select job.work_order, p.name as person, p.rate_class,
               round(sum(extract(epoch from a.ended_at - a.started_at)) / 3600, 6) as hours
        from mes.personnel_actual a
        join mes.job_order job on job.id = a.job_order join mes.person p on p.id = a.person
        where job.work_order = any(%(numbers)s) and a.ended_at is not null
        group by job.work_order, p.name, p.rate_class order by job.work_order, p.name
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
    return await tx.fetch_all(
        CostRow,
        """
        select e.work_order, l.account, sum(l.debit)::numeric(18, 2) as debit,
               sum(l.credit)::numeric(18, 2) as credit, l.currency
        from mes.cost_entry e join mes.cost_line l on l.entry = e.entry
        where e.work_order = any(%(numbers)s)
        group by e.work_order, l.account, l.currency order by e.work_order, min(e.number), l.account
        """,
        {"numbers": numbers},
    )


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
        lag_s: From the fact to the ERP's answer; None while it waits.
    """

    work_order: str
    id: str
    kind: str
    state: str
    erp_ref: str | None
    recorded_at: datetime
    posted_at: datetime | None
    lag_s: float | None
    error: str | None


async def documents(tx: Tx, numbers: list[str]) -> list[DocumentRow]:
    """Return the orders' documents, newest first, at most 60 of each order."""
    return await tx.fetch_all(
        DocumentRow,
        """
        select work_order, id, kind, state, erp_ref, recorded_at, posted_at, lag_s, error from (
            select d.work_order, d.id::text as id,
                   case when d.noun = 'MaterialActual' then 'MaterialActual.' || (d.body ->> 'use')
                        else d.noun end as kind,
                   d.state, nullif(array_to_string(d.erp_ref, ', '), '') as erp_ref, d.recorded_at,
                   d.applied_at as posted_at,
                   extract(epoch from d.applied_at - d.recorded_at)::float8 as lag_s, d.code as error,
                   row_number() over (partition by d.work_order order by d.id desc) as nth
            from erp.document d where d.work_order = any(%(numbers)s) and d.state <> 'skipped') newest
        where nth <= 60 order by work_order, nth
        """,
        {"numbers": numbers},
    )


@dataclass(frozen=True, slots=True)
class SerialRow:
    """One piece of an order, and when its record was made."""

    work_order: str
    serial: str
    at: datetime | None


async def serials(tx: Tx, numbers: list[str]) -> list[SerialRow]:
    """Return the pieces that have their number."""
    return await tx.fetch_all(
        SerialRow,
        """
        select u.work_order, u.serial, (select max(at) from mes.as_built b where b.serial = u.serial) as at
        from mes.serial_unit u
        where u.work_order = any(%(numbers)s) and u.status in ('assigned', 'finished')
        order by u.work_order, u.position
        """,
        {"numbers": numbers},
    )


@dataclass(frozen=True, slots=True)
class PartRow:
    """A lot inside a piece, by its newest as-built record."""

    serial: str
    material: str
    lot: str
    quantity: Decimal
    uom: str


async def parts(tx: Tx, numbers: list[str]) -> list[PartRow]:
    """Return what the pieces of the orders are made of."""
    return await tx.fetch_all(
        PartRow,
        """
        select c.serial, c.material, c.lot, sum(c.quantity) as quantity, min(c.uom) as uom
        from mes.as_built_component c
        join (select serial, max(revision) as revision from mes.as_built
              where work_order = any(%(numbers)s) group by serial) newest using (serial, revision)
        group by c.serial, c.material, c.lot order by c.serial, c.material, c.lot
        """,
        {"numbers": numbers},
    )


@dataclass(frozen=True, slots=True)
class LotRow:
    """A lot, and what is left of it."""

    lot: str
    material: str
    material_name: str
    status: str
    quantity: Decimal
    uom: str
    received_at: datetime
    expires_at: datetime | None
    supplier: str


async def lot(tx: Tx, number: str) -> LotRow | None:
    """Return the lot with this number."""
    return await tx.fetch_one(
        LotRow,
        """
        select l.id as lot, l.material, m.name as material_name, l.status, l.on_hand as quantity, l.uom,
               l.received_at, l.expires_at, l.supplier
        from mes.lot l join mes.material m on m.id = l.material where l.id = %(number)s
        """,
        {"number": number},
    )


@dataclass(frozen=True, slots=True)
class UseRow:
    """Where a lot went."""

    work_order: str
    serial: str | None
    quantity: Decimal
    uom: str
    at: datetime


async def uses(tx: Tx, number: str) -> list[UseRow]:
    """Return the orders and pieces that took from a lot, newest first, at most 200."""
    return await tx.fetch_all(
        UseRow,
        """
        select work_order, serial, sum(quantity) as quantity, min(uom) as uom, max(at) as at
        from mes.genealogy_edge where lot = %(number)s
        group by work_order, serial having sum(quantity) > 0 order by max(at) desc limit 200
        """,
        {"number": number},
    )


async def erp_name(tx: Tx, adapter: str) -> str:
    """Return what the linked ERP calls itself, or the adapter's name before it answered."""
    name = await tx.value("select max(name) from erp.link where erp = %(adapter)s", {"adapter": adapter})
    return str(name or adapter)
