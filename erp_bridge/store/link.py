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


@dataclass(frozen=True, slots=True)
class Standing:
    """The link in short.

    Args:
        heard_s: So long ago the bridge looked after the ERP.
        waits_s: Age of the oldest document that waits for the ERP.
    """

    reachable: bool
    heard_s: float
    waits_s: float


async def standing(tx: Tx) -> Standing | None:
    """Return how the link stands; None before the bridge ever looked."""
    return await tx.fetch_one(
        Standing,
        """
        select reachable, extract(epoch from clock_timestamp() - at)::float8 as heard_s,
               (select coalesce(extract(epoch from clock_timestamp() - min(recorded_at)), 0)::float8
                from erp.document where state in ('pending', 'sending', 'retry')) as waits_s
        from erp.link order by at desc limit 1
        """,
    )
