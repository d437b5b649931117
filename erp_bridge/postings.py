"""Which documents the ERP gets for an event: one pure table.

Of the cost entries only that part goes out that the ERP does not post by itself, as its
capability sheet says: booking it again would double it, leaving it out would lose it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from erp_bridge.adapter import Capabilities, Movement, Period, posting_day
from erp_bridge.documents import (
    CostPosting,
    Document,
    MaterialActual,
    MaterialUse,
    OperationsRequestAccepted,
    OperationsRequestCancelled,
    OperationsRequestClosed,
    OperationsRequestReleased,
    PostingLine,
    PromiseChanged,
    SegmentResponse,
)
from mes.costing.events import CostBooked
from mes.dispatching.events import PromiseGiven
from mes.execution.events import (
    GoodReported,
    MachineTimeBooked,
    MaterialConsumed,
    MaterialReturned,
    ReportReversed,
    ScrapReported,
)
from mes.inventory.events import LotScrapped
from mes.kernel.outbox import Event, StoredEvent
from mes.kernel.quantity import round_money
from mes.workorders.events import WorkOrderCancelled, WorkOrderClosed, WorkOrderReceived, WorkOrderReleased

BY_THE_ERP = "erp_cancelled"
"""Reason of an order that the ERP took back: it knows."""
STOCK_ACCOUNTS = ("raw_material", "finished_goods")


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the table needs to know beside the event.

    Args:
        periods: Of the ERP's books.
        today: The site's day.
        zone: Turns a time into the site's time.
        page: Address of the live pages, such as `http://127.0.0.1:8080/o`.
    """

    sheet: Capabilities
    periods: Sequence[Period]
    today: date
    zone: Callable[[datetime], datetime]
    page: str


@dataclass(frozen=True, slots=True)
class Head:
    """What every document of one event has."""

    event_id: UUID
    at: datetime
    books: Books

    def fields(self, lane: str, part: str = "", subject: UUID | None = None) -> dict[str, Any]:
        """Return the common fields of a document; one event makes one of each part about a subject."""
        suffix = f"/{part}" if part else ""
        day = posting_day(self.books.zone(self.at), self.books.today, self.books.periods)
        return {
            "key": f"{subject or self.event_id}{suffix}",
            "lane": lane,
            "subject": str(subject or self.event_id),
            "event_time": self.at,
            "posting_date": day,
        }


class Line(Protocol):
    """A line of a cost entry."""

    @property
    def account(self) -> str:
        """Canonical account."""
        ...

    @property
    def debit(self) -> Decimal:
        """Debit, or 0."""
        ...

    @property
    def credit(self) -> Decimal:
        """Credit, or 0."""
        ...


def documents_of(stored: StoredEvent, books: Books) -> list[Document]:
    """Return what the ERP gets for `stored`; nothing for simulated history."""
    if stored.simulated or stored.type not in POSTINGS:
        return []
    head = Head(stored.event_id, stored.at, books)
    return POSTINGS[stored.type](stored.event, head)


def order_lane(work_order: str) -> str:
    """Return the lane of a work order."""
    return f"WO:{work_order}"


def _received(event: WorkOrderReceived, head: Head) -> list[Document]:
    fields = head.fields(order_lane(event.work_order))
    url = f"{head.books.page}/{event.work_order}"
    return [OperationsRequestAccepted(**fields, work_order=event.work_order, erp_ref=event.erp_ref, url=url)]


def _released(event: WorkOrderReleased, head: Head) -> list[Document]:
    fields = head.fields(order_lane(event.work_order))
    return [OperationsRequestReleased(**fields, work_order=event.work_order)]


def _closed(event: WorkOrderClosed, head: Head) -> list[Document]:
    fields = head.fields(order_lane(event.work_order))
    return [OperationsRequestClosed(**fields, work_order=event.work_order)]


def _cancelled(event: WorkOrderCancelled, head: Head) -> list[Document]:
    if event.reason == BY_THE_ERP:
        return []
    fields = head.fields(order_lane(event.work_order))
    return [OperationsRequestCancelled(**fields, work_order=event.work_order)]


def _consumed(event: MaterialConsumed | MaterialReturned, head: Head) -> list[Document]:
    returned = isinstance(event, MaterialReturned)
    return [
        MaterialActual(
            **head.fields(order_lane(event.work_order)),
            work_order=event.work_order,
            use=MaterialUse.RETURNED if returned else MaterialUse.CONSUMED,
            material=event.material,
            lot=event.lot,
            quantity=event.quantity,
            uom=event.uom,
        )
    ]


def _pieces(
    event: GoodReported | ScrapReported | ReportReversed,
    head: Head,
    use: MaterialUse,
    quantity: Decimal,
) -> Document:
    return MaterialActual(
        **head.fields(order_lane(event.work_order), use.value.lower()),
        work_order=event.work_order,
        use=use,
        material=event.material,
        quantity=quantity,
        uom=event.uom,
        serials=tuple(str(serial) for serial in event.serials),
    )


def _good(event: GoodReported, head: Head) -> list[Document]:
    if not event.last:
        return []
    return [_pieces(event, head, MaterialUse.PRODUCED, event.quantity)]


def _scrap(event: ScrapReported, head: Head) -> list[Document]:
    return [_pieces(event, head, MaterialUse.SCRAPPED, event.quantity)]


def _reversed(event: ReportReversed, head: Head) -> list[Document]:
    found: list[Document] = []
    if event.last and event.good:
        found.append(_pieces(event, head, MaterialUse.UNPRODUCED, event.good))
    if event.scrap:
        found.append(_pieces(event, head, MaterialUse.UNSCRAPPED, event.scrap))
    return found


def _machine_time(event: MachineTimeBooked, head: Head) -> list[Document]:
    return [
        SegmentResponse(
            **head.fields(order_lane(event.work_order)),
            work_order=event.work_order,
            operation=event.operation,
            work_center=event.work_center,
            hours=event.hours,
        )
    ]


def _lot_scrapped(event: LotScrapped, head: Head) -> list[Document]:
    return [
        MaterialActual(
            **head.fields(f"LOT:{event.lot}"),
            use=MaterialUse.LOT_SCRAPPED,
            material=event.material,
            lot=event.lot,
            quantity=event.quantity,
            uom=event.uom,
        )
    ]


def _promised(event: PromiseGiven, head: Head) -> list[Document]:
    if not event.customer_order:
        return []
    return [
        PromiseChanged(
            **head.fields(f"SO:{event.customer_order}"),
            work_order=event.work_order,
            customer_order=event.customer_order,
            promised_at=event.promised_at,
        )
    ]


def _cost(event: CostBooked, head: Head) -> list[Document]:
    rest = residual(event.lines, head.books.sheet, event.lines[0].currency)
    if not rest:
        return []
    lot = next((line.lot for line in event.lines if line.lot), None)
    lane = order_lane(event.work_order) if event.work_order else f"LOT:{lot or '-'}"
    centers = sorted({line.work_center for line in event.lines if line.work_center})
    return [
        CostPosting(
            **head.fields(lane, "cost", event.cause_event),
            work_order=event.work_order,
            text=" ".join([str(event.kind).replace("_", " "), *centers]),
            currency=event.lines[0].currency,
            lines=rest,
        )
    ]


def residual(lines: Iterable[Line], sheet: Capabilities, currency: str) -> tuple[PostingLine, ...]:
    """Return what is left of an entry when the ERP has posted its own part."""
    net: dict[str, Decimal] = {}
    for line in lines:
        net[str(line.account)] = net.get(str(line.account), Decimal(0)) + line.debit - line.credit
    movement = movement_of(net)
    if movement is not None and movement in sheet.posts:
        posting = sheet.posts[movement]
        amount = max(abs(net.get(account, Decimal(0))) for account in STOCK_ACCOUNTS)
        net[posting.debit] = net.get(posting.debit, Decimal(0)) - amount
        net[posting.credit] = net.get(posting.credit, Decimal(0)) + amount
    return _lines(net.items(), currency)


def _lines(net: Iterable[tuple[str, Decimal]], currency: str) -> tuple[PostingLine, ...]:
    exact = ((account, round_money(amount, currency)) for account, amount in net)
    return tuple(
        PostingLine(account=account, debit=max(amount, Decimal(0)), credit=max(-amount, Decimal(0)))
        for account, amount in exact
        if amount
    )


def movement_of(net: Mapping[str, Decimal]) -> Movement | None:
    """Return the movement of stock that an entry values, from its net amount per account."""
    raw, finished = (net.get(account, Decimal(0)) for account in STOCK_ACCOUNTS)
    if raw > 0:
        return Movement.RECEIPT if net.get("gr_ir", Decimal(0)) < 0 else Movement.RETURN
    if raw < 0:
        return Movement.LOT_SCRAP if net.get("scrap_expense", Decimal(0)) > 0 else Movement.ISSUE
    if finished > 0:
        return Movement.COMPLETION
    if finished < 0:
        shipped = net.get("cogs", Decimal(0)) > 0
        return Movement.SHIPMENT if shipped else Movement.COMPLETION_REVERSAL
    return None


def opening(balances: Sequence[tuple[str, Decimal]], currency: str, head: Head) -> Document | None:
    """Return the one entry that brings the simulated history into the books, if there is any."""
    lines = _lines(balances, currency)
    if not lines:
        return None
    fields = {**head.fields("GL"), "key": "opening", "subject": "opening"}
    return CostPosting(**fields, text="Opening balance (demo history)", currency=currency, lines=lines)


Posting = Callable[[Any, Head], list[Document]]

_TABLE: dict[type[Event], Posting] = {
    WorkOrderReceived: _received,
    WorkOrderReleased: _released,
    WorkOrderClosed: _closed,
    WorkOrderCancelled: _cancelled,
    MaterialConsumed: _consumed,
    MaterialReturned: _consumed,
    GoodReported: _good,
    ScrapReported: _scrap,
    ReportReversed: _reversed,
    MachineTimeBooked: _machine_time,
    LotScrapped: _lot_scrapped,
    PromiseGiven: _promised,
    CostBooked: _cost,
}

POSTINGS: dict[str, Posting] = {kind.__name__: posting for kind, posting in _TABLE.items()}
"""Event name -> its documents. A new kind of report that the ERP must know of gets a line here."""
