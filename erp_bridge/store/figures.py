"""The link to the ERP in figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mes.kernel.db import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How the link stands; the lags are those of the last 15 minutes, in seconds.

    Args:
        detail: Why the ERP does not answer.
        outbox_lag_s: Age of the oldest document that waits.
        refused_records: Records of the ERP that the plant could not take.
        books_agree: None before the first comparison, like all that a comparison tells.
        quantity_difference: Rounded up, so that the least difference is one.
        value_difference: None too for those who may not see costs, unless it is zero.
        value_waiting: As `value_difference`: by how much the books differ until all has arrived.
        events_compared: Events that both books were compared on.
        events_waiting: Events still on their way: no difference yet.
        events_late: Those of them that wait for more than a minute.
    """

    name: str
    reachable: bool
    detail: str
    checked_at: datetime | None
    latency_ms: float
    documents_posted: int
    documents_open: int
    outbox_lag_s: float
    lag_p50_s: float | None
    lag_p95_s: float | None
    open_lanes: int
    dead_letters: int
    refused_records: int
    books_agree: bool | None
    quantity_difference: Decimal | None
    value_difference: Decimal | None
    value_waiting: Decimal | None
    events_compared: int
    events_waiting: int
    events_late: int
    compared_at: datetime | None


async def figures(tx: Tx, adapter: str, *, with_money: bool) -> Figures:
    """Return how the link stands, also before the ERP was ever seen."""
    row = await tx.fetch_one(
        Figures,
        "select * from erp.figures(%(adapter)s, %(with_money)s)",
        {"adapter": adapter, "with_money": with_money},
    )
    assert row is not None  # noqa: S101 - the function has one row
    return row
