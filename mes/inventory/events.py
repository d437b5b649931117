"""What happens to lots and purchases on their way. Quantities in `uom`, money per `uom`."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mes.kernel.ids import LotNumber, MaterialId
from mes.kernel.outbox import Event, event


@event
@dataclass(frozen=True, kw_only=True)
class LotReceived(Event):
    """A lot came in."""

    aggregate_field = "lot"

    lot: LotNumber
    material: MaterialId
    quantity: Decimal
    uom: str
    price: Decimal
    currency: str
    supplier: str
    purchase: str
    expires_at: datetime | None


@event
@dataclass(frozen=True, kw_only=True)
class LotCounted(Event):
    """A count found more of a lot, or (`quantity` < 0) less; `erp_ref` is the ERP's movement."""

    aggregate_field = "lot"

    lot: LotNumber
    material: MaterialId
    quantity: Decimal
    uom: str
    erp_ref: str


@event
@dataclass(frozen=True, kw_only=True)
class LotHeld(Event):
    """A lot may not be used until it is released."""

    aggregate_field = "lot"

    lot: LotNumber
    material: MaterialId
    reason: str


@event
@dataclass(frozen=True, kw_only=True)
class LotReleased(Event):
    """A held lot may be used again."""

    aggregate_field = "lot"

    lot: LotNumber
    material: MaterialId


@event
@dataclass(frozen=True, kw_only=True)
class LotScrapped(Event):
    """What was left of a lot was thrown away."""

    aggregate_field = "lot"

    lot: LotNumber
    material: MaterialId
    quantity: Decimal
    uom: str
    reason: str


@event
@dataclass(frozen=True, kw_only=True)
class ReceiptExpected(Event):
    """A purchase is on its way."""

    aggregate_field = "purchase"

    purchase: str
    material: MaterialId
    quantity: Decimal
    uom: str
    expected_at: datetime


@event
@dataclass(frozen=True, kw_only=True)
class ReceiptDelayed(Event):
    """A purchase comes later than it was expected."""

    aggregate_field = "purchase"

    purchase: str
    material: MaterialId
    quantity: Decimal
    uom: str
    expected_at: datetime
    previous: datetime
