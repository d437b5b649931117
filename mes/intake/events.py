"""What edges told beside states and counts."""

from dataclasses import dataclass
from datetime import datetime

from mes.kernel.ids import EquipmentId, JobOrderId
from mes.kernel.outbox import Event, event


@dataclass(frozen=True, slots=True)
class ScanField:
    """One meaning of a code, such as `lot` and its number."""

    name: str
    value: str


@event
@dataclass(frozen=True, kw_only=True)
class ScanObserved(Event):
    """A reader read a code; `fields` is its meaning, or `error` the code of the refusal."""

    aggregate_field = "reader"

    reader: str
    payload: str
    symbology: str | None
    equipment: EquipmentId
    form: str | None
    fields: tuple[ScanField, ...]
    error: str | None


@event
@dataclass(frozen=True, kw_only=True)
class ScanTaken(Event):
    """A code that a unit's own scanner read fits the job there; `outcome` is `booked` or `confirmed`."""

    aggregate_field = "reader"

    scan: int
    reader: str
    equipment: EquipmentId
    outcome: str
    job_order: JobOrderId


@event
@dataclass(frozen=True, kw_only=True)
class ScanNotUnderstood(Event):
    """A code that a unit's own scanner read came to nothing; `error` is the code of the refusal."""

    aggregate_field = "reader"

    scan: int
    reader: str
    equipment: EquipmentId
    error: str


@event
@dataclass(frozen=True, kw_only=True)
class ScanNoted(Event):
    """Somebody has seen that a scan was not understood, and what to do."""

    aggregate_field = "reader"

    scan: int
    reader: str
    equipment: EquipmentId


@event
@dataclass(frozen=True, kw_only=True)
class EdgeGapDeclared(Event):
    """An edge declared that it lost something, or could not see its machines."""

    aggregate_field = "edge"

    edge: str
    stream: str
    from_seq: int | None
    to_seq: int | None
    starts_at: datetime
    ends_at: datetime
    reason: str
    equipment: tuple[EquipmentId, ...]


@event
@dataclass(frozen=True, kw_only=True)
class EdgeConfigChanged(Event):
    """An edge has a new configuration to fetch."""

    aggregate_field = "edge"

    edge: str
    version: int
