"""An ERP in memory that fails on purpose: the double for tests of everything around it.

It has no idempotency key, like Tryton: a movement sent twice is booked twice. What keeps the
books right must be the bridge.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import ClassVar

from erp_bridge.adapter import (
    Absent,
    Applied,
    Capabilities,
    Connection,
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
    Page,
    Period,
    Probe,
    Rejected,
    Remark,
    Retry,
    Snapshot,
    SnapshotKind,
    StockLine,
    Stream,
    Unknown,
)
from erp_bridge.adapters.tryton import chart
from erp_bridge.documents import (
    CostPosting,
    Document,
    Incoming,
    MaterialActual,
    MaterialUse,
    OperationsRequestAccepted,
    OperationsRequestCancelled,
    OperationsRequestClosed,
    OperationsRequestReleased,
    PromiseChanged,
    SegmentResponse,
)
from erp_bridge.reversals import opposite

SHEET = replace(chart.SHEET, name="Memory", batch=20)
"""It posts as Tryton does."""

POSTED = {
    MaterialUse.CONSUMED: Movement.ISSUE,
    MaterialUse.RETURNED: Movement.RETURN,
    MaterialUse.PRODUCED: Movement.COMPLETION,
    MaterialUse.UNPRODUCED: Movement.COMPLETION_REVERSAL,
    MaterialUse.LOT_SCRAPPED: Movement.LOT_SCRAP,
}
INTO_STOCK = {MaterialUse.RETURNED, MaterialUse.PRODUCED}


@dataclass(slots=True)
class Faults:
    """What goes wrong, and how often (0 to 1).

    Args:
        before: The call fails and nothing is booked.
        after: Everything is booked and the answer is lost.
        away: Nothing is reached at all.
        latency_s: Every call takes so long.
    """

    before: float = 0.0
    after: float = 0.0
    away: bool = False
    latency_s: float = 0.0
    seed: int = 1
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)


@dataclass(frozen=True, slots=True)
class Booked:
    """One movement, cycle or entry as this ERP keeps it."""

    id: int
    document: Document
    content: tuple[object, ...]
    day: date

    @property
    def ref(self) -> str:
        """Name of the record."""
        return f"booked,{self.id}"


@dataclass(slots=True)
class Books:
    """The ERP's own state: it outlives adapters, as a database outlives connections."""

    prices: dict[str, Decimal] = field(default_factory=dict)
    lots: set[tuple[str, str]] = field(default_factory=set)
    least: Decimal = Decimal("0.01")
    """Amount of the books' currency that all others are whole multiples of."""
    periods: list[Period] = field(default_factory=list)
    records: dict[Stream, list[Incoming]] = field(default_factory=dict)
    odd: dict[Stream, tuple[OddRecord, ...]] = field(default_factory=dict)
    """Records that make no sense."""
    barred: set[Stream] = field(default_factory=set)
    """Streams that the bridge may not see."""
    states: dict[str, str] = field(default_factory=dict)
    """Production -> state."""
    orders: dict[str, str] = field(default_factory=dict)
    """Work order -> production."""
    promises: dict[str, str] = field(default_factory=dict)
    booked: list[Booked] = field(default_factory=list)
    ledger: list[LedgerLine] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    calls: int = 0


class Refusal(Exception):
    """The ERP's rules forbid it."""

    def __init__(self, code: Remark, detail: str) -> None:
        self.code = code
        super().__init__(detail)


class MemoryAdapter:
    """A connection to `Books`."""

    name: ClassVar[str] = "memory"

    def __init__(self, books: Books) -> None:
        self.books = books

    async def capabilities(self) -> Capabilities:
        """Return what it posts by itself: as Tryton does."""
        return SHEET

    async def health(self) -> Health:
        """Return whether it is switched on."""
        return Health(reachable=not self.books.faults.away, version="1")

    async def mapping_schema(self) -> Sequence[NameMapping]:
        """Return nothing: names are the same on both sides."""
        return ()

    async def close(self) -> None:
        """Do nothing."""

    async def periods(self) -> Sequence[Period]:
        """Return the periods of the books."""
        await self._reach()
        return tuple(self.books.periods)

    async def pull(self, stream: Stream, cursor: str, limit: int = 200) -> Page:
        """Return the records after the cursor, which is their count."""
        await self._reach()
        if stream in self.books.barred:
            raise ErpReadRefused(detail=f"no right to read {stream}")
        start = int(cursor or 0)
        records = self.books.records.get(stream, [])
        found = records[max(start - 2, 0) : start + limit]
        reached = min(start + limit, len(records))
        odd = self.books.odd.get(stream, ())
        return Page(tuple(found), str(reached), more=reached < len(records), odd=odd, whole=True)

    async def apply(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        """Book documents, unless a fault comes first; afterwards the answer may be lost."""
        faults = self.books.faults
        try:
            await self._reach()
        except ErpUnavailable as error:
            return [Retry(str(error), 0.0)] * len(documents)
        if faults.dice.random() < faults.before:
            return [Retry("fault before commit", 0.0)] * len(documents)
        outcomes = self._book_all(documents)
        if faults.dice.random() < faults.after:
            return [
                outcome if isinstance(outcome, Rejected | Held) else Unknown("answer lost")
                for outcome in outcomes
            ]
        return outcomes

    async def reverse(self, document: Document, ref: Sequence[str], posting_date: date) -> Outcome:
        """Undo a movement or an entry by its opposite."""
        turned = opposite(document, posting_date)
        if turned is None:
            return Rejected(Remark.NOT_REVERSIBLE, f"{document.noun} {' '.join(ref)}")
        return (await self.apply([turned]))[0]

    async def probe(
        self, documents: Sequence[Document], known: Mapping[str, Collection[str]]
    ) -> Sequence[Probe]:
        """Look for what was booked among the records that the ledger does not know."""
        await self._reach()
        taken = {ref for refs in known.values() for ref in refs}
        answers: list[Probe] = []
        for document in documents:
            content = _content(document)
            free = [one for one in self.books.booked if one.content == content and one.ref not in taken]
            if free and isinstance(document, MaterialActual | SegmentResponse | CostPosting):
                taken.add(free[0].ref)
                answers.append(Found((free[0].ref,)))
            else:
                answers.append(Absent())
        return answers

    async def snapshot(self, kind: SnapshotKind, cursor: str = "") -> Snapshot:
        """Return everything, every time."""
        await self._reach()
        if kind is SnapshotKind.LEDGER:
            return Snapshot(cursor=cursor, ledger=tuple(self.books.ledger))
        stock = [
            _stock_line(one, one.document)
            for one in self.books.booked
            if isinstance(one.document, MaterialActual)
        ]
        return Snapshot(cursor=cursor, stock=tuple(stock))

    async def _reach(self) -> None:
        self.books.calls += 1
        await asyncio.sleep(self.books.faults.latency_s)
        if self.books.faults.away:
            raise ErpUnavailable(detail="switched off")

    def _book_all(self, documents: Sequence[Document]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        stopped: set[str] = set()
        for document in documents:
            outcome = Held() if document.lane in stopped else self._book(document)
            if not isinstance(outcome, Applied):
                stopped.add(document.lane)
            outcomes.append(outcome)
        return outcomes

    def _book(self, document: Document) -> Outcome:
        try:
            return Applied(self._booked(document))
        except Refusal as refusal:
            return Rejected(refusal.code, str(refusal))

    def _booked(self, document: Document) -> tuple[str, ...]:
        books = self.books
        match document:
            case OperationsRequestAccepted():
                books.orders[document.work_order or ""] = document.erp_ref
                books.states.setdefault(document.erp_ref, "request")
                return (document.erp_ref,)
            case OperationsRequestReleased():
                return (self._move_on(document, "running"),)
            case OperationsRequestClosed():
                return (self._move_on(document, "done"),)
            case OperationsRequestCancelled():
                return (self._move_on(document, "cancelled"),)
            case PromiseChanged():
                books.promises[document.customer_order] = document.promised_at.isoformat()
                return (document.customer_order,)
            case MaterialActual():
                self._check_movement(document)
            case SegmentResponse():
                self._production(document)
        self._check_period(document)
        one = Booked(len(books.booked) + 1, document, _content(document), document.posting_date)
        books.booked.append(one)
        self._post(one)
        return (one.ref,)

    def _production(self, document: Document) -> str:
        if document.work_order not in self.books.orders:
            raise Refusal(Remark.PRODUCTION_MISSING, document.work_order or "")
        return self.books.orders[document.work_order]

    def _move_on(self, document: Document, state: str) -> str:
        production = self._production(document)
        if self.books.states[production] == "done" and state == "cancelled":
            raise Refusal(Remark.REFUSED, f"{production} is done")
        if self.books.states[production] not in {"done", "cancelled"}:
            self.books.states[production] = state
        return production

    def _check_movement(self, document: MaterialActual) -> None:
        if document.use is not MaterialUse.LOT_SCRAPPED:
            self._production(document)
        if document.material not in self.books.prices:
            raise Refusal(Remark.MATERIAL_MISSING, document.material)
        if document.use is MaterialUse.PRODUCED:
            self.books.lots |= {(document.material, serial) for serial in document.serials}
        if document.lot and (document.material, document.lot) not in self.books.lots:
            raise Refusal(Remark.LOT_MISSING, document.lot)

    def _check_period(self, document: Document) -> None:
        for period in self.books.periods:
            if period.start <= document.posting_date <= period.end and not period.open:
                raise Refusal(Remark.PERIOD_CLOSED, document.posting_date.isoformat())

    def _post(self, one: Booked) -> None:
        match one.document:
            case CostPosting(lines=lines):
                for line in lines:
                    self._line(one, line.account, line.debit - line.credit)
            case MaterialActual() as document if document.use in POSTED:
                posting = SHEET.posts[POSTED[document.use]]
                parts = len(document.serials) or 1
                each = document.quantity / parts * self.books.prices[document.material]
                amount = parts * each.quantize(self.books.least, ROUND_HALF_EVEN)
                self._line(one, posting.debit, amount)
                self._line(one, posting.credit, -amount)

    def _line(self, one: Booked, account: str, amount: Decimal) -> None:
        line = LedgerLine(id=len(self.books.ledger) + 1, account=account, amount=amount, ref=one.ref)
        self.books.ledger.append(line)


def _content(document: Document) -> tuple[object, ...]:
    """What the ERP's record tells of a document; never its key."""
    match document:
        case MaterialActual():
            return (document.work_order, document.use, document.material, document.lot,
                    document.serials, document.quantity)  # fmt: skip
        case SegmentResponse():
            return (document.work_order, document.operation, document.hours)
        case CostPosting():
            return ("entry", document.key)
    return (document.noun, document.work_order)


def _stock_line(one: Booked, document: MaterialActual) -> StockLine:
    inward = document.use in INTO_STOCK or document.use is MaterialUse.SCRAPPED
    return StockLine(
        id=one.id,
        ref=one.ref,
        work_order=document.work_order or "",
        material=document.material,
        lot=document.lot or "",
        quantity=document.quantity if inward else -document.quantity,
    )


def make(connection: Connection) -> MemoryAdapter:  # noqa: ARG001 - there is nothing to connect to
    """Return an empty ERP."""
    return MemoryAdapter(Books())
