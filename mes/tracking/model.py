"""Genealogy: which lot went into which order and piece, and the as-built record of each piece."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from mes.kernel.errors import PlantError
from mes.kernel.ids import JobOrderId, LotNumber, MaterialId, SerialNumber, WorkOrderNumber


class SerialStatus(StrEnum):
    """Life of a serial number."""

    RESERVED = "reserved"
    """Kept for a work order, on no piece yet."""
    ASSIGNED = "assigned"
    """On a piece in work."""
    FINISHED = "finished"
    SCRAPPED = "scrapped"
    VOID = "void"
    """Never used: fewer pieces were made than ordered."""


class Basis(StrEnum):
    """How it is known that a lot is in a piece."""

    SCANNED = "scanned"
    """The lot was scanned for this very piece."""
    ALLOCATED = "allocated"
    """The lot was scanned for the order and given to its pieces in the order of use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialUnit:
    """One produced piece with a number of its own.

    Args:
        position: 1, 2, … within its work order.
        last_operation: The last operation that reported it good; 0 before the first.
    """

    serial: SerialNumber
    work_order: WorkOrderNumber
    material: MaterialId
    position: int
    status: SerialStatus
    last_operation: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", SerialStatus(self.status))


@dataclass(frozen=True, slots=True, kw_only=True)
class GenealogyEdge:
    """A lot (or part of it) went into a work order, and perhaps into one piece.

    Args:
        quantity: Signed, in `uom`; a return is an edge of its own with a negative quantity.
        actual: The consumption that made it.
    """

    id: UUID
    work_order: WorkOrderNumber
    job_order: JobOrderId
    material: MaterialId
    lot: LotNumber
    serial: SerialNumber | None
    quantity: Decimal
    uom: str
    actual: UUID
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIn:
    """A component of one piece: so much of this lot."""

    material: MaterialId
    lot: LotNumber
    quantity: Decimal
    uom: str
    basis: Basis

    def __post_init__(self) -> None:
        object.__setattr__(self, "basis", Basis(self.basis))


@dataclass(frozen=True, slots=True, kw_only=True)
class AsBuilt:
    """What one piece consists of; a later correction is the next revision."""

    serial: SerialNumber
    revision: int
    work_order: WorkOrderNumber
    material: MaterialId
    at: datetime
    components: tuple[BuiltIn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WhereUsed:
    """Where a lot went: a work order, and the pieces that are known to hold it."""

    work_order: WorkOrderNumber
    material: MaterialId
    quantity: Decimal
    uom: str
    serials: tuple[SerialNumber, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "serials", tuple(self.serials))


class SerialNotExpected(PlantError):
    """This serial number does not belong to this step of this order."""

    http_status = 409
    remedy = "Scan the number on the piece again; it must come from the step before."


class SerialCountWrong(PlantError):
    """The number of serial numbers differs from the number of good pieces."""

    http_status = 422
    remedy = "Scan one serial number for each good piece, or none at all."
