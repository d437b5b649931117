"""What the ERP has booked: lines of its ledger and moves of its stock."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from erp_bridge.adapter import LedgerLine, Snapshot, StockLine
from erp_bridge.adapters.tryton.changes import Changes
from erp_bridge.adapters.tryton.names import Names
from erp_bridge.adapters.tryton.rpc import Row, Rpc
from erp_bridge.adapters.tryton.values import decimal_of

PAGE = 2000
"""Most movements of a snapshot."""
ENTRIES = 500
"""Most entries of a snapshot, each with some lines."""


class Ledger:
    """The books to compare with."""

    def __init__(self, rpc: Rpc, names: Names) -> None:
        self._rpc = rpc
        self._names = names
        self._entries = Changes(rpc, "account.move")
        self._moves = Changes(rpc, "stock.move")

    async def lines(self, cursor: str) -> Snapshot:
        """Return lines of the plant's accounts whose entries were posted behind the cursor.

        The entries are read in the order of their last change: one that was drafted early and posted
        late comes when it is posted.
        """
        accounts = {record: name for name, record in self._names.accounts.items()}
        domain: list[Any] = [("state", "=", "posted"), ("lines.account", "in", list(accounts))]
        behind = "" if cursor.isdecimal() else cursor
        entries, reached, more = await self._entries.read(domain, ["origin"], behind, ENTRIES)
        if not entries:
            return Snapshot(cursor=reached)
        origins = {row["id"]: row["origin"] or f"account.move,{row['id']}" for row in entries}
        domain = [("move", "in", list(origins)), ("account", "in", list(accounts))]
        fields = ["move", "account", "debit", "credit"]
        lines = tuple(
            LedgerLine(
                id=row["id"],
                account=accounts[row["account"]],
                amount=row["debit"] - row["credit"],
                ref=origins[row["move"]],
            )
            for row in await self._rpc.search_read("account.move.line", domain, fields, [("id", "ASC")])
        )
        return Snapshot(cursor=reached, ledger=lines, more=more)

    async def movements(self, cursor: str) -> Snapshot:
        """Return stock moves of productions that changed behind the cursor."""
        domain: list[Any] = [
            ("state", "in", ["done", "cancelled"]),
            ["OR", ("production_input", "!=", None), ("production_output", "!=", None),
             ("to_location.type", "=", "lost_found")],
        ]  # fmt: skip
        fields = ["product.code", "lot.number", "quantity", "state", "from_location.type",
                  "production_input.reference", "production_output.reference"]  # fmt: skip
        rows, reached, more = await self._moves.read(domain, fields, cursor, PAGE)
        return Snapshot(cursor=reached, stock=tuple(_stock_line(row) for row in rows), more=more)


def _stock_line(row: Row) -> StockLine:
    leaving = row["from_location."]["type"] != "production"
    owner = row.get("production_input.") or row.get("production_output.") or {}
    quantity = decimal_of(row["quantity"]) if row["state"] == "done" else Decimal(0)
    return StockLine(
        id=row["id"],
        ref=f"stock.move,{row['id']}",
        work_order=owner.get("reference") or "",
        material=row["product."]["code"] or f"product.product,{row['product.']['id']}",
        lot=(row.get("lot.") or {}).get("number") or "",
        quantity=-quantity if leaving else quantity,
    )
