"""What the trouble drawer counts and offers."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mes.kernel.db import Tx


@dataclass(frozen=True, slots=True)
class Counters:
    """The three counters of the trouble drawer.

    Args:
        lost: Pieces that machines counted and the plant does not have.
        doubled: Pieces that the plant has more than once.
        difference: Sum of absolute differences of quantities and values between plant and ERP; None
            before the first comparison, and where its amount is not for the reader.
        agree: Whether there is none; None before the first comparison.
        compared: Events that both books were compared on.
        waiting: Events on their way to the ERP, that are no difference yet.
        compared_at: Since when difference and agreement are true; None before the first comparison.
    """

    lost: int
    doubled: int
    difference: Decimal | None
    agree: bool | None
    compared: int
    waiting: int
    compared_at: datetime | None


async def counters(tx: Tx, adapter: str, *, with_money: bool) -> Counters:
    """Return the counters, computed from the sources' own totals."""
    row = await tx.fetch_one(
        Counters,
        """
        select (select coalesce(sum(lost), 0)::bigint from mes.edge_tally) as lost,
               (select coalesce(sum(doubled), 0)::bigint from mes.edge_tally) as doubled,
               quantity_difference + value_difference as difference, books_agree as agree,
               events_compared as compared, events_waiting as waiting, compared_at
        from erp.figures(%(adapter)s, %(with_money)s)
        """,
        {"adapter": adapter, "with_money": with_money},
    )
    assert row is not None  # noqa: S101 - the function has one row
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
