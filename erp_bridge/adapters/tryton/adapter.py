"""One Tryton database as the bridge sees it: the verbs of the port, each to its room."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date
from time import monotonic
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from erp_bridge.adapter import (
    Absent,
    Applied,
    Capabilities,
    Connection,
    ErpLoginRefused,
    ErpReadRefused,
    ErpUnavailable,
    Found,
    Health,
    Held,
    NameMapping,
    Outcome,
    OutcomeUnknown,
    Page,
    Period,
    Probe,
    Rejected,
    Remark,
    Snapshot,
    SnapshotKind,
    Stream,
)
from erp_bridge.adapters.tryton.answers import rejection, unanswered
from erp_bridge.adapters.tryton.chart import ACCOUNTS, SHEET, UNITS
from erp_bridge.adapters.tryton.cycles import Cycles
from erp_bridge.adapters.tryton.entries import Entries
from erp_bridge.adapters.tryton.ledger import Ledger
from erp_bridge.adapters.tryton.masters import Masters
from erp_bridge.adapters.tryton.movements import Movements
from erp_bridge.adapters.tryton.names import Missing, Names
from erp_bridge.adapters.tryton.orders import Orders
from erp_bridge.adapters.tryton.productions import Productions
from erp_bridge.adapters.tryton.promises import Promises
from erp_bridge.adapters.tryton.receipts import Receipts
from erp_bridge.adapters.tryton.rpc import Busy, Refused, Rpc
from erp_bridge.documents import (
    CostPosting,
    Document,
    MaterialActual,
    OperationsRequestAccepted,
    OperationsRequestCancelled,
    OperationsRequestClosed,
    OperationsRequestReleased,
    PromiseChanged,
    SegmentResponse,
)
from erp_bridge.reversals import opposite

Booking = Callable[[Sequence[Any]], Awaitable[Sequence[Outcome]]]
"""Books documents of one noun."""


class TrytonAdapter:
    """One Tryton database over JSON-RPC.

    Args:
        connection: Where it is, and the plant's currency and time zone.
        rpc: A session that is there already.
    """

    name: ClassVar[str] = "tryton"

    def __init__(self, connection: Connection, rpc: Rpc | None = None) -> None:
        rpc = rpc or Rpc(connection)
        names = Names(rpc, connection.currency)
        zone = ZoneInfo(connection.site_tz)
        self._rpc = rpc
        self._names = names
        self._movements = Movements(rpc, names)
        self._entries = Entries(rpc, names)
        self._cycles = Cycles(rpc, names)
        self._ledger = Ledger(rpc, names)
        productions = Productions(rpc, names, self._cycles)
        self._bookings: dict[type[Any], Booking] = {
            OperationsRequestAccepted: productions.accept,
            OperationsRequestReleased: productions.release,
            OperationsRequestClosed: productions.close,
            OperationsRequestCancelled: productions.cancel,
            MaterialActual: self._movements.book,
            SegmentResponse: self._cycles.book,
            CostPosting: self._entries.book,
            PromiseChanged: Promises(rpc, zone).book,
        }
        masters = Masters(rpc, connection.currency, zone)
        receipts = Receipts(rpc, connection.currency, zone)
        orders = Orders(rpc, zone)
        self._pullers: dict[Stream, Callable[[str, int], Awaitable[Page]]] = {
            Stream.MATERIALS: masters.pull_materials,
            Stream.RATES: masters.pull_rates,
            Stream.PEOPLE: masters.pull_people,
            Stream.LOTS: receipts.pull_lots,
            Stream.PURCHASES: receipts.pull_purchases,
            Stream.ORDERS: orders.pull_orders,
            Stream.SALES: orders.pull_sales,
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
        book = self._bookings[type(documents[0])]
        try:
            await self._names.fresh()
            return await book(documents)
        except (Refused, Missing) as refused:
            if len(documents) == 1:
                self._names.stale()
                return [rejection(refused)]
            return await self._apply_each(documents)
        except (Busy, ErpUnavailable, ErpLoginRefused, OutcomeUnknown) as error:
            return [unanswered(error)] * len(documents)

    async def _apply_each(self, documents: Sequence[Document]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        stopped: set[str] = set()
        for document in documents:
            outcome = Held() if document.lane in stopped else (await self.apply([document]))[0]
            if not isinstance(outcome, Applied):
                stopped.add(document.lane)
            outcomes.append(outcome)
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
        except Missing:
            return ()
        except (Busy, OutcomeUnknown, Refused) as error:
            raise ErpUnavailable(detail=str(error)) from error

    async def _look_for(self, document: Document, taken: Collection[str]) -> tuple[str, ...]:
        match document:
            case MaterialActual():
                return await self._movements.find(document, taken)
            case CostPosting():
                return await self._entries.find(document)
            case SegmentResponse():
                return await self._cycles.find(document, taken)
        return ()

    async def pull(self, stream: Stream, cursor: str, limit: int = 200) -> Page:
        """Return what changed in `stream`."""
        try:
            await self._names.fresh()
            return await self._pullers[stream](cursor, limit)
        except Refused as refused:
            raise ErpReadRefused(detail=str(refused)) from refused

    async def snapshot(self, kind: SnapshotKind, cursor: str = "") -> Snapshot:
        """Return new lines of the ledger, or changed movements of stock."""
        try:
            await self._names.fresh()
            if kind is SnapshotKind.LEDGER:
                return await self._ledger.lines(cursor)
            return await self._ledger.movements(cursor)
        except Refused as refused:
            raise ErpReadRefused(detail=str(refused)) from refused
