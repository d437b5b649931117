"""Material as stock moves in lots."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from erp_bridge.adapter import Applied, Outcome
from erp_bridge.adapters.tryton.answers import half_done
from erp_bridge.adapters.tryton.names import Names
from erp_bridge.adapters.tryton.rpc import Refused, Row, Rpc
from erp_bridge.documents import MaterialActual, MaterialUse

INTO_ORDER = {MaterialUse.CONSUMED, MaterialUse.UNPRODUCED, MaterialUse.UNSCRAPPED}


class Movements:
    """Stock moves."""

    def __init__(self, rpc: Rpc, names: Names) -> None:
        self._rpc = rpc
        self._names = names

    async def book(self, documents: Sequence[MaterialActual]) -> Sequence[Outcome]:
        """Make and do the moves of each document, lot by lot; serials of finished pieces are made as lots."""
        values: list[Row] = []
        owners: list[int] = []
        for owner, moves in enumerate(await self._movements(documents, make_serials=True)):
            values += moves
            owners += [owner] * len(moves)
        created: list[int] = await self._rpc.write("model.stock.move.create", values)
        try:
            await self._finish(created, [_from_storage(row, self._names) for row in values])
        except Refused:
            await self._drop(created)
            raise
        refs: list[list[str]] = [[] for _ in documents]
        for owner, move in zip(owners, created, strict=True):
            refs[owner].append(f"stock.move,{move}")
        return [Applied(tuple(ref)) for ref in refs]

    async def find(self, document: MaterialActual, taken: Collection[str]) -> tuple[str, ...]:
        """Find the moves of an unanswered booking; all of them or none exist."""
        (wanted,) = await self._movements([document], make_serials=False)
        keys = ["product", "lot", "from_location", "to_location"]
        keys += [key for key in ("production_input", "production_output") if key in wanted[0]]
        found: list[Row] = []
        for values in wanted:
            domain: list[Any] = [(key, "=", values[key]) for key in keys]
            domain += [("quantity", "=", values["quantity"]), ("state", "!=", "cancelled")]
            rows = await self._rpc.search_read("stock.move", domain, ["state"], [("id", "ASC")])
            free = [row for row in rows if f"stock.move,{row['id']}" not in taken]
            if not free:
                return ()
            found.append({**free[0], "leaves": _from_storage(values, self._names)})
        open_ = [row for row in found if row["state"] != "done"]
        if open_:
            leaves = [row["leaves"] and row["state"] == "draft" for row in open_]
            ids = [row["id"] for row in open_]
            try:
                await self._finish(ids, leaves)
            except Refused:
                await self._drop(ids)
                return ()
        return tuple(f"stock.move,{row['id']}" for row in found)

    async def _movements(self, documents: Sequence[MaterialActual], *, make_serials: bool) -> list[list[Row]]:
        await self._names.find_productions(one.work_order for one in documents if one.work_order)
        pieces = [(one.material, number) for one in documents for number in _numbers(one)]
        await self._names.find_lots(pieces)
        if make_serials:
            await self._make_serials(documents)
        return [self._movement(document) for document in documents]

    async def _make_serials(self, documents: Sequence[MaterialActual]) -> None:
        new = [
            (one.material, serial)
            for one in documents
            if one.use is MaterialUse.PRODUCED
            for serial in one.serials
            if (one.material, serial) not in self._names.lots
        ]
        if new:
            values = [
                {"number": serial, "product": self._names.product(material).id} for material, serial in new
            ]
            ids = await self._rpc.write("model.stock.lot.create", values)
            self._names.lots |= dict(zip(new, ids, strict=True))

    def _movement(self, document: MaterialActual) -> list[Row]:
        product = self._names.product(document.material)
        source, target = _places(document.use)
        base: Row = {
            "product": product.id,
            "unit": product.unit,
            "from_location": self._names.places[source],
            "to_location": self._names.places[target],
            "effective_date": document.posting_date,
            "company": self._names.company,
        }
        if document.use is not MaterialUse.LOT_SCRAPPED:
            into = document.use in INTO_ORDER
            field = "production_input" if into else "production_output"
            base[field] = self._names.production(document.work_order)
        if (source, target) == ("PROD", "STO"):
            base |= {"unit_price": product.cost, "currency": self._names.currency}
        numbers = _numbers(document)
        if not numbers or document.use in {MaterialUse.SCRAPPED, MaterialUse.UNSCRAPPED}:
            return [{**base, "quantity": float(document.quantity), "lot": None}]
        each = document.quantity / len(numbers)
        return [
            {**base, "quantity": float(each), "lot": self._names.lot(document.material, number)}
            for number in numbers
        ]

    async def _finish(self, moves: list[int], from_storage: list[bool]) -> None:
        """Assign and do; what leaves storage must be assigned first."""
        async with half_done():
            leaving = [move for move, flag in zip(moves, from_storage, strict=True) if flag]
            if leaving:
                await self._rpc.write("model.stock.move.write", leaving, {"state": "assigned"})
            await self._rpc.write("model.stock.move.do", moves)

    async def _drop(self, moves: list[int]) -> None:
        """Take back moves that Tryton refused to do."""
        async with half_done():
            await self._rpc.write("model.stock.move.write", moves, {"state": "draft"})
            await self._rpc.write("model.stock.move.delete", moves)


def _numbers(document: MaterialActual) -> tuple[str, ...]:
    if document.serials:
        return document.serials
    return (document.lot,) if document.lot else ()


def _places(use: MaterialUse) -> tuple[str, str]:
    return {
        MaterialUse.CONSUMED: ("STO", "PROD"),
        MaterialUse.RETURNED: ("PROD", "STO"),
        MaterialUse.PRODUCED: ("PROD", "STO"),
        MaterialUse.UNPRODUCED: ("STO", "PROD"),
        MaterialUse.SCRAPPED: ("PROD", "lost_found"),
        MaterialUse.UNSCRAPPED: ("lost_found", "PROD"),
        MaterialUse.LOT_SCRAPPED: ("STO", "lost_found"),
    }[use]


def _from_storage(values: Row, names: Names) -> bool:
    return bool(values["from_location"] == names.places["STO"])
