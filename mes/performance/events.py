"""What the machines told: states and counts. Quantities are pieces."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mes.kernel.ids import EquipmentId, JobOrderId, MaterialId
from mes.kernel.outbox import Event, event


@event
@dataclass(frozen=True, kw_only=True)
class EquipmentStateChanged(Event):
    """A unit went from one PackML state into another."""

    aggregate_field = "equipment"

    equipment: EquipmentId
    state: str
    previous: str
    at: datetime
    reason: str | None


@event
@dataclass(frozen=True, kw_only=True)
class CountObserved(Event):
    """A machine's counter went up by `delta` pieces; a doubtful one is in no figure yet."""

    aggregate_field = "equipment"

    equipment: EquipmentId
    kind: str
    delta: Decimal
    raw: Decimal | None
    doubtful: bool
    item: MaterialId | None
    job_order: JobOrderId | None
    uom: str = "pc"


@event
@dataclass(frozen=True, kw_only=True)
class CountDecided(Event):
    """A person accepted or rejected a doubtful count."""

    aggregate_field = "equipment"

    equipment: EquipmentId
    kind: str
    delta: Decimal
    accepted: bool
    job_order: JobOrderId | None
    uom: str = "pc"
