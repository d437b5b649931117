"""Planned maintenance of units: what, within which time, and what became of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, MaintenanceNumber


class MaintenanceStatus(StrEnum):
    """What became of maintenance so far."""

    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceDraft:
    """Maintenance of one unit that a plan may put anywhere between two times.

    Args:
        minutes: Of the unit's working time, 1 or more.
        latest: When it is to be over; a plan may be later, at a price.
        weight: Price of a minute beyond that against orders, 1 to 100: 8 is that of the most urgent order.
    """

    equipment: EquipmentId
    name: str
    minutes: int
    earliest: datetime
    latest: datetime
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """One time that a unit is maintained.

    Args:
        rule: Of the plant file that wants it again and again; None when somebody planned it.
        planned_start: Where the plan in force has it; None before the first.
        by: Who began it, or who ended it.
        reason: Why it was cancelled.
    """

    id: MaintenanceNumber
    scope: str
    equipment: EquipmentId
    rule: str | None
    name: str
    minutes: int
    earliest: datetime
    latest: datetime
    weight: int
    status: MaintenanceStatus
    planned_start: datetime | None
    planned_end: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    by: str | None
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", MaintenanceStatus(self.status))


class MaintenanceUnknown(PlantError):
    """There is no such maintenance."""

    http_status = 404
    remedy = "Take one of the list."


class MaintenanceOver(PlantError):
    """This maintenance was done or cancelled before."""

    http_status = 409
    remedy = "Nothing to do."


class MaintenanceRunsAlready(PlantError):
    """This unit is being maintained already."""

    http_status = 409
    remedy = "End that maintenance first."


class MaintenanceDoesNotFit(PlantError):
    """This maintenance takes longer than the time that it may be done in."""

    http_status = 422
    remedy = "Give an earlier beginning, a later end, or fewer minutes."
