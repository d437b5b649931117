"""Productions that are requested, and what changes of the sales behind them: the orders of the plant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from erp_bridge.adapter import Page, understand
from erp_bridge.adapters.tryton.changes import Changes
from erp_bridge.adapters.tryton.chart import unit_of
from erp_bridge.adapters.tryton.rpc import Row, Rpc
from erp_bridge.adapters.tryton.values import CLOSING_TIME, decimal_of, site_time
from erp_bridge.adapters.tryton.wishes import Notes, wish
from erp_bridge.documents import OperationsRequest

DELIVER_BY = re.compile(r"deliver by (\S+)", re.IGNORECASE)


RUSH = re.compile(r"\brush\b", re.IGNORECASE)
FIELDS = ["product.code", "quantity", "unit.symbol", "state", "planned_date", "origin.shipping_date",
          "origin.sale.number", "origin.sale.party.code", "origin.sale.party.name",
          "origin.sale.shipping_date", "origin.sale.description", "origin.sale.comment",
          "origin.sale.create_date"]  # fmt: skip
AT_WORK = ["request", "draft", "waiting", "assigned", "running"]
"""States of a production that is still to be made, or made just now."""


class Orders:
    """Requested productions."""

    def __init__(self, rpc: Rpc, zone: ZoneInfo) -> None:
        self._rpc = rpc
        self._zone = zone
        self._orders = Changes(rpc, "production")
        self._sales = Changes(rpc, "sale.sale")
        self._shipments = Changes(rpc, "stock.move")

    async def pull_orders(self, cursor: str, limit: int) -> Page:
        """Return productions that were requested or cancelled since the cursor."""
        domain: list[Any] = [("state", "in", ["request", "waiting", "cancelled"])]
        rows, reached, more = await self._orders.read(domain, FIELDS, cursor, limit)
        return await self._page(rows, reached, more=more)

    async def pull_sales(self, cursor: str, limit: int) -> Page:
        """Return productions whose sale, or its shipment, changed since the cursor: also those at work.

        The cursor is that of the sales and that of the moves, which are read when no sale is left.
        """
        of_sales, _, of_moves = cursor.partition(";")
        domain: list[Any] = [("state", "in", ["confirmed", "processing"])]
        rows, of_sales, more = await self._sales.read(domain, ["number"], of_sales, limit)
        sales = {row["id"] for row in rows}
        if not more:
            domain = [
                ("origin.sale.state", "=", "processing", "sale.line"),
                ("state", "in", ["staging", "draft"]),
            ]
            rows, of_moves, more = await self._shipments.read(domain, ["origin.sale"], of_moves, limit)
            sales |= {row["origin."]["sale"] for row in rows}
        domain = [("origin.sale", "in", sorted(sales), "sale.line"), ("state", "in", AT_WORK)]
        made = await self._rpc.search_read("production", domain, FIELDS, [("id", "ASC")]) if sales else []
        return await self._page(made, f"{of_sales};{of_moves}", more=more)

    async def _page(self, rows: list[Row], reached: str, *, more: bool) -> Page:
        wanted = [row for row in rows if row["product."]]
        originals = await self._originals(wanted)
        records, odd = understand(
            wanted, lambda row: f"production,{row['id']}", lambda row: self._order(row, originals)
        )
        return Page(tuple(records), reached, more, tuple(odd))

    async def _originals(self, rows: list[Row]) -> dict[int, date]:
        """Return the first planned days of the lines that are not to be shipped on their sale's day."""
        lines = [line for line in map(_line, rows) if line and line["shipping_date"] != _sold(line)]
        if not lines:
            return {}
        domain: list[Any] = [
            ("origin", "in", [f"sale.line,{line['id']}" for line in lines]),
            ("state", "!=", "cancelled"),
        ]
        fields = ["origin", "origin_planned_date"]
        moves = await self._rpc.search_read("stock.move", domain, fields, [("id", "DESC")])
        days = {int(row["origin"].partition(",")[2]): row["origin_planned_date"] for row in moves}
        return {line: day for line, day in days.items() if day is not None}

    def _order(self, row: Row, originals: Mapping[int, date]) -> OperationsRequest:
        line = _line(row)
        sale = line.get("sale.") or {}
        party = sale.get("party.") or {}
        return OperationsRequest(
            erp_ref=f"production,{row['id']}",
            material=row["product."]["code"],
            quantity=decimal_of(row["quantity"]),
            uom=unit_of(row["unit."]["symbol"]),
            due_at=self._due(line, originals) if sale else self._evening(row["planned_date"]),
            priority=1 if RUSH.search(sale.get("description") or "") else 5,
            cancelled=row["state"] == "cancelled",
            customer_order=sale.get("number"),
            customer=party.get("code") or "",
            customer_name=party.get("name") or "",
            ordered_at=sale.get("create_date"),
            sale_ref=f"sale.sale,{sale['id']}" if sale else "",
        )

    def _due(self, line: Row, originals: Mapping[int, date]) -> datetime:
        """Return the time wanted: of the day set at the shipment, or else of the sale's.

        A time of day is in the sale's description only, since Tryton has dates; it is that of its own day.
        """
        sold, sale = _sold(line), line["sale."]
        original = originals.get(line["id"], sold)
        day = wish(line["shipping_date"], original, Notes.of(sale.get("comment")), sold) or sold
        by = self._deliver_by(sale.get("description") or "")
        if by is not None and day in {None, by.astimezone(self._zone).date()}:
            return by
        return self._evening(day or original)

    def _deliver_by(self, words: str) -> datetime | None:
        match = DELIVER_BY.search(words)
        if match is None:
            return None
        try:
            wanted = datetime.fromisoformat(match[1])
        except ValueError:
            return None
        zoned = wanted if wanted.tzinfo else wanted.replace(tzinfo=self._zone)
        return zoned.astimezone(UTC)

    def _evening(self, day: date | None) -> datetime:
        return site_time(day or datetime.now(self._zone).date(), CLOSING_TIME, self._zone)


def _line(row: Row) -> Row:
    """Return the sale's line that wants the production; nothing where there is none."""
    return row.get("origin.") or {}


def _sold(line: Row) -> date | None:
    """Return the sale's own shipping date."""
    day: date | None = (line.get("sale.") or {}).get("shipping_date")
    return day
