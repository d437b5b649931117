"""Compare both books: event by event what the plant moved and valued with what the ERP has.

The ERP's lines are mirrored as they come. The plant's side are its cost entries themselves, whether or
not a document was made of them. An event is judged as soon as nothing of it is under way and the
mirror has had time to see it: what is late waits, what is lost differs, and goes on differing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_UP, Decimal

from erp_bridge import store
from erp_bridge.adapter import ErpAdapter, SnapshotKind
from erp_bridge.store.comparison import AccountRow, Difference
from erp_bridge.store.explained import Explained
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database, Tx
from mes.kernel.quantity import minor_unit, plain_money

GRACE_S = 10.0
"""The mirror is read after a document was booked; this covers the ERP's own delays."""
OVERDUE_S = 60.0
"""An event that waits for longer than this is late."""
HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """The outcome of one comparison.

    Args:
        quantity_difference: Sum of absolute differences, each in its material's own unit, rounded up
            to two digits, so that the least difference is one.
        value_difference: Sum of absolute differences, in `currency`.
        judged: Events compared.
        waiting: Events with something still on its way; they are not compared yet.
        late: Those of them that wait for more than a minute.
        value_waiting: By how much the books differ until those have arrived, in `currency`.
        explained: Differences of which somebody gave the reason, newest first; they are in no sum.
    """

    at: datetime
    currency: str
    judged: int
    waiting: int
    late: int
    value_waiting: Decimal
    quantity_difference: Decimal
    value_difference: Decimal
    cases: tuple[Difference, ...]
    accounts: tuple[AccountRow, ...]
    explained: tuple[Explained, ...] = ()


async def refresh(db: Database, adapter: ErpAdapter) -> None:
    """Read what is new in the ERP's books.

    Raises:
        ErpUnavailable: It does not answer.
    """
    for kind in SnapshotKind:
        while await _read_on(db, adapter, kind):
            pass


async def _read_on(db: Database, adapter: ErpAdapter, kind: SnapshotKind) -> bool:
    """Mirror one page; return whether there may be another."""
    name = f"mirror/{kind}"
    async with db.read() as tx:
        cursor = await store.records.cursor(tx, name)
    snapshot = await adapter.snapshot(kind, cursor)
    async with db.transaction(Cause(actor="service:bridge", at=utc_now())) as tx:
        await store.mirror.mirror_ledger(tx, snapshot.ledger)
        await store.mirror.mirror_stock(tx, snapshot.stock)
        await store.records.move_cursor(tx, name, snapshot.cursor)
        if kind is SnapshotKind.LEDGER and not snapshot.more:
            await store.mirror.begin_ledger(tx)
    return snapshot.more and snapshot.cursor != cursor


async def compare(
    tx: Tx, currency: str, grace_s: float = GRACE_S, overdue_s: float = OVERDUE_S
) -> Reconciliation:
    """Compare what is not on its way any more."""
    values = [
        *await store.comparison.value_differences(tx, grace_s, minor_unit(currency) / 2),
        *await store.comparison.unexplained_values(tx, grace_s),
    ]
    quantities = [
        *await store.comparison.quantity_differences(tx, grace_s),
        *await store.comparison.unexplained_stock(tx, grace_s),
    ]
    progress = await store.comparison.progress(tx, grace_s, overdue_s)
    return Reconciliation(
        at=utc_now(),
        currency=currency,
        judged=progress.judged,
        waiting=progress.waiting,
        late=progress.late,
        value_waiting=plain_money(progress.value, currency),
        quantity_difference=_total(quantities).quantize(HUNDREDTH, ROUND_UP),
        value_difference=plain_money(_total(values), currency),
        cases=(*values, *quantities),
        accounts=tuple(await store.comparison.account_totals(tx, grace_s)),
        explained=tuple(await store.explained.explained(tx)),
    )


def _total(cases: Sequence[Difference]) -> Decimal:
    return sum((abs(case.mine - case.theirs) for case in cases), Decimal(0))
