"""Lots that came or were counted, and purchases that are to come."""

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
from erp_bridge.documents import ExpectedReceipt, MaterialCount, MaterialLot

STOCK_TAKING = "lost_found"
"""Type of the place from which a count takes what it found, and to which it sends what is missing."""


class Receipts:
    """Receipts of material, and counts of it."""

    def __init__(self, rpc: Rpc, currency: str, zone: ZoneInfo) -> None:
        self._rpc = rpc
        self._currency = currency
        self._zone = zone
        self._receipts = Changes(rpc, "stock.move")

    async def pull_lots(self, cursor: str, limit: int) -> Page:
        """Return lots that came or were counted since the cursor; what the plant threw away it knows."""
        came = [
            ("from_location.type", "in", ["supplier", STOCK_TAKING]),
            ("to_location.type", "=", "storage"),
        ]
        went = [
            ("from_location.type", "=", "storage"),
            ("to_location.type", "=", STOCK_TAKING),
            ("create_uid", "!=", await self._rpc.user()),
        ]
        domain: list[Any] = [
            ("state", "=", "done"), ("lot", "!=", None), ("production_input", "=", None), ["OR", came, went],
        ]  # fmt: skip
        fields = ["product.code", "lot.number", "lot.shelf_life_expiration_date", "quantity",
                  "unit.symbol", "unit_price", "effective_date", "from_location.type",
                  "to_location.type", "purchase.number", "purchase.party.name"]  # fmt: skip
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

    def _lot(self, row: Row) -> MaterialLot | MaterialCount:
        if STOCK_TAKING in {row["from_location."]["type"], row["to_location."]["type"]}:
            return self._count(row)
        purchase = row.get("purchase.") or {}
        return MaterialLot(
            receipt=_move_ref(row),
            **_what(row),
            quantity=decimal_of(row["quantity"]),
            price=row["unit_price"] or Decimal(0),
            currency=self._currency,
            supplier=(purchase.get("party.") or {}).get("name", ""),
            purchase=purchase.get("number", ""),
            received_at=self._moved_at(row),
            expires_at=self._expires_at(row),
        )

    def _count(self, row: Row) -> MaterialCount:
        quantity = decimal_of(row["quantity"])
        missing = row["to_location."]["type"] == STOCK_TAKING
        return MaterialCount(
            movement=_move_ref(row),
            **_what(row),
            quantity=-quantity if missing else quantity,
            counted_at=self._moved_at(row),
            expires_at=self._expires_at(row),
        )

    def _moved_at(self, row: Row) -> datetime:
        return min(site_time(row["effective_date"], time(8), self._zone), datetime.now(UTC))

    def _expires_at(self, row: Row) -> datetime | None:
        expires = row["lot."]["shelf_life_expiration_date"]
        return None if expires is None else site_time(expires, time(23, 59), self._zone)

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


def _what(row: Row) -> dict[str, str]:
    return {
        "lot": row["lot."]["number"],
        "material": row["product."]["code"],
        "uom": unit_of(row["unit."]["symbol"]),
    }


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
