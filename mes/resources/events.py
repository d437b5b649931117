"""What happens to equipment and people."""

from dataclasses import dataclass
from datetime import datetime

from mes.kernel.ids import EquipmentId, PersonId, ToolId
from mes.kernel.outbox import Event, event


@event
@dataclass(frozen=True, kw_only=True)
class EquipmentDefined(Event):
    """A place or machine was added or changed."""

    aggregate_field = "equipment"

    equipment: EquipmentId
    level: str
    name: str
    work_center: EquipmentId | None
    cost_center: str


@event
@dataclass(frozen=True, kw_only=True)
class EquipmentRetired(Event):
    """A place or machine is out of service: the plant file has it no more."""

    aggregate_field = "equipment"

    equipment: EquipmentId
    level: str
    work_center: EquipmentId | None


@event
@dataclass(frozen=True, kw_only=True)
class EquipmentExpectedBack(Event):
    """A person said when a unit that stands is expected to run again; None: nobody can say any more."""

    aggregate_field = "equipment"

    equipment: EquipmentId
    back_at: datetime | None


@event
@dataclass(frozen=True, kw_only=True)
class ToolTakenOut(Event):
    """Pieces of a tool are out of service until a time: at repair, or lent."""

    aggregate_field = "tool"

    tool: ToolId
    count: int
    until: datetime
    reason: str


@event
@dataclass(frozen=True, kw_only=True)
class ToolPutBack(Event):
    """Pieces of a tool are in service again."""

    aggregate_field = "tool"

    tool: ToolId
    count: int


@event
@dataclass(frozen=True, kw_only=True)
class PersonRetired(Event):
    """A person works in this plant no more: the plant file has them no more."""

    aggregate_field = "person"

    person: PersonId


@event
@dataclass(frozen=True, kw_only=True)
class PersonDefined(Event):
    """A person was added or changed by HR."""

    aggregate_field = "person"

    person: PersonId
    name: str
    active: bool


@event
@dataclass(frozen=True, kw_only=True)
class PersonClockedIn(Event):
    """A person came to work."""

    aggregate_field = "person"

    person: PersonId
    at: datetime


@event
@dataclass(frozen=True, kw_only=True)
class PersonClockedOut(Event):
    """A person left; before the end of the shift there is a reason."""

    aggregate_field = "person"

    person: PersonId
    at: datetime
    reason: str | None
