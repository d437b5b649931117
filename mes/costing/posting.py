"""Which entry an event leads to: its standards are looked up, `standard` does the arithmetic."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from mes.costing import standard as std
from mes.costing import store
from mes.costing.model import (
    ZERO,
    CostEntry,
    CostStandard,
    CostStandardMissing,
    EntryKind,
    Lines,
    OrderActuals,
    Place,
    StandardInput,
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
from mes.inventory.events import LotCounted, LotReceived, LotScrapped
from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, MaterialId, uuid7
from mes.kernel.outbox import Event, StoredEvent
from mes.kernel.quantity import Money, Quantity
from mes.workorders.events import WorkOrderCancelled, WorkOrderClosed


@dataclass(slots=True)
class Standards:
    """Prices and rates as one transaction has looked them up; those of a past moment stay."""

    tx: Tx
    orders: dict[str, store.OrderRow] = field(default_factory=dict)
    prices: dict[tuple[MaterialId, datetime], Money] = field(default_factory=dict)
    rates: dict[tuple[str, str, datetime], Money] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)

    async def order(self, work_order: str) -> store.OrderRow:
        """Return a work order; its good and scrap are those of the first look.

        Raises:
            CostStandardMissing: There is no such order.
        """
        if work_order not in self.orders:
            found = await store.order_of(self.tx, work_order)
            if found is None:
                raise CostStandardMissing(work_order=work_order)
            self.orders[work_order] = found
        return self.orders[work_order]

    async def price_at(self, material: MaterialId, *moments: datetime) -> Money:
        """Return a material's standard price at the first of the moments that has one.

        Raises:
            StandardPriceMissing: None has.
        """
        for moment in moments:
            if (material, moment) not in self.prices:
                found = await definitions.standard_prices(self.tx, [material], moment)
                if material not in found:
                    continue
                price = Money(found[material].price, found[material].currency)
                self.prices[material, moment] = price
            return self.prices[material, moment]
        raise StandardPriceMissing(material=material)

    async def price(self, material: MaterialId, work_order: str, at: datetime) -> Money:
        """Return the price of the day of the order's release; a later one for a substitute."""
        order = await self.order(work_order)
        return await self.price_at(material, order.standards_at, at)

    async def rate(self, kind: str, code: str, work_order: str) -> Money:
        """Return the standard rate per hour of the day of the order's release.

        Raises:
            RateMissing: There was none.
        """
        at = (await self.order(work_order)).standards_at
        if (kind, code, at) not in self.rates:
            self.rates[kind, code, at] = await definitions.rate(self.tx, kind, code, at)
        return self.rates[kind, code, at]

    async def is_closed(self, work_order: str) -> bool:
        """Say whether the order's variances were settled."""
        if work_order not in self.closed | self.open:
            settled = await store.is_closed(self.tx, work_order)
            (self.closed if settled else self.open).add(work_order)
        return work_order in self.closed

    def note_closed(self, work_order: str) -> None:
        """Remember that the order's variances were settled just now."""
        self.open.discard(work_order)
        self.closed.add(work_order)


async def entry_of(standards: Standards, stored: StoredEvent) -> CostEntry | None:
    """Return the entry that an event leads to, None when it costs and earns nothing.

    It only reads, so a refusal leaves nothing behind.

    Raises:
        PlantError: A standard is missing.
    """
    event = stored.event
    return await _HANDLERS[type(event)](standards, stored, event)


async def cost_standard(standards: Standards, work_order: str) -> CostStandard:
    """Return the standards of an order: prices, quantities and rates of the day of its release.

    Raises:
        CostStandardMissing: There is no such order.
        StandardPriceMissing: The product or a component had no price.
        RateMissing: A labour class or work centre had no rate.
    """
    order = await standards.order(work_order)
    bill = await definitions.bill(standards.tx, order.work_master, order.work_master_version)
    times = await definitions.standard_times(standards.tx, order.work_master, order.work_master_version)
    units = {part.material: part.uom for part in bill}
    cost = await standards.price_at(order.material, order.standards_at)
    materials = {}
    for code, quantity in _sums((part.material, part.quantity) for part in bill).items():
        material = MaterialId(code)
        price = await standards.price_at(material, order.standards_at)
        materials[material] = StandardInput(quantity, price.amount, units[material])
    labour = _sums((time.labour_class, time.labour_h) for time in times)
    machine = _sums((time.work_center, time.machine_h) for time in times)
    return CostStandard(
        material=order.material,
        uom=order.uom,
        currency=cost.currency,
        unit_cost=cost.amount,
        materials=materials,
        labour={
            code: StandardInput(hours, (await standards.rate("labour", code, work_order)).amount, "h")
            for code, hours in labour.items()
        },
        machine={
            EquipmentId(code): StandardInput(
                hours, (await standards.rate("machine", code, work_order)).amount, "h"
            )
            for code, hours in machine.items()
        },
    )


def _sums(parts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for code, amount in parts:
        sums[code] = sums.get(code, ZERO) + amount
    return sums


async def _consumed(standards: Standards, stored: StoredEvent, event: MaterialConsumed) -> CostEntry:
    price = await standards.price(event.material, event.work_order, stored.at)
    quantity = Quantity(event.quantity, event.uom)
    lines = std.issue(event.material, quantity, price, _place(event), event.lot)
    return _entry(stored, event, EntryKind.CONSUMPTION, lines, subject=event.actual)


async def _returned(standards: Standards, stored: StoredEvent, event: MaterialReturned) -> CostEntry:
    price = await standards.price(event.material, event.work_order, stored.at)
    quantity = Quantity(-event.quantity, event.uom)
    lines = std.issue(event.material, quantity, price, _place(event), event.lot)
    reverses = await _reversed_entry(standards.tx, event.reverses)
    return _entry(stored, event, EntryKind.RETURN, lines, subject=event.actual, reverses=reverses)


async def _worked(standards: Standards, stored: StoredEvent, event: LabourBooked) -> CostEntry | None:
    rate = await standards.rate("labour", event.rate_class, event.work_order)
    lines = std.labour(event.hours, rate, _place(event))
    return _entry(stored, event, EntryKind.LABOUR, lines) if lines else None


async def _ran(standards: Standards, stored: StoredEvent, event: MachineTimeBooked) -> CostEntry | None:
    rate = await standards.rate("machine", event.work_center, event.work_order)
    lines = std.machine(event.hours, rate, _place(event))
    return _entry(stored, event, EntryKind.MACHINE, lines) if lines else None


async def _good(standards: Standards, stored: StoredEvent, event: GoodReported) -> CostEntry | None:
    if not event.last:
        return None
    cost = await standards.price(event.material, event.work_order, stored.at)
    good, parts = Quantity(event.quantity, event.uom), len(event.serials) or 1
    lines = std.complete(event.material, good, cost, _place(event), parts)
    return _entry(stored, event, EntryKind.COMPLETION, lines, subject=event.report)


async def _scrapped(standards: Standards, stored: StoredEvent, event: ScrapReported) -> CostEntry:
    cost = await standards.price(event.material, event.work_order, stored.at)
    lines = std.scrap(event.material, Quantity(event.quantity, event.uom), cost, _place(event))
    return _entry(stored, event, EntryKind.SCRAP, lines, subject=event.report)


async def _undone(standards: Standards, stored: StoredEvent, event: ReportReversed) -> CostEntry | None:
    cost = await standards.price(event.material, event.work_order, stored.at)
    place = _place(event)
    lines: Lines = ()
    if event.last and event.good:
        good, parts = Quantity(-event.good, event.uom), len(event.serials) or 1
        lines += std.complete(event.material, good, cost, place, parts)
    if event.scrap:
        lines += std.scrap(event.material, Quantity(-event.scrap, event.uom), cost, place)
    if not lines:
        return None
    reverses = await _reversed_entry(standards.tx, event.reverses)
    return _entry(stored, event, EntryKind.REVERSAL, lines, subject=event.report, reverses=reverses)


async def _received(standards: Standards, stored: StoredEvent, event: LotReceived) -> CostEntry:
    price = await standards.price_at(event.material, stored.at)
    paid = Money(event.price, price.currency) if event.price else None
    quantity = Quantity(event.quantity, event.uom)
    lines = std.receive(event.material, quantity, price, paid, event.lot)
    return _entry(stored, event, EntryKind.RECEIPT, lines)


async def _lot_scrapped(standards: Standards, stored: StoredEvent, event: LotScrapped) -> CostEntry:
    price = await standards.price_at(event.material, stored.at)
    lines = std.scrap_lot(event.material, Quantity(event.quantity, event.uom), price, event.lot)
    return _entry(stored, event, EntryKind.LOT_SCRAP, lines)


async def _counted(standards: Standards, stored: StoredEvent, event: LotCounted) -> CostEntry | None:
    price = await standards.price_at(event.material, stored.at)
    lines = std.count(event.material, Quantity(event.quantity, event.uom), price, event.lot)
    return _entry(stored, event, EntryKind.COUNT, lines) if lines else None


async def _closed(
    standards: Standards, stored: StoredEvent, event: WorkOrderClosed | WorkOrderCancelled
) -> CostEntry | None:
    actuals = await _actuals(standards.tx, event.work_order)
    never_touched = not (actuals.residual or actuals.pieces)
    if never_touched or await standards.is_closed(event.work_order):
        return None
    lines = std.close(await cost_standard(standards, event.work_order), actuals)
    return _entry(stored, event, EntryKind.CLOSE, lines)


async def _actuals(tx: Tx, work_order: str) -> OrderActuals:
    order = await store.order_of(tx, work_order)
    if order is None:
        raise CostStandardMissing(work_order=work_order)
    spent = await store.spent(tx, work_order)
    issued = {EntryKind.CONSUMPTION, EntryKind.RETURN}
    materials = _sums(
        (row.material, row.amount) for row in spent if row.kind in issued and row.material is not None
    )
    return OrderActuals(
        materials={MaterialId(code): amount for code, amount in materials.items()},
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
    LotCounted: _counted,
    WorkOrderClosed: _closed,
    WorkOrderCancelled: _closed,
}

TYPES = tuple(cls.__name__ for cls in _HANDLERS)
"""Names of the events that cost or earn something."""


async def _reversed_entry(tx: Tx, subject: UUID) -> UUID | None:
    """Return the entry that a reversal undoes, where it is one entry."""
    found = await store.entries_of_subject(tx, subject)
    return found[0].entry if len(found) == 1 else None


def _place(event: JobEvent) -> Place:
    return Place(work_center=event.work_center, cost_center=event.cost_center)


def _entry(
    stored: StoredEvent,
    event: Event,
    kind: EntryKind,
    lines: Lines,
    *,
    subject: UUID | None = None,
    reverses: UUID | None = None,
) -> CostEntry:
    return CostEntry(
        entry=uuid7(),
        kind=kind,
        work_order=getattr(event, "work_order", None),
        cause_event=stored.event_id,
        at=stored.at,
        lines=lines,
        scope=event.scope,
        subject=subject,
        reverses=reverses,
        simulated=stored.simulated,
    )
