"""The ERP as the bridge last saw it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mes.kernel.db import Tx


@dataclass(frozen=True, slots=True)
class LinkRow:
    """The ERP as the bridge last saw it."""

    erp: str
    name: str
    reachable: bool
    detail: str
    latency_ms: float
    at: datetime


async def put_link(tx: Tx, erp: str, name: str, *, reachable: bool, detail: str, ms: float) -> None:
    """Note whether the ERP answers."""
    await tx.execute(
        """
        insert into erp.link (erp, site, name, reachable, detail, latency_ms)
        values (%(erp)s, %(site)s, %(name)s, %(reachable)s, %(detail)s, %(ms)s)
        on conflict (erp) do update set name = excluded.name, reachable = excluded.reachable,
            detail = excluded.detail, latency_ms = excluded.latency_ms, at = now()
        """,
        {
            "erp": erp,
            "site": tx.site,
            "name": name,
            "reachable": reachable,
            "detail": detail,
            "ms": ms,
        },
    )


async def link(tx: Tx, erp: str) -> LinkRow | None:
    """Return the ERP as the bridge last saw it."""
    return await tx.fetch_one(
        LinkRow,
        "select erp, name, reachable, detail, latency_ms, at from erp.link where erp = %(erp)s",
        {"erp": erp},
    )
