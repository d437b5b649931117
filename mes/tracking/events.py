"""What is known of single pieces."""

from dataclasses import dataclass
from decimal import Decimal

from mes.kernel.ids import LotNumber, MaterialId, SerialNumber, WorkOrderNumber
from mes.kernel.outbox import Event, event


@dataclass(frozen=True, kw_only=True)
class AsBuiltComponent:
    """So much of a lot is in the piece; `basis` is `scanned` or `allocated`."""

    material: MaterialId
    lot: LotNumber
    quantity: Decimal
    uom: str
    basis: str = "allocated"


@event
@dataclass(frozen=True, kw_only=True)
class AsBuiltRecorded(Event):
    """A piece left its last operation, or its record was corrected (revision 2 and later)."""

    aggregate_field = "serial"

    serial: SerialNumber
    revision: int
    work_order: WorkOrderNumber
    material: MaterialId
    components: tuple[AsBuiltComponent, ...]
