"""Lots, what they hold, and every movement of it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from mes.kernel.errors import PlantError
from mes.kernel.ids import JobOrderId, LotNumber, MaterialId, WorkOrderNumber


class LotStatus(StrEnum):
    """Whether a lot may be used."""

    AVAILABLE = "available"
    HELD = "held"
    SCRAPPED = "scrapped"


class MovementKind(StrEnum):
    """Why stock changed."""

    RECEIPT = "receipt"
    CONSUMPTION = "consumption"
    RETURN = "return"
    SCRAP = "scrap"
    COUNT = "count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """A lot of one material (ISA-95 MaterialLot).

    Args:
        on_hand: What is left, in `uom`; always the sum of its movements.
        reserved_for: Work order that alone may use it.
    """

    id: LotNumber
    material: MaterialId
    uom: str
    on_hand: Decimal
    status: LotStatus
    reason: str | None
    expires_at: datetime | None
    reserved_for: WorkOrderNumber | None
    received_at: datetime
    supplier: str
    purchase: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", LotStatus(self.status))

    def check_usable(self, work_order: WorkOrderNumber, quantity: Decimal, at: datetime) -> None:
        """Refuse unless `quantity` of this lot may go into `work_order` at `at`.

        Raises:
            LotBlocked: It is held or scrapped.
            LotExpired: Its time is over.
            LotReserved: Another work order has it.
            LotTooSmall: It holds less.
        """
        if self.status is not LotStatus.AVAILABLE:
            raise LotBlocked(lot=self.id, status=self.status.value, reason=self.reason)
        if self.expires_at is not None and self.expires_at <= at:
            raise LotExpired(lot=self.id, expired_at=self.expires_at.isoformat())
        if self.reserved_for is not None and self.reserved_for != work_order:
            raise LotReserved(lot=self.id, work_order=self.reserved_for)
        if self.on_hand < quantity:
            raise LotTooSmall(
                lot=self.id, on_hand=plain(self.on_hand), quantity=plain(quantity), uom=self.uom
            )


@dataclass(frozen=True, slots=True)
class LotName:
    """A lot that a code may mean.

    Args:
        number: What the ERP calls it.
        clear: What means this lot and no other: `<number>@<material>` where lots of several materials
            have the number.
    """

    id: LotNumber
    number: str
    clear: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LotDraft:
    """A receipt as purchasing sends it.

    Args:
        lot: Number of the lot; the next `LOT-<material>-<nnnn>` when None. A lot comes in as many
            receipts as it takes.
        quantity: Received, in `uom`, > 0.
        price: Purchase price per `uom`.
        purchase: Purchase order number.
        receipt: Key of the receipt in the ERP; the same key again is the same receipt.
    """

    material: MaterialId
    quantity: Decimal
    uom: str
    lot: LotNumber | None = None
    price: Decimal = Decimal(0)
    currency: str = ""
    supplier: str = ""
    purchase: str = ""
    receipt: str | None = None
    expires_at: datetime | None = None
    reserved_for: WorkOrderNumber | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountDraft:
    """What a count of stock found beside the books.

    Args:
        quantity: More than the books had, or (< 0) less, in `uom`.
        erp_ref: Key of the correction in the ERP; the same key again is the same correction.
    """

    material: MaterialId
    lot: LotNumber
    quantity: Decimal
    uom: str
    erp_ref: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedReceiptDraft:
    """A purchase that is on its way; `quantity` is what is still to come (0: nothing more)."""

    purchase: str
    material: MaterialId
    quantity: Decimal
    uom: str
    expected_at: datetime
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedReceipt:
    """A purchase that is on its way."""

    purchase: str
    material: MaterialId
    quantity: Decimal
    uom: str
    expected_at: datetime
    supplier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One line of the stock ledger; it never changes.

    Args:
        quantity: Signed, in `uom`: receipts and returns are positive, counts either.
    """

    id: UUID
    lot: LotNumber
    material: MaterialId
    kind: MovementKind
    quantity: Decimal
    uom: str
    at: datetime
    actor: str
    work_order: WorkOrderNumber | None = None
    job_order: JobOrderId | None = None
    reason: str | None = None
    reverses: UUID | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", MovementKind(self.kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What there is of one material, in `uom`, over all its lots.

    Args:
        available: Not held, not expired, not reserved.
        held: On hand but not to be used.
    """

    material: MaterialId
    uom: str
    available: Decimal
    held: Decimal


def plain(quantity: Decimal) -> str:
    """Return a quantity without trailing zeros, never in exponent form."""
    return f"{quantity.normalize():f}"


class UnknownBarcode(PlantError):
    """This code belongs to nothing in this plant."""

    http_status = 404
    remedy = "Scan the label again; if it stays unknown, ask the supervisor for a new label."


class LotExpired(PlantError):
    """This lot is past its expiry date."""

    http_status = 409
    remedy = "Put it aside for quality and take another lot."


class LotBlocked(PlantError):
    """This lot is blocked."""

    http_status = 409
    remedy = "Put it aside and take another lot; only quality releases it."


class LotReserved(PlantError):
    """This lot is reserved for another order."""

    http_status = 409
    remedy = "Leave it for that order and take another lot."


class LotTooSmall(PlantError):
    """This lot does not hold so much."""

    http_status = 409
    remedy = "Take what is left of it, and the rest from another lot."


class LotEmpty(PlantError):
    """Nothing is left of this lot."""

    http_status = 409
    remedy = "Take another lot."


class LotUnitWrong(PlantError):
    """The quantity is in another unit than the material's."""

    http_status = 422
    remedy = "Send the quantity in the material's own unit."


class LotNumberTaken(PlantError):
    """Lots of other materials have this number, and the one that would tell them apart."""

    http_status = 409
    remedy = "Give the lot another number in the ERP; it is read again by itself."


class CountBelowZero(PlantError):
    """The count takes away more than the plant has of this lot."""

    http_status = 409
    remedy = "Report what was used of the lot and count it again in the ERP; it is tried again by itself."


class LotNotClear(PlantError):
    """Several lots are called so."""

    http_status = 409
    remedy = "Tap the lot in the job's list, or take its label from the terminal: it says the material too."


class LotNotHeld(PlantError):
    """This lot is not held."""

    http_status = 409
    remedy = "Nothing to release."


class ReceiptDiffers(PlantError):
    """This receipt was booked before with another quantity or material."""

    http_status = 409
    remedy = "Correct it in the ERP by a return and a new receipt."


class QuantityNotPositive(PlantError):
    """A quantity must be greater than zero."""

    http_status = 422
    remedy = "Enter what was really made or used; corrections are reversals."
