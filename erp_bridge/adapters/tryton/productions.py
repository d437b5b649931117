"""Work orders as productions: accepted, released, closed, cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from erp_bridge.adapter import Applied, Outcome, Rejected, Remark
from erp_bridge.adapters.tryton.cycles import Cycles
from erp_bridge.adapters.tryton.names import Names
from erp_bridge.adapters.tryton.rpc import Row, Rpc
from erp_bridge.documents import (
    OperationsRequestAccepted,
    OperationsRequestCancelled,
    OperationsRequestClosed,
    OperationsRequestReleased,
)


class Productions:
    """Productions of work orders."""

    def __init__(self, rpc: Rpc, names: Names, cycles: Cycles) -> None:
        self._rpc = rpc
        self._names = names
        self._cycles = cycles

    async def accept(self, documents: Sequence[OperationsRequestAccepted]) -> Sequence[Outcome]:
        """Write the work order's number and page to the production, and the page to its sale."""
        ids = [int(document.erp_ref.partition(",")[2]) for document in documents]
        rows = await self._rpc.read("model.production.read", ids, ["reference", "origin.sale.number"])
        sales = {row["id"]: ((row.get("origin.") or {}).get("sale.") or {}) for row in rows}
        pairs: list[object] = []
        links: list[Row] = []
        for production, document in zip(ids, documents, strict=True):
            pairs += [[production], {"reference": document.work_order}]
            links.append(_link(f"production,{production}", document.work_order or "", document.url))
            if sale := sales[production]:
                page = f"{document.url.rpartition('/')[0]}/{sale['number']}"
                links.append(_link(f"sale.sale,{sale['id']}", sale["number"], page))
            self._names.productions[document.work_order or ""] = production
        await self._rpc.write("model.production.write", *pairs)
        await self._attach(links)
        return [Applied((document.erp_ref,)) for document in documents]

    async def release(self, documents: Sequence[OperationsRequestReleased]) -> Sequence[Outcome]:
        """Run the production without the moves that Tryton has planned: they come as they happen."""
        ids = await self._names.production_ids(documents)
        fields = ["state", "inputs", "outputs"]
        rows = await self._rpc.read("model.production.read", ids, fields)
        requested = [row["id"] for row in rows if row["state"] == "request"]
        drafted = [row["id"] for row in rows if row["state"] in {"request", "draft"}]
        waiting = [row["id"] for row in rows if row["state"] in {"request", "draft", "waiting"}]
        startable = [row["id"] for row in rows if row["state"] not in {"running", "done", "cancelled"}]
        planned = [move for row in rows if row["id"] in waiting for move in (*row["inputs"], *row["outputs"])]
        if drafted:
            center = {"work_center": self._names.root_center}
            await self._rpc.write("model.production.write", drafted, center)
        if requested:
            await self._rpc.write("model.production.draft", requested)
        if planned:
            await self._rpc.write("model.stock.move.delete", planned)
        if drafted:
            await self._rpc.write("model.production.wait", drafted)
        if waiting:
            await self._rpc.write("model.production.assign_try", waiting)
        if startable:
            await self._rpc.write("model.production.run", startable)
        cancelled = {row["id"] for row in rows if row["state"] == "cancelled"}
        return [
            Rejected(Remark.PRODUCTION_CANCELLED, document.work_order or "")
            if production in cancelled
            else Applied((f"production,{production}",))
            for production, document in zip(ids, documents, strict=True)
        ]

    async def close(self, documents: Sequence[OperationsRequestClosed]) -> Sequence[Outcome]:
        """Finish the production; works without hours get a cycle of none."""
        ids = await self._names.production_ids(documents)
        rows = await self._rpc.read("model.production.read", ids, ["state"])
        running = [row["id"] for row in rows if row["state"] == "running"]
        if running:
            domain: list[Any] = [("production", "in", running), ("state", "=", "draft")]
            idle = await self._rpc.search_read("production.work", domain, ["state"])
            if idle:
                await self._cycles.make([(row["id"], Decimal(0)) for row in idle])
            await self._rpc.write("model.production.do", running)
        return [Applied((f"production,{production}",)) for production in ids]

    async def cancel(self, documents: Sequence[OperationsRequestCancelled]) -> Sequence[Outcome]:
        """Cancel the production; one that is done is refused."""
        ids = await self._names.production_ids(documents)
        rows = await self._rpc.read("model.production.read", ids, ["state"])
        done = {row["id"] for row in rows if row["state"] == "done"}
        to_cancel = [row["id"] for row in rows if row["state"] not in {"done", "cancelled"}]
        requested = [row["id"] for row in rows if row["state"] == "request"]
        running = [row["id"] for row in rows if row["state"] == "running"]
        if requested:  # a cancelled one must name a work centre
            center = {"work_center": self._names.root_center}
            await self._rpc.write("model.production.write", requested, center)
        if running:  # a running one cannot be cancelled
            await self._rpc.write("model.production.wait", running)
        if to_cancel:
            await self._rpc.write("model.production.cancel", to_cancel)
        return [
            Rejected(Remark.REFUSED, f"production,{production} is done")
            if production in done
            else Applied((f"production,{production}",))
            for production in ids
        ]

    async def _attach(self, links: list[Row]) -> None:
        domain: list[Any] = [("resource", "in", [link["resource"] for link in links]), ("type", "=", "link")]
        rows = await self._rpc.search_read("ir.attachment", domain, ["resource", "link"])
        there = {(row["resource"], row["link"]) for row in rows}
        new = [link for link in links if (link["resource"], link["link"]) not in there]
        if new:
            await self._rpc.write("model.ir.attachment.create", new)


def _link(resource: str, name: str, url: str) -> Row:
    return {"name": f"Lineside {name}", "type": "link", "link": url, "resource": resource}
