"""Book one balanced entry for each event that costs or earns something, once and in order."""

from dataclasses import replace
from uuid import UUID

from mes.costing import posting, store
from mes.costing import standard as std
from mes.costing.events import BookedLine, CostBooked
from mes.costing.model import Balance, CostEntry, CostStandard, EntryKind, balanced
from mes.costing.posting import TYPES, Standards
from mes.kernel import outbox
from mes.kernel.db import Cause, Tx
from mes.kernel.errors import PlantError
from mes.kernel.log import get_logger
from mes.kernel.outbox import StoredEvent

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
    standards = Standards(tx)
    for event in events:
        await _book_or_wait(standards, event)
    return len(events)


async def book_waiting(tx: Tx) -> int:
    """Try the events again that wait for their price; return how many could be booked."""
    booked = 0
    found = await store.waiting(tx)
    standards = Standards(tx)
    for event in await store.events(tx, [one.event_id for one in found]):
        if await _book_or_wait(standards, event):
            await store.stop_waiting(tx, event.event_id)
            log.info("cost.booked_late", event_id=str(event.event_id), type=event.type)
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
    return await posting.cost_standard(Standards(tx), work_order)


async def _book_or_wait(standards: Standards, stored: StoredEvent) -> bool:
    try:
        async with standards.tx.savepoint():
            entry = await posting.entry_of(standards, stored)
            if entry is not None:
                await _book(standards, await _settled(standards, entry))
    except PlantError as refusal:
        if refusal.retryable:
            raise
        error = f"{refusal.code}: {refusal.message}"
        if await store.wait_for_price(standards.tx, stored.event_id, error):
            log.warning("cost.waits", event_id=str(stored.event_id), type=stored.type, reason=error)
        return False
    return True


async def _book(standards: Standards, entry: CostEntry) -> None:
    if not await store.insert_entry(standards.tx, entry):
        return
    if entry.kind is EntryKind.CLOSE and entry.work_order is not None:
        standards.note_closed(entry.work_order)
    if entry.lines:
        cause = Cause(actor=ACTOR, at=entry.at, causation=entry.cause_event, simulated=entry.simulated)
        await outbox.append(standards.tx.under(cause), _booked(standards.tx, entry))


async def _settled(standards: Standards, entry: CostEntry) -> CostEntry:
    """Keep the WIP of an order that is closed at 0.00 when something comes late."""
    late = entry.work_order is not None and entry.kind is not EntryKind.CLOSE and bool(entry.lines)
    if not late or not await standards.is_closed(entry.work_order or ""):
        return entry
    settlement = std.settle_late(entry.lines, entry.lines[0].currency)
    return replace(entry, lines=balanced((*entry.lines, *settlement)))


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
