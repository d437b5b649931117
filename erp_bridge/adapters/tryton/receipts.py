"""Lots that came, and purchases that are to come."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from erp_bridge.adapter import Page, understand
from erp_bridge.adapters.tryton.changes import OVERLAP, Changes
from erp_bridge.adapters.tryton.chart import unit_of
from erp_bridge.adapters.tryton.rpc import Row, Rpc
from erp_bridge.adapters.tryton.values import CLOSING_TIME, decimal_of, site_time
from erp_bridge.documents import ExpectedReceipt, MaterialLot


class Receipts:
    """Receipts of material."""

    def __init__(self, rpc: Rpc, currency: str, zone: ZoneInfo) -> None:
        self._rpc = rpc
        self._currency = currency
        self._zone = zone
        self._receipts = Changes(rpc, "stock.move")

    async def pull_lots(self, cursor: str, limit: int) -> Page:
        """Return lots that came since the cursor."""
        domain: list[Any] = [
            ("state", "=", "done"),
            ("lot", "!=", None),
            ("from_location.type", "in", ["supplier", "lost_found"]),
            ("to_location.type", "=", "storage"),
            ("production_input", "=", None),
        ]
        fields = ["product.code", "lot.number", "lot.shelf_life_expiration_date", "quantity",
                  "unit.symbol", "unit_price", "effective_date", "origin.purchase.number",
                  "origin.purchase.party.name"]  # fmt: skip
        rows, reached, more = await self._receipts.read(domain, fields, cursor, limit)
        records, odd = understand(rows, _move_ref, self._lot)
        return Page(tuple(records), reached, more, tuple(odd))

    async def pull_purchases(self, cursor: str, limit: int) -> Page:  # noqa: ARG002
        """Return what is to come, and what came of it since the cursor."""
        domain: list[Any] = [
            ("from_location.type", "=", "supplier"),
            ("purchase", "!=", None),
            ["OR", ("state", "in", ["draft", "assigned"]), _since(cursor) or [("id", "=", -1)]],
        ]
        fields = ["product.code", "quantity", "unit.symbol", "planned_date", "state",
                  "purchase.number", "purchase.party.name", "write_date", "create_date"]  # fmt: skip
        rows = await self._rpc.search_read("stock.move", domain, fields, [("id", "ASC")])
        receipts: dict[tuple[str, str], ExpectedReceipt] = {}
        coming, odd = understand(rows, _move_ref, self._expected)
        for expected in coming:
            key = (expected.purchase, expected.material)
            before = receipts.get(key)
            quantity = expected.quantity + (before.quantity if before else Decimal(0))
            at = max(expected.expected_at, before.expected_at) if before else expected.expected_at
            receipts[key] = ExpectedReceipt(
                purchase=expected.purchase,
                material=expected.material,
                quantity=quantity,
                uom=expected.uom,
                expected_at=at,
                supplier=expected.supplier,
            )
        return Page(tuple(receipts.values()), _reached(cursor, rows), odd=tuple(odd), whole=True)

    def _lot(self, row: Row) -> MaterialLot:
        purchase = (row.get("origin.") or {}).get("purchase.") or {}
        expires = row["lot."]["shelf_life_expiration_date"]
        return MaterialLot(
            receipt=f"stock.move,{row['id']}",
            lot=row["lot."]["number"],
            material=row["product."]["code"],
            quantity=decimal_of(row["quantity"]),
            uom=unit_of(row["unit."]["symbol"]),
            price=row["unit_price"] or Decimal(0),
            currency=self._currency,
            supplier=(purchase.get("party.") or {}).get("name", ""),
            purchase=purchase.get("number", ""),
            received_at=min(site_time(row["effective_date"], time(8), self._zone), datetime.now(UTC)),
            expires_at=None if expires is None else site_time(expires, time(23, 59), self._zone),
        )

    def _expected(self, row: Row) -> ExpectedReceipt:
        coming = row["state"] in {"draft", "assigned"}
        today = datetime.now(self._zone).date()
        return ExpectedReceipt(
            purchase=row["purchase."]["number"],
            material=row["product."]["code"],
            quantity=decimal_of(row["quantity"]) if coming else Decimal(0),
            uom=unit_of(row["unit."]["symbol"]),
            expected_at=site_time(row["planned_date"] or today, CLOSING_TIME, self._zone),
            supplier=(row["purchase."].get("party.") or {}).get("name", ""),
        )


def _move_ref(row: Row) -> str:
    return f"stock.move,{row['id']}"


def _since(cursor: str) -> list[Any]:
    if not cursor:
        return []
    start = datetime.fromisoformat(cursor) - OVERLAP
    return [["OR", ("write_date", ">=", start), ("create_date", ">=", start)]]


def _reached(cursor: str, rows: list[Row]) -> str:
    times: list[datetime | None] = [row["write_date"] or row.get("create_date") for row in rows]
    stamps = [cursor, *(at.isoformat() for at in times if at is not None)]
    return max(stamps)
