"""What happens to maintenance."""

from dataclasses import dataclass
from datetime import datetime

from mes.kernel.ids import EquipmentId, MaintenanceNumber
from mes.kernel.outbox import Event, event


@event
@dataclass(frozen=True, kw_only=True)
class MaintenancePlanned(Event):
    """A unit is to be maintained between two times, or between others than before."""

    aggregate_field = "maintenance"

    maintenance: MaintenanceNumber
    equipment: EquipmentId
    name: str
    minutes: int
    earliest: datetime
    latest: datetime


@event
@dataclass(frozen=True, kw_only=True)
class MaintenanceBegun(Event):
    """Somebody maintains a unit."""

    aggregate_field = "maintenance"

    maintenance: MaintenanceNumber
    equipment: EquipmentId


@event
@dataclass(frozen=True, kw_only=True)
class MaintenanceDone(Event):
    """Maintenance of a unit is over."""

    aggregate_field = "maintenance"

    maintenance: MaintenanceNumber
    equipment: EquipmentId


@event
@dataclass(frozen=True, kw_only=True)
class MaintenanceCancelled(Event):
    """Maintenance of a unit is not done this time."""

    aggregate_field = "maintenance"

    maintenance: MaintenanceNumber
    equipment: EquipmentId
    reason: str
