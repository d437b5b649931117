"""Productions that are requested: the orders of the plant."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from erp_bridge.adapter import Page, understand
from erp_bridge.adapters.tryton.changes import Changes
from erp_bridge.adapters.tryton.chart import unit_of
from erp_bridge.adapters.tryton.rpc import Row, Rpc
from erp_bridge.adapters.tryton.values import CLOSING_TIME, decimal_of, site_time
from erp_bridge.documents import OperationsRequest

DELIVER_BY = re.compile(r"deliver by (\S+)", re.IGNORECASE)


RUSH = re.compile(r"\brush\b", re.IGNORECASE)


class Orders:
    """Requested productions."""

    def __init__(self, rpc: Rpc, zone: ZoneInfo) -> None:
        self._zone = zone
        self._orders = Changes(rpc, "production")

    async def pull_orders(self, cursor: str, limit: int) -> Page:
        """Return productions that were requested or cancelled since the cursor."""
        domain: list[Any] = [("state", "in", ["request", "waiting", "cancelled"])]
        fields = ["product.code", "quantity", "unit.symbol", "state", "planned_date", "origin.sale.number",
                  "origin.sale.party.code", "origin.sale.party.name", "origin.sale.shipping_date",
                  "origin.sale.description", "origin.sale.create_date"]  # fmt: skip
        rows, reached, more = await self._orders.read(domain, fields, cursor, limit)
        wanted = [row for row in rows if row["product."]]
        records, odd = understand(wanted, lambda row: f"production,{row['id']}", self._order)
        return Page(tuple(records), reached, more, tuple(odd))

    def _order(self, row: Row) -> OperationsRequest:
        sale = (row.get("origin.") or {}).get("sale.") or {}
        party = sale.get("party.") or {}
        words = sale.get("description") or ""
        return OperationsRequest(
            erp_ref=f"production,{row['id']}",
            material=row["product."]["code"],
            quantity=decimal_of(row["quantity"]),
            uom=unit_of(row["unit."]["symbol"]),
            due_at=self._wanted(words, sale.get("shipping_date") or row["planned_date"]),
            priority=1 if RUSH.search(words) else 5,
            cancelled=row["state"] == "cancelled",
            customer_order=sale.get("number"),
            customer=party.get("code") or "",
            customer_name=party.get("name") or "",
            ordered_at=sale.get("create_date"),
            sale_ref=f"sale.sale,{sale['id']}" if sale else "",
        )

    def _wanted(self, words: str, day: date | None) -> datetime:
        """Return the time wanted: in the sale's description, since Tryton has dates only."""
        if match := DELIVER_BY.search(words):
            try:
                wanted = datetime.fromisoformat(match[1])
            except ValueError:
                wanted = None
            if wanted is not None:
                zoned = wanted if wanted.tzinfo else wanted.replace(tzinfo=self._zone)
                return zoned.astimezone(UTC)
        return site_time(day or datetime.now(self._zone).date(), CLOSING_TIME, self._zone)
