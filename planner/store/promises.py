"""SQL of accepted dates."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from mes.kernel.db import Tx

WAITED_FOR_MIN = 60
"""So long a unit waits for the order of an accepted date."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A date that was accepted; its places are kept until the order comes.

    Args:
        name: Order id under which plans keep its places.
        places: Step -> `equipment`, `start` and `end`.
        customer: Number or name, for a date whose order has no number yet.
        option: The other way that was accepted: `kind`, `date`, `price` and `params` as it was told, and
            `kept`, what plans must know for it; None for the earliest date that moves nobody.
        whole: Id of the promise that it is a part of; its own where it is all, and where none is given.
        safe_at: By when nine of ten such orders are done, as it was told; None where nobody could say.
    """

    id: UUID
    name: str
    material: str
    quantity: Decimal
    priority: int
    customer_order: str | None
    promised_at: datetime
    places: dict[str, dict[str, str]]
    begins_at: datetime
    held_until: datetime
    accepted_at: datetime
    accepted_by: str
    customer: str | None = None
    option: dict[str, Any] | None = None
    whole: UUID | None = None
    safe_at: datetime | None = None

    @property
    def planned_at(self) -> datetime:
        """When the plan in force has it done."""
        ends = (datetime.fromisoformat(place["end"]) for place in self.places.values())
        return max(ends, default=self.promised_at)

    @property
    def told_at(self) -> datetime:
        """What the customer goes by: the safe date, or the planned one where nobody could say."""
        return self.safe_at or self.promised_at


@dataclass(frozen=True, slots=True)
class Terms:
    """What plans must know of another way to a date, for as long as it is kept or its order is open."""

    option: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A job of an order that was promised, before any plan has it: where the promise had its step.

    Args:
        start: ISO 8601, in UTC.
        only_on: The unit that was agreed on for it.
    """

    job_order: str
    equipment: str
    start: str
    only_on: str | None


@dataclass(frozen=True, slots=True)
class AcceptedOrder:
    """An order that has come for an accepted date; of one in parts, the last date.

    Args:
        promised_at: The planned date that was accepted.
        told_at: What the customer goes by, see `Hold`.
    """

    work_order: str
    accepted_at: datetime
    promised_at: datetime
    told_at: datetime


_KEPT: LiteralString = (
    "p.status = 'held' and p.held_until > %(at)s"
    f" and p.begins_at > %(at)s - make_interval(mins => {WAITED_FOR_MIN})"
)
"""Of a promise `p`: its places are kept at a moment."""

_HOLD: LiteralString = (
    "id, name, material, quantity, priority, customer_order, promised_at, places, begins_at,"
    " held_until, accepted_at, accepted_by, customer, option, whole, safe_at"
)


async def insert_hold(tx: Tx, hold: Hold) -> None:
    """Keep the places of an accepted date."""
    await tx.execute(
        """
        insert into planner.promise (id, site, name, material, quantity, priority, customer_order,
            promised_at, places, status, begins_at, held_until, accepted_at, accepted_by, customer,
            option, whole, safe_at)
        values (%(id)s, %(site)s, %(name)s, %(material)s, %(quantity)s, %(priority)s, %(customer_order)s,
            %(promised_at)s, %(places)s, 'held', %(begins_at)s, %(held_until)s, %(accepted_at)s,
            %(accepted_by)s, %(customer)s, %(option)s, coalesce(%(whole)s, %(id)s), %(safe_at)s)
        """,
        {
            **{name: getattr(hold, name) for name in hold.__slots__},
            "site": tx.site,
            "places": Jsonb(hold.places),
            "option": None if hold.option is None else Jsonb(hold.option),
        },
    )


async def holds(tx: Tx, at: datetime) -> list[Hold]:
    """Return the accepted dates whose places are kept at a moment, the earliest date first.

    When the order has not come some time after its work should have begun, others use the places.
    """
    return await tx.fetch_all(
        Hold,
        f"""
        select {_HOLD} from planner.promise p where site = %(site)s and {_KEPT} order by promised_at, name
        """,  # noqa: S608 - a constant list of columns and a condition of ours
        {"site": tx.site, "at": at},
    )


async def terms(tx: Tx, at: datetime) -> list[Terms]:
    """Return what was accepted beside a date: while its places are kept, then while its order is open."""
    return await tx.fetch_all(
        Terms,
        f"""
        select option from planner.promise p
        where site = %(site)s and id = whole and option is not null and (
            {_KEPT} or status = 'ordered' and exists (
                select from mes.work_order w
                where w.id = p.work_order and w.status in ('Waiting', 'Released', 'Running')
            )
        )
        order by accepted_at, name
        """,  # noqa: S608 - a condition of ours
        {"site": tx.site, "at": at},
    )


async def taken_over(tx: Tx) -> list[TakenOver]:
    """Return the places that orders have taken over from their promises, until a plan has their jobs."""
    return await tx.fetch_all(
        TakenOver,
        """
        select distinct on (j.id) j.id as job_order, place->>'equipment' as equipment,
            place->>'start' as start, p.option #>> array['kept', 'only_on', step] as only_on
        from planner.promise p
        join mes.work_order w on w.id = p.work_order and w.status in ('Waiting', 'Released', 'Running')
        join mes.job_order j on j.work_order = w.id and j.planned_start is null and j.started_at is null
        cross join lateral concat(p.name, '-', j.operation) step
        cross join lateral (select p.places->step) of_step (place)
        where p.site = %(site)s and p.status = 'ordered' and place is not null
        order by j.id, p.promised_at, p.name
        """,
        {"site": tx.site},
    )


async def accepted_orders(tx: Tx) -> list[AcceptedOrder]:
    """Return the open orders that have come for accepted dates."""
    return await tx.fetch_all(
        AcceptedOrder,
        """
        select p.work_order, min(p.accepted_at) as accepted_at, max(p.promised_at) as promised_at,
               max(coalesce(p.safe_at, p.promised_at)) as told_at
        from planner.promise p
        join mes.work_order w on w.id = p.work_order and w.status in ('Waiting', 'Released', 'Running')
        where p.site = %(site)s and p.status = 'ordered'
        group by p.work_order
        """,
        {"site": tx.site},
    )


async def move_hold(tx: Tx, hold: UUID, places: dict[str, dict[str, str]]) -> None:
    """A plan has the steps of an accepted date elsewhere."""
    await tx.execute(
        "update planner.promise set places = %(places)s where id = %(id)s and status = 'held'",
        {"id": hold, "places": Jsonb(places)},
    )


async def release_hold(tx: Tx, hold: UUID) -> bool:
    """Give the places of an accepted date back, of all its parts; False when they are not kept."""
    released = await tx.execute(
        """
        update planner.promise set status = 'released', closed_at = %(at)s, closed_by = %(by)s
        where site = %(site)s and status = 'held'
          and whole = (select whole from planner.promise where id = %(id)s and status = 'held')
        """,
        {"site": tx.site, "id": hold, "at": tx.now, "by": tx.cause.actor},
    )
    return released > 0


async def given_back(tx: Tx) -> int:
    """How many accepted dates were ever given back: with each one their places are free again."""
    query = "select count(*) from planner.promise where site = %(site)s and status = 'released'"
    return int(await tx.value(query, {"site": tx.site}))


async def redeem_hold(tx: Tx, work_order: str, at: datetime) -> None:
    """The order has come that a date was accepted for: from now on the plan has the order itself.

    A date that was accepted before the order had a number is known by its customer and what he asked for.
    Of a promise in parts an order for as many as one of them takes that one over, another one takes all.

    Args:
        at: When it came; a date whose places were not kept any more by then is not taken over.
    """
    await tx.execute(
        f"""
        with found as (
            select p.id, p.whole, p.quantity = w.quantity as alone
            from planner.promise p
            join mes.work_order w on w.material = p.material
            join mes.customer_order c on c.id = w.customer_order and (
                c.id = p.customer_order
                or p.customer_order is null
                   and w.quantity in (
                       p.quantity, (select sum(o.quantity) from planner.promise o where o.whole = p.whole)
                   )
                   and lower(p.customer) in (lower(c.customer), lower(c.customer_name))
            )
            where p.site = %(site)s and w.id = %(order)s and {_KEPT}
            order by p.customer_order is null, p.quantity <> w.quantity, p.accepted_at, p.promised_at limit 1
        )
        update planner.promise p
        set status = 'ordered', work_order = %(order)s, closed_at = %(now)s, closed_by = %(by)s
        from found
        where p.id = found.id or p.whole = found.whole and not found.alone and p.status = 'held'
        """,  # noqa: S608 - a condition of ours
        {"site": tx.site, "order": work_order, "at": at, "now": tx.now, "by": tx.cause.actor},
    )
