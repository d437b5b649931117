"""SQL of the standard rates per hour."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mes.kernel.db import Tx
from mes.resources.model import RateDraft


async def rates(tx: Tx) -> list[RateDraft]:
    """Return every standard rate that ever held, but of work centres that are out of service."""
    return await tx.fetch_all(
        RateDraft,
        """
        select kind, code, per_hour, currency, valid_from from mes.rate r
        where site = %(site)s
          and not exists (select from mes.equipment e
                          where r.kind = 'machine' and e.id = r.code and e.until is not null)
        order by kind, code, valid_from
        """,
        {"site": tx.site},
    )


async def save_rate(tx: Tx, draft: RateDraft) -> None:
    """Add a standard rate, unless the one valid then is the same."""
    await tx.execute(
        """
        insert into mes.rate (site, scope, kind, code, valid_from, per_hour, currency)
        select %(site)s,
               coalesce((select scope from mes.equipment where id = %(code)s and %(kind)s = 'machine'), ''),
               %(kind)s, %(code)s, %(valid_from)s, %(per_hour)s, %(currency)s
        where not exists (
            select from (
                select per_hour, currency from mes.rate
                where site = %(site)s and kind = %(kind)s and code = %(code)s
                  and valid_from <= %(valid_from)s
                order by valid_from desc limit 1) valid
            where valid.per_hour = %(per_hour)s and valid.currency = %(currency)s)
        on conflict (site, kind, code, valid_from) do update
        set per_hour = excluded.per_hour, currency = excluded.currency
        """,
        {
            "site": tx.site,
            "kind": draft.kind,
            "code": draft.code,
            "valid_from": draft.valid_from,
            "per_hour": draft.per_hour,
            "currency": draft.currency,
        },
    )


@dataclass(frozen=True, slots=True)
class Rate:
    """A standard rate per hour."""

    per_hour: Decimal
    currency: str


async def find_rate(tx: Tx, kind: str, code: str, at: datetime) -> Rate | None:
    """Return the rate valid at `at`; the first one holds for the time before it."""
    return await tx.fetch_one(
        Rate,
        """
        select per_hour, currency from mes.rate
        where site = %(site)s and kind = %(kind)s and code = %(code)s
        order by (valid_from <= %(at)s) desc,
                 case when valid_from <= %(at)s then valid_from end desc nulls last, valid_from
        limit 1
        """,
        {"site": tx.site, "kind": kind, "code": code, "at": at},
    )
