"""What happens to jobs at the units. Quantities in `uom`, hours as decimals."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from mes.kernel.ids import (
    EquipmentId,
    JobOrderId,
    LotNumber,
    MaterialId,
    PersonId,
    SerialNumber,
    WorkOrderNumber,
)
from mes.kernel.outbox import Event, event


@dataclass(frozen=True, kw_only=True)
class JobEvent(Event):
    """An event of one job at one unit."""

    aggregate_field = "job_order"

    job_order: JobOrderId
    work_order: WorkOrderNumber
    operation: int
    work_center: EquipmentId
    cost_center: str
    equipment: EquipmentId


@event
@dataclass(frozen=True, kw_only=True)
class JobOrderStarted(JobEvent):
    """A person started a job at a unit."""

    person: PersonId


@event
@dataclass(frozen=True, kw_only=True)
class JobOrderHeld(JobEvent):
    """A running job was interrupted."""

    person: PersonId | None
    reason: str


@event
@dataclass(frozen=True, kw_only=True)
class JobOrderResumed(JobEvent):
    """A held job goes on."""

    person: PersonId


@event
@dataclass(frozen=True, kw_only=True)
class JobOrderCompleted(JobEvent):
    """A job is over; `short` when pieces were left undone."""

    material: MaterialId
    good: Decimal
    scrap: Decimal
    uom: str
    last: bool
    short: bool
    reason: str | None


@event
@dataclass(frozen=True, kw_only=True)
class GoodReported(JobEvent):
    """Good pieces left an operation; `last` when they left the order with it."""

    report: UUID
    last: bool
    material: MaterialId
    person: PersonId
    quantity: Decimal
    uom: str
    serials: tuple[SerialNumber, ...]


@event
@dataclass(frozen=True, kw_only=True)
class ScrapReported(JobEvent):
    """Pieces were lost at an operation."""

    report: UUID
    last: bool
    material: MaterialId
    person: PersonId
    quantity: Decimal
    uom: str
    reason: str
    serials: tuple[SerialNumber, ...]


@event
@dataclass(frozen=True, kw_only=True)
class ReportReversed(JobEvent):
    """A report was undone: `good` and `scrap` are its quantities, positive."""

    report: UUID
    reverses: UUID
    reason: str
    last: bool
    material: MaterialId
    person: PersonId
    good: Decimal
    scrap: Decimal
    uom: str
    scrap_reason: str | None
    serials: tuple[SerialNumber, ...]


@event
@dataclass(frozen=True, kw_only=True)
class MaterialConsumed(JobEvent):
    """Part of a lot went into the order; `actual` names this use."""

    actual: UUID
    person: PersonId
    material: MaterialId
    lot: LotNumber
    quantity: Decimal
    uom: str
    serial: SerialNumber | None


@event
@dataclass(frozen=True, kw_only=True)
class MaterialReturned(JobEvent):
    """A use of material was undone; `quantity` is positive, `reverses` the use."""

    actual: UUID
    reverses: UUID
    reason: str
    person: PersonId
    material: MaterialId
    lot: LotNumber
    quantity: Decimal
    uom: str
    serial: SerialNumber | None


@event
@dataclass(frozen=True, kw_only=True)
class LabourBooked(JobEvent):
    """A person worked on a job."""

    person: PersonId
    rate_class: str
    started_at: datetime
    ended_at: datetime
    hours: Decimal


@event
@dataclass(frozen=True, kw_only=True)
class MachineTimeBooked(JobEvent):
    """A unit worked on a job."""

    started_at: datetime
    ended_at: datetime
    hours: Decimal


@event
@dataclass(frozen=True, kw_only=True)
class StopReasonGiven(Event):
    """A person said why a unit stands; `interval` is the state interval meant, if one is."""

    aggregate_field = "equipment"

    equipment: EquipmentId
    interval: UUID | None
    reason: str
    person: PersonId | None


@event
@dataclass(frozen=True, kw_only=True)
class HelpCalled(Event):
    """A person at a unit asked for somebody to come."""

    aggregate_field = "equipment"

    equipment: EquipmentId
    job_order: JobOrderId | None
    person: PersonId


@event
@dataclass(frozen=True, kw_only=True)
class HelpCalledLate(Event):
    """A call for help came so late that nobody is called any more; `at` is when it was made."""

    aggregate_field = "equipment"

    equipment: EquipmentId
    job_order: JobOrderId | None
    person: PersonId


@event
@dataclass(frozen=True, kw_only=True)
class HelpAnswered(Event):
    """Somebody comes to a unit that called for help; the call is over."""

    aggregate_field = "equipment"

    equipment: EquipmentId
    call: UUID
    person: PersonId


@event
@dataclass(frozen=True, kw_only=True)
class HelpWithdrawn(Event):
    """Nobody needs to come any more to a unit that called for help; `person` is who had called."""

    aggregate_field = "equipment"

    equipment: EquipmentId
    call: UUID
    person: PersonId
