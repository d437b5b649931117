"""The promised date, at the customer's order, its shipment and its production."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from erp_bridge.adapter import Applied, Outcome, Remark
from erp_bridge.adapters.tryton.names import Missing
from erp_bridge.adapters.tryton.rpc import Row, Rpc
from erp_bridge.adapters.tryton.wishes import Notes, noted, wish
from erp_bridge.documents import PromiseChanged


class Promises:
    """Dates promised to customers."""

    def __init__(self, rpc: Rpc, zone: ZoneInfo) -> None:
        self._rpc = rpc
        self._zone = zone

    async def book(self, documents: Sequence[PromiseChanged]) -> Sequence[Outcome]:
        """Write each date to the sale, its shipment and its running production."""
        return [await self._book_one(document) for document in documents]

    async def _book_one(self, document: PromiseChanged) -> Outcome:
        domain: list[Any] = [("number", "=", document.customer_order)]
        fields = ["comment", "lines", "shipping_date"]
        rows = await self._rpc.search_read("sale.sale", domain, fields, limit=1)
        if not rows:
            raise Missing(Remark.CUSTOMER_ORDER_MISSING, document.customer_order)
        sale = rows[0]
        local = document.promised_at.astimezone(self._zone)
        moves = await self._moves(sale)
        notes = Notes.of(sale["comment"])
        wishes = (
            wish(row["planned_date"], row["origin_planned_date"], notes, sale["shipping_date"])
            for row in moves
        )
        wanted = min((day for day in wishes if day is not None), default=None)
        comment = noted(sale["comment"], wanted, sale["shipping_date"], local)
        if comment != sale["comment"]:
            await self._rpc.write("model.sale.sale.write", [sale["id"]], {"comment": comment})
        late = [
            row["id"]
            for row in moves
            if row["planned_date"] in {notes.promised, row["origin_planned_date"]} - {local.date()}
        ]
        if late:
            await self._rpc.write("model.stock.move.write", late, {"planned_date": local.date()})
        await self._plan_production(document, local.date())
        return Applied((f"sale.sale,{sale['id']}",))

    async def _moves(self, sale: Row) -> list[Row]:
        """Return the moves to the customer; those whose day somebody else has set keep it."""
        origins = [f"sale.line,{line}" for line in sale["lines"]]
        domain: list[Any] = [("origin", "in", origins), ("state", "in", ["staging", "draft"])]
        return await self._rpc.search_read("stock.move", domain, ["planned_date", "origin_planned_date"])

    async def _plan_production(self, document: PromiseChanged, day: date) -> None:
        """Move the production's planned date; before its release it is still the date wanted of us."""
        domain: list[Any] = [("reference", "=", document.work_order), ("state", "=", "running")]
        rows = await self._rpc.search_read("production", domain, ["planned_date"])
        late = [row["id"] for row in rows if row["planned_date"] != day]
        if late:
            await self._rpc.write("model.production.write", late, {"planned_date": day})
