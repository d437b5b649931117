"""The records of Tryton by their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from time import monotonic

from erp_bridge.adapter import ErpCurrencyDiffers, ErpReadRefused, Remark
from erp_bridge.adapters.tryton.chart import ACCOUNTS
from erp_bridge.adapters.tryton.rpc import Row, Rpc
from erp_bridge.documents import Document

CACHE_S = 300.0


@dataclass(frozen=True, slots=True)
class Product:
    """What a movement needs to know of a product."""

    id: int
    unit: int
    cost: Decimal


class Missing(Exception):
    """A record that the document names is not in the ERP."""

    def __init__(self, code: Remark, name: str) -> None:
        self.code = code
        super().__init__(name)


class Names:
    """Ids of the ERP's records by their names, read once and again after a while."""

    def __init__(self, rpc: Rpc, currency: str) -> None:
        self._rpc = rpc
        self._code = currency
        self._read_at = -CACHE_S
        self.products: dict[str, Product] = {}
        self.places: dict[str, int] = {}
        self.accounts: dict[str, int] = {}
        self.account_names: dict[str, str] = {code: name for name, code in ACCOUNTS.items()}
        self.journal = 0
        self.currency = 0
        self.company = 0
        self.root_center = 0
        self.periods: list[Row] = []
        self.lots: dict[tuple[str, str], int] = {}
        self.productions: dict[str, int] = {}
        self.works: dict[tuple[int, int], int] = {}

    async def fresh(self) -> None:
        """Read masters again when they are old.

        Raises:
            ErpCurrencyDiffers: The company keeps its books in another currency than the plant.
            ErpReadRefused: Something is not there that every booking needs.
        """
        if monotonic() - self._read_at < CACHE_S:
            return
        read = self._rpc.search_read
        company = _first(await read("company.company", [], ["currency", "currency.code"], limit=1), "company")
        if company["currency."]["code"] != self._code:
            raise ErpCurrencyDiffers(erp=company["currency."]["code"], plant=self._code)
        self.company, self.currency = company["id"], company["currency"]
        rows = await read("product.product", [], ["code", "default_uom", "cost_price"])
        self.products = {
            row["code"]: Product(row["id"], row["default_uom"], row["cost_price"] or Decimal(0))
            for row in rows
            if row["code"]
        }
        rows = await read("stock.location", [], ["code", "type"])
        self.places = {row["code"]: row["id"] for row in rows if row["code"]}
        self.places |= {row["type"]: row["id"] for row in rows if row["type"] == "lost_found"}
        codes = list(ACCOUNTS.values())
        rows = await read("account.account", [("code", "in", codes)], ["code"])
        self.accounts = {self.account_names[row["code"]]: row["id"] for row in rows}
        rows = await read("account.journal", [("code", "=", "MISC")], ["code"])
        self.journal = _first(rows, "journal MISC")["id"]
        rows = await read("production.work.center", [("parent", "=", None)], ["name"], limit=1)
        self.root_center = _first(rows, "work center without a parent")["id"]
        fields = ["start_date", "end_date", "state"]
        self.periods = await read("account.period", [], fields, [("start_date", "ASC")])
        self._read_at = monotonic()

    def stale(self) -> None:
        """Read masters again at the next use."""
        self._read_at = -CACHE_S

    def product(self, code: str) -> Product:
        """Return a product by its code."""
        if code not in self.products:
            raise Missing(Remark.MATERIAL_MISSING, code)
        return self.products[code]

    def period(self, day: date) -> int:
        """Return the period of `day`."""
        for row in self.periods:
            if row["start_date"] <= day <= row["end_date"]:
                return int(row["id"])
        raise Missing(Remark.PERIOD_MISSING, day.isoformat())

    async def find_productions(self, work_orders: Iterable[str]) -> None:
        """Learn the productions of work orders."""
        wanted = sorted(set(work_orders) - self.productions.keys())
        if wanted:
            rows = await self._rpc.search_read("production", [("reference", "in", wanted)], ["reference"])
            self.productions |= {row["reference"]: row["id"] for row in rows}

    def production(self, work_order: str | None) -> int:
        """Return the production of a work order that was accepted."""
        if work_order is None or work_order not in self.productions:
            raise Missing(Remark.PRODUCTION_MISSING, work_order or "")
        return self.productions[work_order]

    async def production_ids(self, documents: Sequence[Document]) -> list[int]:
        """Return the productions of the documents' work orders."""
        await self.find_productions(document.work_order for document in documents if document.work_order)
        return [self.production(document.work_order) for document in documents]

    async def find_lots(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Learn lots by material and number."""
        unknown = {pair for pair in wanted if pair not in self.lots}
        if unknown:
            numbers = sorted({number for _, number in unknown})
            fields = ["number", "product.code"]
            rows = await self._rpc.search_read("stock.lot", [("number", "in", numbers)], fields)
            self.lots |= {(row["product."]["code"], row["number"]): row["id"] for row in rows}

    def lot(self, material: str, number: str) -> int:
        """Return a lot of a material."""
        if (material, number) not in self.lots:
            raise Missing(Remark.LOT_MISSING, number)
        return self.lots[material, number]


def _first(rows: list[Row], what: str) -> Row:
    if not rows:
        raise ErpReadRefused(detail=f"there is no {what}")
    return rows[0]
