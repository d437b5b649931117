"""Entries of the cost sub-ledger, for whoever posts them elsewhere."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from mes.kernel.ids import EquipmentId, LotNumber, MaterialId, WorkOrderNumber
from mes.kernel.outbox import Event, event


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedLine:
    """One side of an entry, in `currency`; `quantity` is in `uom` where the line has one."""

    account: str
    debit: Decimal
    credit: Decimal
    currency: str
    quantity: Decimal | None
    uom: str | None
    work_center: EquipmentId | None
    cost_center: str | None
    material: MaterialId | None
    lot: LotNumber | None


@event
@dataclass(frozen=True, kw_only=True)
class CostBooked(Event):
    """A balanced entry was booked; `kind` says what for, `cause_event` which event led to it."""

    aggregate_field = "entry"

    entry: UUID
    kind: str
    cause_event: UUID
    work_order: WorkOrderNumber | None
    reverses: UUID | None
    lines: tuple[BookedLine, ...]
