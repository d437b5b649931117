"""Tryton 8.0: productions, stock moves in lots, work cycles, entries, promises.

Tryton with continental stock accounting posts every valued movement of stock by itself; labour,
machine time, scrap and variances it never posts. It has no idempotency key: what is booked
twice is found by content among the records that the ledger does not know yet. Few calls with
many records each: one call costs 20 to 200 ms, and SQLite has one writer.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from time import monotonic
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from erp_bridge.adapter import (
    Absent,
    Applied,
    Capabilities,
    Connection,
    ErpCurrencyDiffers,
    ErpLoginRefused,
    ErpReadRefused,
    ErpUnavailable,
    Found,
    Health,
    Held,
    LedgerLine,
    Movement,
    NameMapping,
    OddRecord,
    Outcome,
    OutcomeUnknown,
    Page,
    Period,
    Posting,
    Probe,
    Rejected,
    Remark,
    Retry,
    Snapshot,
    SnapshotKind,
    StockLine,
    Stream,
    Unknown,
    understand,
)
from erp_bridge.adapters.tryton_changes import OVERLAP, Changes
from erp_bridge.adapters.tryton_rpc import Busy, Refused, Rpc
from erp_bridge.documents import (
    BillLine,
    CostPosting,
    Document,
    ExpectedReceipt,
    MaterialActual,
    MaterialDefinition,
    MaterialLot,
    MaterialUse,
    OperationDefinition,
    OperationsDefinition,
    OperationsRequest,
    OperationsRequestAccepted,
    OperationsRequestCancelled,
    OperationsRequestClosed,
    OperationsRequestReleased,
    Person,
    PostingLine,
    PromiseChanged,
    Rate,
    SegmentResponse,
)

Row = dict[str, Any]

ACCOUNTS = {
    "raw_material": "1.3.2",
    "finished_goods": "1.3.4",
    "wip": "5.1.5.1",
    "gr_ir": "5.1.5.2",
    "cogs": "5.1.5.3",
    "labour_absorbed": "5.2.1.1",
    "machine_absorbed": "5.2.1.2",
    "scrap_expense": "5.2.1.3",
    "usage_variance": "5.2.1.4",
    "labour_rate_variance": "5.2.1.5",
    "labour_efficiency_variance": "5.2.1.6",
    "machine_efficiency_variance": "5.2.1.7",
    "purchase_price_variance": "5.2.1.8",
    "payroll_accrued": "2.2.1.1",
    "standard_cost_variance": "5.2.1.9",
    "subcontract_price_variance": "5.2.1.10",
    "variable_overhead_absorbed": "5.2.1.11",
    "fixed_overhead_absorbed": "5.2.1.12",
    "variable_overhead_efficiency_variance": "5.2.1.13",
    "fixed_overhead_efficiency_variance": "5.2.1.14",
    "machine_pool": "5.2.1.15",
    "machine_spending_variance": "5.2.1.16",
    "variable_overhead_pool": "5.2.1.17",
    "variable_overhead_spending_variance": "5.2.1.18",
    "fixed_overhead_pool": "5.2.1.19",
    "fixed_overhead_spending_variance": "5.2.1.20",
    "fixed_overhead_volume_variance": "5.2.1.21",
}
"""Canonical account -> code in Tryton's universal chart of accounts."""

UNITS = {"pc": "u", "kg": "kg", "h": "h"}
"""Canonical unit -> symbol in Tryton; no conversion, the factor is 1."""

SHEET = Capabilities(
    name="Tryton",
    posts={
        Movement.RECEIPT: Posting("raw_material", "gr_ir"),
        Movement.ISSUE: Posting("wip", "raw_material"),
        Movement.RETURN: Posting("raw_material", "gr_ir"),
        Movement.COMPLETION: Posting("finished_goods", "wip"),
        Movement.COMPLETION_REVERSAL: Posting("cogs", "finished_goods"),
        Movement.LOT_SCRAP: Posting("wip", "raw_material"),
        Movement.SHIPMENT: Posting("cogs", "finished_goods"),
    },
    any_order=frozenset({"MaterialActual", "SegmentResponse", "CostPosting"}),
)
"""As trytond_account_stock_continental posts with the accounts of the recipe's categories:
from storage debits the category's OUT account, into storage credits its IN account."""

INTO_ORDER = {MaterialUse.CONSUMED, MaterialUse.UNPRODUCED, MaterialUse.UNSCRAPPED}
PAGE = 2000
"""Most lines of a snapshot."""
LEDGER_OVERLAP = 100
"""Ids read again on every look at the ledger."""
CLOSING_TIME = time(18, 0)
"""A date without a time means this time of the site's day."""
CACHE_S = 300.0
DOWN_RETRY_S = 3.0

DELIVER_BY = re.compile(r"deliver by (\S+)", re.IGNORECASE)
RUSH = re.compile(r"\brush\b", re.IGNORECASE)
REASONS = (
    ("must provide a stock lot", Remark.LOT_MISSING),
    ("period", Remark.PERIOD_CLOSED),
    ("expired", Remark.LOT_EXPIRED),
    ("not allowed", Remark.ACCESS_DENIED),
    ("do not have enough", Remark.STOCK_MISSING),
)
"""Words in Tryton's refusals -> our codes."""


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


class TrytonAdapter:
    """One Tryton database over JSON-RPC."""

    name: ClassVar[str] = "tryton"

    def __init__(self, connection: Connection) -> None:
        self._rpc = Rpc(connection)
        self._names = Names(self._rpc, connection.currency)
        self._orders = Changes(self._rpc, "production")
        self._receipts = Changes(self._rpc, "stock.move")
        self._moves = Changes(self._rpc, "stock.move")
        self._zone = ZoneInfo(connection.site_tz)
        self._currency = connection.currency
        self._pullers: dict[Stream, Callable[[str, int], Awaitable[Page]]] = {
            Stream.MATERIALS: self._pull_materials,
            Stream.RATES: self._pull_rates,
            Stream.PEOPLE: self._pull_people,
            Stream.LOTS: self._pull_lots,
            Stream.PURCHASES: self._pull_purchases,
            Stream.ORDERS: self._pull_orders,
        }

    async def capabilities(self) -> Capabilities:
        """Return what Tryton posts by itself."""
        return SHEET

    async def mapping_schema(self) -> Sequence[NameMapping]:
        """Return the accounts and units by their names in Tryton."""
        accounts = [NameMapping("account", ours, theirs) for ours, theirs in ACCOUNTS.items()]
        return [*accounts, *(NameMapping("uom", ours, theirs) for ours, theirs in UNITS.items())]

    async def close(self) -> None:
        """Let go of the connection."""
        await self._rpc.close()

    async def health(self) -> Health:
        """Return whether Tryton answers."""
        begun = monotonic()
        try:
            await self._rpc.read("model.res.user.get_preferences", True)  # noqa: FBT003
            latency = round((monotonic() - begun) * 1000, 1)
            await self._names.fresh()
        except (ErpUnavailable, ErpLoginRefused, Refused) as error:
            return Health(reachable=False, detail=str(error))
        return Health(reachable=True, version="8.0", latency_ms=latency)

    async def periods(self) -> Sequence[Period]:
        """Return the accounting periods."""
        fields = ["start_date", "end_date", "state"]
        try:
            rows = await self._rpc.search_read("account.period", [], fields, [("start_date", "ASC")])
        except Refused as refused:
            raise ErpReadRefused(detail=str(refused)) from refused
        self._names.periods = rows
        return [Period(row["start_date"], row["end_date"], open=row["state"] == "open") for row in rows]

    async def apply(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        """Book documents of one noun; a batch that Tryton refuses is tried one by one."""
        handler = self._handler(documents[0])
        try:
            await self._names.fresh()
            return await handler(documents)
        except (Refused, Missing) as refused:
            if len(documents) == 1:
                self._names.stale()
                return [_rejection(refused)]
            return await self._apply_each(documents)
        except (Busy, ErpUnavailable, ErpLoginRefused, OutcomeUnknown) as error:
            return [_unanswered(error)] * len(documents)

    async def _apply_each(self, documents: Sequence[Document]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        stopped: set[str] = set()
        for document in documents:
            outcome = Held() if document.lane in stopped else (await self.apply([document]))[0]
            if not isinstance(outcome, Applied):
                stopped.add(document.lane)
            outcomes.append(outcome)
        return outcomes

    def _handler(self, document: Document) -> Callable[[Sequence[Any]], Awaitable[Sequence[Outcome]]]:
        handlers: dict[type[Any], Callable[[Sequence[Any]], Awaitable[Sequence[Outcome]]]] = {
            OperationsRequestAccepted: self._accept,
            OperationsRequestReleased: self._release,
            OperationsRequestClosed: self._close_production,
            OperationsRequestCancelled: self._cancel_production,
            MaterialActual: self._move,
            SegmentResponse: self._cycle,
            CostPosting: self._post,
            PromiseChanged: self._promise,
        }
        return handlers[type(document)]

    async def reverse(self, document: Document, ref: Sequence[str], posting_date: date) -> Outcome:
        """Undo a movement or an entry by its opposite."""
        match document:
            case MaterialActual():
                opposite: Document = _opposite_movement(document, posting_date)
            case CostPosting():
                opposite = _opposite_entry(document, posting_date)
            case _:
                return Rejected(Remark.NOT_REVERSIBLE, f"{document.noun} {' '.join(ref)}")
        return (await self.apply([opposite]))[0]

    async def probe(
        self, documents: Sequence[Document], known: Mapping[str, Collection[str]]
    ) -> Sequence[Probe]:
        """Find what was booked although no answer came; other nouns are safe to repeat."""
        taken = {ref for refs in known.values() for ref in refs}
        found: list[Probe] = []
        for document in documents:
            refs = await self._find(document, taken)
            taken.update(refs)
            found.append(Found(refs) if refs else Absent())
        return found

    async def _find(self, document: Document, taken: Collection[str]) -> tuple[str, ...]:
        try:
            await self._names.fresh()
            return await self._look_for(document, taken)
        except (Missing, Refused):
            return ()
        except (Busy, OutcomeUnknown) as error:
            raise ErpUnavailable(detail=str(error)) from error

    async def _look_for(self, document: Document, taken: Collection[str]) -> tuple[str, ...]:
        match document:
            case MaterialActual():
                return await self._find_moves(document, taken)
            case CostPosting():
                return await self._find_entry(document)
            case SegmentResponse():
                return await self._find_cycle(document, taken)
        return ()

    # Orders

    async def _accept(self, documents: Sequence[OperationsRequestAccepted]) -> Sequence[Outcome]:
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

    async def _attach(self, links: list[Row]) -> None:
        domain: list[Any] = [("resource", "in", [link["resource"] for link in links]), ("type", "=", "link")]
        rows = await self._rpc.search_read("ir.attachment", domain, ["resource", "link"])
        there = {(row["resource"], row["link"]) for row in rows}
        new = [link for link in links if (link["resource"], link["link"]) not in there]
        if new:
            await self._rpc.write("model.ir.attachment.create", new)

    async def _production_ids(self, documents: Sequence[Document]) -> list[int]:
        await self._names.find_productions(
            document.work_order for document in documents if document.work_order
        )
        return [self._names.production(document.work_order) for document in documents]

    async def _release(self, documents: Sequence[OperationsRequestReleased]) -> Sequence[Outcome]:
        ids = await self._production_ids(documents)
        fields = ["state", "inputs", "outputs"]
        rows = await self._rpc.read("model.production.read", ids, fields)
        requested = [row["id"] for row in rows if row["state"] in {"request", "draft"}]
        waiting = [row["id"] for row in rows if row["state"] in {"request", "draft", "waiting"}]
        startable = [row["id"] for row in rows if row["state"] not in {"running", "done", "cancelled"}]
        planned = [move for row in rows if row["id"] in waiting for move in (*row["inputs"], *row["outputs"])]
        if requested:
            center = {"work_center": self._names.root_center}
            await self._rpc.write("model.production.write", requested, center)
            await self._rpc.write("model.production.draft", requested)
        if planned:
            await self._rpc.write("model.stock.move.delete", planned)
        if requested:
            await self._rpc.write("model.production.wait", requested)
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

    async def _close_production(self, documents: Sequence[OperationsRequestClosed]) -> Sequence[Outcome]:
        ids = await self._production_ids(documents)
        rows = await self._rpc.read("model.production.read", ids, ["state"])
        running = [row["id"] for row in rows if row["state"] == "running"]
        if running:
            domain: list[Any] = [("production", "in", running), ("state", "=", "draft")]
            idle = await self._rpc.search_read("production.work", domain, ["state"])
            if idle:
                await self._cycles([(row["id"], Decimal(0)) for row in idle])
            await self._rpc.write("model.production.do", running)
        return [Applied((f"production,{production}",)) for production in ids]

    async def _cancel_production(self, documents: Sequence[OperationsRequestCancelled]) -> Sequence[Outcome]:
        ids = await self._production_ids(documents)
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

    # Operations

    async def _cycle(self, documents: Sequence[SegmentResponse]) -> Sequence[Outcome]:
        works = await self._works(documents)
        created = await self._cycles(
            [(work, document.hours) for work, document in zip(works, documents, strict=True)]
        )
        return [Applied((f"production.work.cycle,{cycle}",)) for cycle in created]

    async def _works(self, documents: Sequence[SegmentResponse]) -> list[int]:
        ids = await self._production_ids(documents)
        keys = [(at, document.operation) for at, document in zip(ids, documents, strict=True)]
        unknown = sorted({production for production, operation in keys
                          if (production, operation) not in self._names.works})  # fmt: skip
        if unknown:
            fields = ["production", "operation.name"]
            domain: list[Any] = [("production", "in", unknown)]
            for row in await self._rpc.search_read("production.work", domain, fields):
                number = row["operation."]["name"].split(" ", 1)[0]
                if number.isdecimal():
                    self._names.works[row["production"], int(number)] = row["id"]
        for key in keys:
            if key not in self._names.works:
                raise Missing(Remark.OPERATION_MISSING, str(key[1]))
        return [self._names.works[key] for key in keys]

    async def _cycles(self, works: Sequence[tuple[int, Decimal]]) -> list[int]:
        values = [{"work": work, "duration": _duration(hours), "state": "running"} for work, hours in works]
        created: list[int] = await self._rpc.write("model.production.work.cycle.create", values)
        await self._finish_cycles(created)
        return created

    async def _finish_cycles(self, cycles: list[int]) -> None:
        """Do cycles; those that Tryton refuses to do are taken back."""
        try:
            async with _half_done():
                await self._rpc.write("model.production.work.cycle.do", cycles)
        except Refused:
            async with _half_done():
                await self._rpc.write("model.production.work.cycle.delete", cycles)
            raise

    async def _find_cycle(self, document: SegmentResponse, taken: Collection[str]) -> tuple[str, ...]:
        (work,) = await self._works([document])
        domain: list[Any] = [("work", "=", work), ("duration", "=", _duration(document.hours)),
                             ("state", "in", ["running", "done"])]  # fmt: skip
        rows = await self._rpc.search_read("production.work.cycle", domain, ["state"], [("id", "ASC")])
        for row in rows:
            ref = f"production.work.cycle,{row['id']}"
            if ref not in taken:
                if row["state"] == "running":
                    await self._finish_cycles([row["id"]])
                return (ref,)
        return ()

    # Material

    async def _move(self, documents: Sequence[MaterialActual]) -> Sequence[Outcome]:
        values: list[Row] = []
        owners: list[int] = []
        for owner, moves in enumerate(await self._movements(documents, make_serials=True)):
            values += moves
            owners += [owner] * len(moves)
        created: list[int] = await self._rpc.write("model.stock.move.create", values)
        try:
            await self._finish_moves(created, [_from_storage(row, self._names) for row in values])
        except Refused:
            await self._drop_moves(created)
            raise
        refs: list[list[str]] = [[] for _ in documents]
        for owner, move in zip(owners, created, strict=True):
            refs[owner].append(f"stock.move,{move}")
        return [Applied(tuple(ref)) for ref in refs]

    async def _drop_moves(self, moves: list[int]) -> None:
        """Take back moves that Tryton refused to do."""
        async with _half_done():
            await self._rpc.write("model.stock.move.write", moves, {"state": "draft"})
            await self._rpc.write("model.stock.move.delete", moves)

    async def _finish_moves(self, moves: list[int], from_storage: list[bool]) -> None:
        """Assign and do; what leaves storage must be assigned first."""
        async with _half_done():
            leaving = [move for move, flag in zip(moves, from_storage, strict=True) if flag]
            if leaving:
                await self._rpc.write("model.stock.move.write", leaving, {"state": "assigned"})
            await self._rpc.write("model.stock.move.do", moves)

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

    async def _find_moves(self, document: MaterialActual, taken: Collection[str]) -> tuple[str, ...]:
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
                await self._finish_moves(ids, leaves)
            except Refused:
                await self._drop_moves(ids)
                return ()
        return tuple(f"stock.move,{row['id']}" for row in found)

    # Entries

    async def _post(self, documents: Sequence[CostPosting]) -> Sequence[Outcome]:
        values = [
            {
                "journal": self._names.journal,
                "period": self._names.period(document.posting_date),
                "date": document.posting_date,
                "description": " ".join(filter(None, (document.work_order, document.text))),
                "lines": [["create", [self._line(document, line) for line in document.lines]]],
            }
            for document in documents
        ]
        created: list[int] = await self._rpc.write("model.account.move.create", values)
        await self._finish_entries(created)
        return [Applied((f"account.move,{move}",)) for move in created]

    async def _finish_entries(self, moves: list[int]) -> None:
        """Post entries; those that Tryton refuses to post are taken back."""
        try:
            async with _half_done():
                await self._rpc.write("model.account.move.post", moves)
        except Refused:
            async with _half_done():
                await self._rpc.write("model.account.move.delete", moves)
            raise

    def _line(self, document: CostPosting, line: PostingLine) -> Row:
        if line.account not in self._names.accounts:
            raise Missing(Remark.ACCOUNT_MISSING, line.account)
        return {
            "account": self._names.accounts[line.account],
            "debit": line.debit,
            "credit": line.credit,
            "description": document.key,
        }

    async def _find_entry(self, document: CostPosting) -> tuple[str, ...]:
        fields = ["move", "move.state"]
        domain: list[Any] = [("description", "=", document.key)]
        rows = await self._rpc.search_read("account.move.line", domain, fields, limit=1)
        if not rows:
            return ()
        if rows[0]["move."]["state"] == "draft":
            await self._finish_entries([rows[0]["move"]])
        return (f"account.move,{rows[0]['move']}",)

    # Promises

    async def _promise(self, documents: Sequence[PromiseChanged]) -> Sequence[Outcome]:
        return [await self._promise_one(document) for document in documents]

    async def _promise_one(self, document: PromiseChanged) -> Outcome:
        domain: list[Any] = [("number", "=", document.customer_order)]
        rows = await self._rpc.search_read("sale.sale", domain, ["comment", "lines"], limit=1)
        if not rows:
            raise Missing(Remark.CUSTOMER_ORDER_MISSING, document.customer_order)
        sale = rows[0]
        local = document.promised_at.astimezone(self._zone)
        promise = f"Promised: {local:%Y-%m-%d %H:%M} ({local:%z})"
        kept = [line for line in (sale["comment"] or "").splitlines() if not line.startswith("Promised: ")]
        comment = "\n".join([*kept, promise])
        if comment != sale["comment"]:
            await self._rpc.write("model.sale.sale.write", [sale["id"]], {"comment": comment})
        origins = [f"sale.line,{line}" for line in sale["lines"]]
        domain = [("origin", "in", origins), ("state", "in", ["staging", "draft"])]
        moves = await self._rpc.search_read("stock.move", domain, ["planned_date"])
        late = [row["id"] for row in moves if row["planned_date"] != local.date()]
        if late:
            await self._rpc.write("model.stock.move.write", late, {"planned_date": local.date()})
        await self._plan_production(document, local.date())
        return Applied((f"sale.sale,{sale['id']}",))

    async def _plan_production(self, document: PromiseChanged, day: date) -> None:
        """Move the production's planned date; before its release it is still the date wanted of us."""
        domain: list[Any] = [("reference", "=", document.work_order), ("state", "=", "running")]
        rows = await self._rpc.search_read("production", domain, ["planned_date"])
        late = [row["id"] for row in rows if row["planned_date"] != day]
        if late:
            await self._rpc.write("model.production.write", late, {"planned_date": day})

    # What the ERP owns

    async def pull(self, stream: Stream, cursor: str, limit: int = 200) -> Page:
        """Return what changed in `stream`."""
        try:
            await self._names.fresh()
            return await self._pullers[stream](cursor, limit)
        except Refused as refused:
            raise ErpReadRefused(detail=str(refused)) from refused

    async def _pull_materials(self, cursor: str, limit: int) -> Page:  # noqa: ARG002 - small, whole
        fields = ["code", "name", "default_uom.symbol", "default_uom.digits", "cost_price", "producible"]
        fields += ["attributes", "boms"]
        domain: list[Any] = [("type", "=", "goods"), ("code", "!=", None)]
        rows = await self._rpc.search_read("product.product", domain, fields, [("id", "ASC")])
        by_id = {row["id"]: row for row in rows}
        materials, odd = understand(rows, lambda row: str(row["code"]), self._material)
        masters, unclear = await self._masters(
            [row for row in rows if row["producible"] and row["boms"]], by_id
        )
        return Page((*materials, *masters), cursor, odd=(*odd, *unclear), whole=True)

    def _material(self, row: Row) -> MaterialDefinition:
        return MaterialDefinition(
            id=row["code"],
            name=row["name"],
            product=row["producible"],
            uom=_unit(row["default_uom."]["symbol"]),
            standard_price=row["cost_price"] or Decimal(0),
            currency=self._currency,
            erp_ref=f"product.product,{row['id']}",
            digits=row["default_uom."]["digits"],
        )

    async def _masters(
        self, made: list[Row], by_id: dict[int, Row]
    ) -> tuple[list[OperationsDefinition], list[OddRecord]]:
        if not made:
            return [], []
        links = [row["boms"][0] for row in made]
        fields = ["product", "bom", "routing"]
        rows = await self._rpc.read("model.product.product-production.bom.read", links, fields)
        boms = {row["product"]: row for row in rows}
        inputs = await self._rpc.search_read(
            "production.bom.input",
            [("bom", "in", [row["bom"] for row in rows])],
            ["bom", "product", "quantity", "unit.symbol"],
            [("id", "ASC")],
        )
        steps = await self._rpc.search_read(
            "production.routing.step",
            [("routing", "in", [row["routing"] for row in rows if row["routing"]])],
            ["routing", "operation.name", "operation.work_center_category.name"],
            [("sequence", "ASC")],
        )
        routed = [row for row in made if row["id"] not in boms or boms[row["id"]]["routing"]]
        return understand(
            routed,
            lambda row: _master_id(row["code"]),
            lambda row: _definition(row, boms[row["id"]], inputs, steps, by_id),
        )

    async def _pull_rates(self, cursor: str, limit: int) -> Page:  # noqa: ARG002
        domain: list[Any] = [("cost_method", "=", "hour"), ("category", "!=", None)]
        rows = await self._rpc.search_read("production.work.center", domain, ["category.name", "cost_price"])
        machines, odd = understand(rows, lambda row: f"center,{row['id']}", _machine_rate)
        domain = [("producible", "=", True)]
        rows = await self._rpc.search_read("product.product", domain, ["attributes"])
        classed = [row for row in rows if "labour_class" in (row["attributes"] or {})]
        labour, unclear = understand(classed, lambda row: f"product.product,{row['id']}", _labour_rate)
        records = tuple(
            Rate(
                kind="labour" if kind == "labour" else "machine",
                code=code,
                per_hour=rate,
                currency=self._currency,
            )
            for (kind, code), rate in sorted(dict([*machines, *labour]).items())
        )
        return Page(records, cursor, odd=(*odd, *unclear), whole=True)

    async def _pull_people(self, cursor: str, limit: int) -> Page:  # noqa: ARG002
        fields = ["party.code", "party.name", "end_date"]
        rows = await self._rpc.search_read("company.employee", [], fields, [("id", "ASC")])
        records, odd = understand(rows, lambda row: f"company.employee,{row['id']}", self._person)
        return Page(tuple(records), cursor, odd=tuple(odd), whole=True)

    def _person(self, row: Row) -> Person:
        if not row["party."]["code"]:
            msg = f"employee {row['party.']['name']} has no code"
            raise LookupError(msg)
        return Person(
            id=row["party."]["code"],
            name=row["party."]["name"],
            active=row["end_date"] is None or row["end_date"] >= datetime.now(self._zone).date(),
            erp_ref=f"company.employee,{row['id']}",
        )

    async def _pull_lots(self, cursor: str, limit: int) -> Page:
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

    def _lot(self, row: Row) -> MaterialLot:
        purchase = (row.get("origin.") or {}).get("purchase.") or {}
        expires = row["lot."]["shelf_life_expiration_date"]
        return MaterialLot(
            receipt=f"stock.move,{row['id']}",
            lot=row["lot."]["number"],
            material=row["product."]["code"],
            quantity=_decimal(row["quantity"]),
            uom=_unit(row["unit."]["symbol"]),
            price=row["unit_price"] or Decimal(0),
            currency=self._currency,
            supplier=(purchase.get("party.") or {}).get("name", ""),
            purchase=purchase.get("number", ""),
            received_at=min(self._at(row["effective_date"], time(8)), datetime.now(UTC)),
            expires_at=None if expires is None else self._at(expires, time(23, 59)),
        )

    async def _pull_purchases(self, cursor: str, limit: int) -> Page:  # noqa: ARG002
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

    def _expected(self, row: Row) -> ExpectedReceipt:
        coming = row["state"] in {"draft", "assigned"}
        today = datetime.now(self._zone).date()
        return ExpectedReceipt(
            purchase=row["purchase."]["number"],
            material=row["product."]["code"],
            quantity=_decimal(row["quantity"]) if coming else Decimal(0),
            uom=_unit(row["unit."]["symbol"]),
            expected_at=self._at(row["planned_date"] or today, CLOSING_TIME),
            supplier=(row["purchase."].get("party.") or {}).get("name", ""),
        )

    async def _pull_orders(self, cursor: str, limit: int) -> Page:
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
            quantity=_decimal(row["quantity"]),
            uom=_unit(row["unit."]["symbol"]),
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
        return self._at(day or datetime.now(self._zone).date(), CLOSING_TIME)

    def _at(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self._zone).astimezone(UTC)

    # Reconciliation

    async def snapshot(self, kind: SnapshotKind, cursor: str = "") -> Snapshot:
        """Return new lines of the ledger, or changed movements of stock."""
        try:
            await self._names.fresh()
            return await (self._ledger(cursor) if kind is SnapshotKind.LEDGER else self._stock(cursor))
        except Refused as refused:
            raise ErpReadRefused(detail=str(refused)) from refused

    async def _ledger(self, cursor: str) -> Snapshot:
        after = max(int(cursor or 0) - LEDGER_OVERLAP, 0)
        domain: list[Any] = [
            ("id", ">", after),
            ("account", "in", list(self._names.accounts.values())),
            ("move.state", "=", "posted"),
        ]
        fields = ["account", "debit", "credit", "move.origin"]
        rows = await self._rpc.search_read("account.move.line", domain, fields, [("id", "ASC")], PAGE)
        names = {record: name for name, record in self._names.accounts.items()}
        lines = tuple(
            LedgerLine(
                id=row["id"],
                account=names[row["account"]],
                amount=row["debit"] - row["credit"],
                ref=row["move."]["origin"] or f"account.move,{row['move.']['id']}",
            )
            for row in rows
        )
        reached = max([int(cursor or 0), *(line.id for line in lines)])
        return Snapshot(cursor=str(reached), ledger=lines, more=len(rows) == PAGE)

    async def _stock(self, cursor: str) -> Snapshot:
        domain: list[Any] = [
            ("state", "in", ["done", "cancelled"]),
            ["OR", ("production_input", "!=", None), ("production_output", "!=", None),
             ("to_location.type", "=", "lost_found")],
        ]  # fmt: skip
        fields = ["product.code", "lot.number", "quantity", "state", "from_location.type",
                  "production_input.reference", "production_output.reference"]  # fmt: skip
        rows, reached, more = await self._moves.read(domain, fields, cursor, PAGE)
        return Snapshot(cursor=reached, stock=tuple(_stock_line(row) for row in rows), more=more)


class _half_done:  # noqa: N801 - reads as a statement
    """Records exist but are not finished: an unclear end must be looked into, not repeated."""

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if isinstance(error, Busy | ErpUnavailable):
            raise OutcomeUnknown(detail=str(error)) from error


def _unanswered(error: Exception) -> Outcome:
    match error:
        case OutcomeUnknown():
            return Unknown(str(error))
        case Busy():
            return Retry(str(error), code=Remark.BUSY)
        case ErpCurrencyDiffers():
            return Retry(str(error), DOWN_RETRY_S, Remark.CURRENCY_DIFFERS)
        case ErpLoginRefused():
            return Retry(str(error), DOWN_RETRY_S, Remark.LOGIN_REFUSED)
    return Retry(str(error), DOWN_RETRY_S)


def _rejection(refused: Exception) -> Rejected:
    if isinstance(refused, Missing):
        return Rejected(refused.code, str(refused))
    words = str(refused)
    lower = words.lower()
    code = next((code for part, code in REASONS if part in lower), Remark.REFUSED)
    return Rejected(code, words)


def _first(rows: list[Row], what: str) -> Row:
    if not rows:
        raise ErpReadRefused(detail=f"there is no {what}")
    return rows[0]


def _link(resource: str, name: str, url: str) -> Row:
    return {"name": f"Lineside {name}", "type": "link", "link": url, "resource": resource}


def _duration(hours: Decimal) -> timedelta:
    return timedelta(microseconds=int(hours * 3600 * 1_000_000))


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


OPPOSITE = {
    MaterialUse.CONSUMED: MaterialUse.RETURNED,
    MaterialUse.RETURNED: MaterialUse.CONSUMED,
    MaterialUse.PRODUCED: MaterialUse.UNPRODUCED,
    MaterialUse.UNPRODUCED: MaterialUse.PRODUCED,
    MaterialUse.SCRAPPED: MaterialUse.UNSCRAPPED,
    MaterialUse.UNSCRAPPED: MaterialUse.SCRAPPED,
}


def _opposite_movement(document: MaterialActual, day: date) -> Document:
    return replace(
        document,
        key=f"{document.key}/reversed",
        use=OPPOSITE[document.use],
        posting_date=day,
        reverses=document.key,
    )


def _opposite_entry(document: CostPosting, day: date) -> Document:
    lines = tuple(
        PostingLine(account=line.account, debit=line.credit, credit=line.debit) for line in document.lines
    )
    return replace(
        document,
        key=f"{document.key}/reversed",
        lines=lines,
        posting_date=day,
        reverses=document.key,
    )


def _from_storage(values: Row, names: Names) -> bool:
    return bool(values["from_location"] == names.places["STO"])


def _decimal(sent: float) -> Decimal:
    """Return Tryton's float as the decimal that was meant (its units have few digits)."""
    return Decimal(repr(sent)).quantize(Decimal("0.000001")).normalize()


def _unit(symbol: str) -> str:
    return next((ours for ours, theirs in UNITS.items() if theirs == symbol), symbol)


def _since(cursor: str) -> list[Any]:
    if not cursor:
        return []
    start = datetime.fromisoformat(cursor) - OVERLAP
    return [["OR", ("write_date", ">=", start), ("create_date", ">=", start)]]


def _reached(cursor: str, rows: list[Row]) -> str:
    times: list[datetime | None] = [row["write_date"] or row.get("create_date") for row in rows]
    stamps = [cursor, *(at.isoformat() for at in times if at is not None)]
    return max(stamps)


def _definition(
    row: Row, bom: Row, inputs: list[Row], steps: list[Row], by_id: dict[int, Row]
) -> OperationsDefinition:
    standard = row["attributes"] or {}
    routing = [step for step in steps if step["routing"] == bom["routing"]]
    operations = [_operation(step, standard) for step in routing]
    first = min((one.operation for one in operations), default=0)
    bill: dict[tuple[int, str], BillLine] = {}
    for line in inputs:
        if line["bom"] == bom["bom"]:
            one = _bill_line(line, by_id, first)
            before = bill.get((one.operation, one.material))
            if before is not None and before.uom != one.uom:
                msg = f"component {one.material} is there in two units"
                raise ValueError(msg)
            total = one.quantity + (before.quantity if before else 0)
            bill[one.operation, one.material] = replace(one, quantity=total)
    return OperationsDefinition(
        id=_master_id(row["code"]),
        material=row["code"],
        operations=tuple(operations),
        bill=tuple(bill.values()),
        erp_ref=f"production.bom,{bom['bom']}",
    )


def _bill_line(line: Row, by_id: dict[int, Row], first: int) -> BillLine:
    if line["product"] not in by_id:
        msg = f"component product.product,{line['product']} has no code, or is no goods"
        raise LookupError(msg)
    component = by_id[line["product"]]
    return BillLine(
        operation=int((component["attributes"] or {}).get("operation", first)),
        material=component["code"],
        quantity=_decimal(line["quantity"]),
        uom=_unit(line["unit."]["symbol"]),
    )


def _master_id(code: str) -> str:
    return f"WM-{code}"


def _move_ref(row: Row) -> str:
    return f"stock.move,{row['id']}"


def _machine_rate(row: Row) -> tuple[tuple[str, str], Decimal]:
    return ("machine", row["category."]["name"]), _money(row["cost_price"], "cost price")


def _labour_rate(row: Row) -> tuple[tuple[str, str], Decimal]:
    standard = row["attributes"]
    return ("labour", standard["labour_class"]), _money(standard.get("labour_rate"), "attribute labour_rate")


def _money(sent: Decimal | None, what: str) -> Decimal:
    if sent is None:
        msg = f"no {what}"
        raise LookupError(msg)
    return sent


def _operation(step: Row, standard: Row) -> OperationDefinition:
    number, _, name = step["operation."]["name"].partition(" ")
    if not number.isdecimal():
        msg = f"operation {step['operation.']['name']!r} does not begin with its number"
        raise ValueError(msg)
    operation = int(number)
    return OperationDefinition(
        operation=operation,
        name=name,
        work_center=step["operation."]["work_center_category."]["name"],
        setup_s=Decimal(standard.get("setup_s", 0) if operation == 10 else 0),
        run_s=Decimal(standard.get(f"run_s_{operation}", 0)),
        labour_class=standard.get("labour_class", ""),
    )


def _stock_line(row: Row) -> StockLine:
    leaving = row["from_location."]["type"] != "production"
    owner = row.get("production_input.") or row.get("production_output.") or {}
    quantity = _decimal(row["quantity"]) if row["state"] == "done" else Decimal(0)
    return StockLine(
        id=row["id"],
        ref=f"stock.move,{row['id']}",
        work_order=owner.get("reference") or "",
        material=row["product."]["code"] or f"product.product,{row['product.']['id']}",
        lot=(row.get("lot.") or {}).get("number") or "",
        quantity=-quantity if leaving else quantity,
    )
