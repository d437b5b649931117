# ruff: noqa: S608 - only lists of columns are put into the text
"""The mirror of the ERP's books."""

from __future__ import annotations

from collections.abc import Sequence

from erp_bridge.adapter import LedgerLine, StockLine
from mes.kernel.db import Tx

REOPEN = """
    update erp.subject s set agreed_at = null, reopened = s.reopened + 1
    from changed join erp.document d on d.erp_ref @> array[changed.ref] where s.subject = d.subject
"""
"""What changed in the ERP is compared again."""


async def mirror_ledger(tx: Tx, lines: Sequence[LedgerLine]) -> None:
    """Keep lines of the ERP's ledger."""
    each = {line.id: line for line in lines}.values()
    await tx.execute(
        f"""
        with changed as (
            insert into erp.mirror_ledger (id, site, account, amount, ref)
            select id, %(site)s, account, amount, ref
            from unnest(%(id)s::bigint[], %(account)s::text[], %(amount)s::numeric[], %(ref)s::text[])
                 as line (id, account, amount, ref)
            on conflict (id) do update set account = excluded.account, amount = excluded.amount,
                ref = excluded.ref, ours = false
            where (mirror_ledger.account, mirror_ledger.amount, mirror_ledger.ref)
                  is distinct from (excluded.account, excluded.amount, excluded.ref)
            returning ref
        )
        {REOPEN}
        """,
        {
            "site": tx.site,
            "id": [line.id for line in each],
            "account": [line.account for line in each],
            "amount": [line.amount for line in each],
            "ref": [line.ref for line in each],
        },
    )


async def mirror_stock(tx: Tx, lines: Sequence[StockLine]) -> None:
    """Keep movements of the ERP's stock."""
    each = {line.id: line for line in lines}.values()
    await tx.execute(
        f"""
        with changed as (
            insert into erp.mirror_stock (id, site, ref, work_order, material, lot, quantity)
            select id, %(site)s, ref, work_order, material, lot, quantity
            from unnest(%(id)s::bigint[], %(ref)s::text[], %(work_order)s::text[], %(material)s::text[],
                        %(lot)s::text[], %(quantity)s::numeric[])
                 as line (id, ref, work_order, material, lot, quantity)
            on conflict (id) do update set work_order = excluded.work_order,
                material = excluded.material, lot = excluded.lot, quantity = excluded.quantity, ours = false
            where (mirror_stock.work_order, mirror_stock.material, mirror_stock.lot, mirror_stock.quantity)
                  is distinct from
                  (excluded.work_order, excluded.material, excluded.lot, excluded.quantity)
            returning ref
        )
        {REOPEN}
        """,
        {
            "site": tx.site,
            "id": [line.id for line in each],
            "ref": [line.ref for line in each],
            "work_order": [line.work_order for line in each],
            "material": [line.material for line in each],
            "lot": [line.lot for line in each],
            "quantity": [line.quantity for line in each],
        },
    )


LEDGER_BEGIN = "compare/ledger"
"""Cursor: the ERP's lines up to this one were there before the bridge came."""


async def begin_ledger(tx: Tx) -> None:
    """Note, the first time, where the ERP's ledger ended before the bridge came."""
    await tx.execute(
        "insert into erp.cursor (name, site, value)"
        " select %(name)s, %(site)s, coalesce(max(id), 0)::text from erp.mirror_ledger"
        " on conflict (name) do nothing",
        {"name": LEDGER_BEGIN, "site": tx.site},
    )
