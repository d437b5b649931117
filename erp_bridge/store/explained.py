"""Differences that somebody has explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from erp_bridge.store.comparison import Difference
from mes.kernel.db import Tx


@dataclass(frozen=True, slots=True)
class Explained:
    """One thing on which the books differ for a reason that somebody gave.

    Args:
        kind: `quantity` or `value`.
        what: Material, or account.
        amount: The plant's figure less the ERP's.
        why: What the comparison itself found, as in `Difference`.
        actor: Who gave the reason.
    """

    subject: str
    kind: str
    what: str
    work_order: str
    amount: Decimal
    why: str
    reason: str
    actor: str
    at: datetime


async def explain(tx: Tx, cases: Sequence[Difference], reason: str) -> None:
    """Keep the reason of these differences; an older reason of the same ones is replaced."""
    await tx.execute_many(
        """
        insert into erp.explained (subject, kind, what, site, work_order, amount, why, reason, actor)
        values (%(subject)s, %(kind)s, %(what)s, %(site)s, %(work_order)s, %(amount)s, %(why)s, %(reason)s,
                %(actor)s)
        on conflict (subject, kind, what) do update set amount = excluded.amount, why = excluded.why,
            reason = excluded.reason, actor = excluded.actor, at = now()
        """,
        [
            {
                "subject": case.subject,
                "kind": case.kind,
                "what": case.what,
                "site": tx.site,
                "work_order": case.work_order,
                "amount": case.mine - case.theirs,
                "why": case.why,
                "reason": reason,
                "actor": tx.cause.actor,
            }
            for case in cases
        ],
    )


async def explained(tx: Tx, limit: int = 200) -> list[Explained]:
    """Return the explained differences, newest first."""
    return await tx.fetch_all(
        Explained,
        "select subject, kind, what, work_order, amount, why, reason, actor, at from erp.explained"
        " order by at desc, subject, kind, what limit %(limit)s",
        {"limit": limit},
    )
