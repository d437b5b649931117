"""Book one balanced entry for each event that costs or earns something, once and in order."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from mes.costing import standard as std
from mes.costing import store
from mes.costing.events import BookedLine, CostBooked
from mes.costing.model import (
    ZERO,
    Balance,
    CostEntry,
    CostStandard,
    CostStandardMissing,
    EntryKind,
    Lines,
    OrderActuals,
    Place,
    StandardInput,
    balanced,
)
from mes.definitions import service as definitions
from mes.definitions.model import StandardPriceMissing
from mes.execution.events import (
    GoodReported,
    JobEvent,
    LabourBooked,
    MachineTimeBooked,
    MaterialConsumed,
    MaterialReturned,
    ReportReversed,
    ScrapReported,
)
from mes.inventory.events import LotReceived, LotScrapped
from mes.kernel import outbox
from mes.kernel.db import Cause, Tx
from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, MaterialId, uuid7
from mes.kernel.log import get_logger
from mes.kernel.outbox import Event, StoredEvent
from mes.kernel.quantity import Money, Quantity
from mes.workorders.events import WorkOrderCancelled, WorkOrderClosed

log = get_logger(__name__)

CONSUMER = "costing"
ACTOR = "service:floor"


async def book_events(tx: Tx, limit: int = 200) -> int:
    """Book the next events of the outbox; the cursor moves in the same transaction.

    An event that cannot be costed, such as for a missing price, is set aside and tried again.

    Args:
        limit: At most so many events in this transaction.

    Returns:
        How many events were looked at.
    """
    events = await outbox.consume(tx, CONSUMER, TYPES, limit)
    for event in events:
        await _book_or_wait(tx, event)
    return len(events)


async def book_waiting(tx: Tx) -> int:
    """Try the events again that wait for their price; return how many could be booked."""
    booked = 0
    waiting = await store.waiting(tx)
    for event in await store.events(tx, [one.event_id for one in waiting]):
        if await _book_or_wait(tx, event):
            await store.stop_waiting(tx, event.event_id)
            booked += 1
    return booked


async def waiting(tx: Tx) -> list[store.Waiting]:
    """Return the events that could not be costed, and why."""
    return await store.waiting(tx)


async def balances(tx: Tx, work_order: str | None = None, *, simulated: bool = False) -> list[Balance]:
    """Return the sum of every account.

    Args:
        work_order: Of one order; of the whole site when None.
        simulated: Of the whole site: the demo's booked history instead of what really happened.
    """
    return await store.balances(tx, work_order, simulated=simulated)


async def entries(tx: Tx, work_order: str) -> list[CostEntry]:
    """Return an order's entries with their lines, in the order of booking."""
    return await store.entries_of_order(tx, work_order)


async def entry_of_event(tx: Tx, event: UUID) -> CostEntry | None:
    """Return the entry that an event led to."""
    return await store.entry_of_event(tx, event)


async def cost_standard(tx: Tx, work_order: str) -> CostStandard:
    """Return the standards of an order: prices, quantities and rates of the day of its release.

    Raises:
        CostStandardMissing: There is no such order.
        StandardPriceMissing: The product or a component had no price.
        RateMissing: A labour class or work centre had no rate.
    """
    order = await _order(tx, work_order)
    bill = await definitions.bill(tx, order.work_master, order.work_master_version)
    times = await definitions.standard_times(tx, order.work_master, order.work_master_version)
    needed = {MaterialId(code): sum_ for code, sum_ in _sums((part.material, part.quantity) for part in bill)}
    cost = await _price(tx, order.material, order)
    prices = {material: await _price(tx, material, order) for material in needed}
    units = {part.material: part.uom for part in bill}
    return CostStandard(
        material=order.material,
        uom=order.uom,
        currency=cost.currency,
        unit_cost=cost.amount,
        materials={
            material: StandardInput(quantity, prices[material].amount, units[material])
            for material, quantity in needed.items()
        },
        labour={
            code: await _work(tx, "labour", code, hours, order)
            for code, hours in _sums((time.labour_class, time.labour_h) for time in times)
        },
        machine={
            EquipmentId(code): await _work(tx, "machine", code, hours, order)
            for code, hours in _sums((time.work_center, time.machine_h) for time in times)
        },
    )


async def _work(tx: Tx, kind: str, code: str, hours: Decimal, order: store.OrderRow) -> StandardInput:
    rate = await definitions.rate(tx, kind, code, order.standards_at)
    return StandardInput(hours, rate.amount, "h")


def _sums(parts: Iterable[tuple[str, Decimal]]) -> list[tuple[str, Decimal]]:
    sums: dict[str, Decimal] = {}
    for code, amount in parts:
        sums[code] = sums.get(code, ZERO) + amount
    return list(sums.items())


async def _book_or_wait(tx: Tx, stored: StoredEvent) -> bool:
    cause = Cause(actor=ACTOR, at=stored.at, causation=stored.event_id, simulated=stored.simulated)
    try:
        async with tx.savepoint():
            await _book(tx.under(cause), stored)
    except PlantError as refusal:
        if refusal.retryable:
            raise
        log.warning("cost.waits", event_id=str(stored.event_id), type=stored.type, reason=str(refusal))
        await store.wait_for_price(tx, stored.event_id, f"{refusal.code}: {refusal.message}")
        return False
    return True


async def _book(tx: Tx, stored: StoredEvent) -> None:
    event = stored.event
    entry = await _HANDLERS[type(event)](tx, stored, event)
    if entry is None:
        return
    if entry.work_order is not None and entry.kind is not EntryKind.CLOSE:
        entry = await _settled(tx, entry)
    if await store.insert_entry(tx, entry) and entry.lines:
        await outbox.append(tx, _booked(tx, entry))


async def _settled(tx: Tx, entry: CostEntry) -> CostEntry:
    """Keep the WIP of an order that is closed at 0.00 when something comes late."""
    if not entry.lines or not await store.is_closed(tx, entry.work_order or ""):
        return entry
    late = std.settle_late(entry.lines, entry.lines[0].currency)
    return replace(entry, lines=balanced((*entry.lines, *late)))


async def _consumed(tx: Tx, stored: StoredEvent, event: MaterialConsumed) -> CostEntry:
    price = await _price(tx, event.material, await _order(tx, event.work_order))
    quantity = Quantity(event.quantity, event.uom)
    lines = std.issue(event.material, quantity, price, _place(event), event.lot)
    return _of_job(stored, event, EntryKind.CONSUMPTION, lines, subject=event.actual)


async def _returned(tx: Tx, stored: StoredEvent, event: MaterialReturned) -> CostEntry:
    price = await _price(tx, event.material, await _order(tx, event.work_order))
    quantity = Quantity(-event.quantity, event.uom)
    lines = std.issue(event.material, quantity, price, _place(event), event.lot)
    reverses = await _reversed_entry(tx, event.reverses)
    return _of_job(stored, event, EntryKind.RETURN, lines, subject=event.actual, reverses=reverses)


async def _worked(tx: Tx, stored: StoredEvent, event: LabourBooked) -> CostEntry | None:
    order = await _order(tx, event.work_order)
    rate = await definitions.rate(tx, "labour", event.rate_class, order.standards_at)
    lines = std.labour(event.hours, rate, _place(event))
    return _of_job(stored, event, EntryKind.LABOUR, lines) if lines else None


async def _ran(tx: Tx, stored: StoredEvent, event: MachineTimeBooked) -> CostEntry | None:
    order = await _order(tx, event.work_order)
    rate = await definitions.rate(tx, "machine", event.work_center, order.standards_at)
    lines = std.machine(event.hours, rate, _place(event))
    return _of_job(stored, event, EntryKind.MACHINE, lines) if lines else None


async def _good(tx: Tx, stored: StoredEvent, event: GoodReported) -> CostEntry | None:
    if not event.last:
        return None
    cost = await _price(tx, event.material, await _order(tx, event.work_order))
    lines = std.complete(event.material, Quantity(event.quantity, event.uom), cost, _place(event))
    return _of_job(stored, event, EntryKind.COMPLETION, lines, subject=event.report)


async def _scrapped(tx: Tx, stored: StoredEvent, event: ScrapReported) -> CostEntry:
    cost = await _price(tx, event.material, await _order(tx, event.work_order))
    lines = std.scrap(event.material, Quantity(event.quantity, event.uom), cost, _place(event))
    return _of_job(stored, event, EntryKind.SCRAP, lines, subject=event.report)


async def _undone(tx: Tx, stored: StoredEvent, event: ReportReversed) -> CostEntry | None:
    cost = await _price(tx, event.material, await _order(tx, event.work_order))
    place = _place(event)
    lines: Lines = ()
    if event.last and event.good:
        lines += std.complete(event.material, Quantity(-event.good, event.uom), cost, place)
    if event.scrap:
        lines += std.scrap(event.material, Quantity(-event.scrap, event.uom), cost, place)
    reverses = await _reversed_entry(tx, event.reverses)
    kind = EntryKind.REVERSAL
    return _of_job(stored, event, kind, lines, subject=event.report, reverses=reverses) if lines else None


async def _received(tx: Tx, stored: StoredEvent, event: LotReceived) -> CostEntry:
    price = await _price_at(tx, event.material, stored)
    paid = Money(event.price, price.currency) if event.price else None
    quantity = Quantity(event.quantity, event.uom)
    lines = std.receive(event.material, quantity, price, paid, event.lot)
    return _of_stock(stored, event, EntryKind.RECEIPT, lines)


async def _lot_scrapped(tx: Tx, stored: StoredEvent, event: LotScrapped) -> CostEntry:
    price = await _price_at(tx, event.material, stored)
    lines = std.scrap_lot(event.material, Quantity(event.quantity, event.uom), price, event.lot)
    return _of_stock(stored, event, EntryKind.LOT_SCRAP, lines)


async def _closed(
    tx: Tx, stored: StoredEvent, event: WorkOrderClosed | WorkOrderCancelled
) -> CostEntry | None:
    actuals = await _actuals(tx, event.work_order)
    if await store.is_closed(tx, event.work_order) or (
        isinstance(event, WorkOrderCancelled) and not actuals.residual and not actuals.pieces
    ):
        return None
    lines = std.close(await cost_standard(tx, event.work_order), actuals)
    return CostEntry(
        entry=uuid7(),
        kind=EntryKind.CLOSE,
        work_order=event.work_order,
        cause_event=stored.event_id,
        at=stored.at,
        lines=lines,
        scope=event.scope,
        simulated=stored.simulated,
    )


async def _actuals(tx: Tx, work_order: str) -> OrderActuals:
    order = await _order(tx, work_order)
    spent = await store.spent(tx, work_order)
    issued = {EntryKind.CONSUMPTION, EntryKind.RETURN}
    materials: dict[MaterialId, Decimal] = {}
    for row in spent:
        if row.kind in issued and row.material is not None:
            materials[row.material] = materials.get(row.material, ZERO) + row.amount
    return OrderActuals(
        materials=materials,
        labour=sum((row.amount for row in spent if row.kind == EntryKind.LABOUR), ZERO),
        machine=sum((row.amount for row in spent if row.kind == EntryKind.MACHINE), ZERO),
        residual=sum((row.amount for row in spent), ZERO),
        pieces=order.good + order.scrap,
    )


_HANDLERS: Mapping[type[Event], Callable[..., Awaitable[CostEntry | None]]] = {
    MaterialConsumed: _consumed,
    MaterialReturned: _returned,
    LabourBooked: _worked,
    MachineTimeBooked: _ran,
    GoodReported: _good,
    ScrapReported: _scrapped,
    ReportReversed: _undone,
    LotReceived: _received,
    LotScrapped: _lot_scrapped,
    WorkOrderClosed: _closed,
    WorkOrderCancelled: _closed,
}

TYPES = tuple(cls.__name__ for cls in _HANDLERS)
"""Names of the events that cost or earn something."""


async def _order(tx: Tx, work_order: str) -> store.OrderRow:
    order = await store.order_of(tx, work_order)
    if order is None:
        raise CostStandardMissing(work_order=work_order)
    return order


async def _price(tx: Tx, material: MaterialId, order: store.OrderRow) -> Money:
    """Return the price of the day of the order's release; a later one for a substitute."""
    found = await definitions.standard_prices(tx, [material], order.standards_at)
    if material not in found:
        found = await definitions.standard_prices(tx, [material], tx.now)
    if material not in found:
        raise StandardPriceMissing(material=material)
    return Money(found[material].price, found[material].currency)


async def _price_at(tx: Tx, material: MaterialId, stored: StoredEvent) -> Money:
    found = await definitions.standard_prices(tx, [material], stored.at)
    if material not in found:
        raise StandardPriceMissing(material=material)
    return Money(found[material].price, found[material].currency)


async def _reversed_entry(tx: Tx, subject: UUID) -> UUID | None:
    """Return the entry that a reversal undoes, where it is one entry."""
    found = await store.entries_of_subject(tx, subject)
    return found[0].entry if len(found) == 1 else None


def _place(event: JobEvent) -> Place:
    return Place(work_center=event.work_center, cost_center=event.cost_center)


def _of_job(
    stored: StoredEvent,
    event: JobEvent,
    kind: EntryKind,
    lines: Lines,
    *,
    subject: UUID | None = None,
    reverses: UUID | None = None,
) -> CostEntry:
    return CostEntry(
        entry=uuid7(),
        kind=kind,
        work_order=event.work_order,
        cause_event=stored.event_id,
        at=stored.at,
        lines=lines,
        scope=event.scope,
        subject=subject,
        reverses=reverses,
        simulated=stored.simulated,
    )


def _of_stock(stored: StoredEvent, event: Event, kind: EntryKind, lines: Lines) -> CostEntry:
    return CostEntry(
        entry=uuid7(),
        kind=kind,
        work_order=None,
        cause_event=stored.event_id,
        at=stored.at,
        lines=lines,
        scope=event.scope,
        simulated=stored.simulated,
    )


def _booked(tx: Tx, entry: CostEntry) -> CostBooked:
    return CostBooked(
        site=tx.site,
        scope=entry.scope,
        entry=entry.entry,
        kind=entry.kind.value,
        cause_event=entry.cause_event,
        work_order=entry.work_order,
        reverses=entry.reverses,
        lines=tuple(
            BookedLine(
                account=line.account.value,
                debit=line.debit,
                credit=line.credit,
                currency=line.currency,
                quantity=line.quantity,
                uom=line.uom,
                work_center=line.work_center,
                cost_center=line.cost_center,
                material=line.material,
                lot=line.lot,
            )
            for line in entry.lines
        ),
    )
