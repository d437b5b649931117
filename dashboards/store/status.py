"""The state of the plant in figures."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mes.kernel.db import Tx


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
        "select id, name, work_center from mes.equipment where level = 'work_unit' and until is null"
        " order by position, id",
        {},
    )


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
    """Return ten orders: those at work, those to come by their due dates, then what was completed last.

    Of the booked history what is complete, so that a plant that was just started shows what it has made.
    """
    return await tx.fetch_all(
        RecentOrder,
        """
        select id as work_order, customer_order, material, status, good, quantity
        from mes.work_order
        where case when simulated then status in ('Completed', 'Closed') else status != 'Cancelled' end
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
    """How the link to the ERP stands; what a comparison tells is None before the first one.

    Args:
        outbox_lag_s: Age of the oldest document that waits.
        quantity_difference: Rounded up, so that the least difference is one.
        value_difference: None too for those who may not see costs, unless it is zero.
        events_compared: Events that both books were compared on.
        events_waiting: Events on their way, that are no difference yet.
        events_late: Those of them that wait for longer than they should.
        value_waiting: As `value_difference`: by how much the books differ until those have arrived.
    """

    name: str
    reachable: bool
    documents_posted: int
    outbox_lag_s: float
    open_lanes: int
    dead_letters: int
    books_agree: bool | None
    quantity_difference: Decimal | None
    value_difference: Decimal | None
    events_compared: int
    events_waiting: int
    events_late: int
    value_waiting: Decimal | None
    compared_at: datetime | None


async def erp_figures(tx: Tx, adapter: str, *, with_money: bool) -> ErpFigures:
    """Return the link's state, its open documents and the newest comparison, as the bridge tells them."""
    row = await tx.fetch_one(
        ErpFigures,
        """
        select name, reachable, documents_posted, outbox_lag_s, open_lanes, dead_letters, books_agree,
               quantity_difference, value_difference, events_compared, events_waiting, events_late,
               value_waiting, compared_at
        from erp.figures(%(adapter)s, %(with_money)s)
        """,
        {"adapter": adapter, "with_money": with_money},
    )
    assert row is not None  # noqa: S101 - the function has one row
    return row


async def erp_name(tx: Tx, adapter: str) -> str:
    """Return what the linked ERP calls itself, or the adapter's name before it answered."""
    name = await tx.value("select max(name) from erp.link where erp = %(adapter)s", {"adapter": adapter})
    return str(name or adapter)
