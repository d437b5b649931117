"""Canonical documents between plant and ERP: ISA-95 nouns, frozen, JSON on the wire.

Outgoing documents say what happened; incoming records say what the ERP owns. Quantities are
exact decimals in `uom`, money exact decimals in `currency`, times aware UTC. Every outgoing
document has a key that never changes, so that sending it twice books it once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Discriminator, TypeAdapter


class MaterialUse(StrEnum):
    """What a movement of material means (B2MML MaterialUse, with the reversals spelled out)."""

    CONSUMED = "Consumed"
    """From stock into an order."""
    RETURNED = "Returned"
    """Back from an order into stock."""
    PRODUCED = "Produced"
    """Finished pieces from an order into stock."""
    UNPRODUCED = "Unproduced"
    """Finished pieces back from stock into the order: a good report was reversed."""
    SCRAPPED = "Scrapped"
    """Pieces of an order thrown away before they were finished."""
    UNSCRAPPED = "Unscrapped"
    """A scrap report was reversed."""
    LOT_SCRAPPED = "LotScrapped"
    """Stock of a lot thrown away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """What all documents to the ERP have.

    Args:
        key: Natural key of the message; the same key is the same message for ever.
        lane: Documents of one lane are delivered one after the other, in order.
        subject: Shop-floor event that this document books, for reconciliation.
        event_time: When it happened.
        posting_date: Day in the books, in the site's time zone.
        work_order: Number of the work order, when it belongs to one.
        reverses: Key of the document that it undoes.
    """

    key: str
    lane: str
    subject: str
    event_time: datetime
    posting_date: date
    work_order: str | None = None
    reverses: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsRequestAccepted(Outgoing):
    """The plant took the ERP's production as a work order; `url` is its live page."""

    noun: Literal["OperationsRequestAccepted"] = "OperationsRequestAccepted"
    erp_ref: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsRequestReleased(Outgoing):
    """Work on the order may begin."""

    noun: Literal["OperationsRequestReleased"] = "OperationsRequestReleased"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsRequestClosed(Outgoing):
    """Nothing more is booked on the order."""

    noun: Literal["OperationsRequestClosed"] = "OperationsRequestClosed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsRequestCancelled(Outgoing):
    """The plant does not make the order: nobody had begun it."""

    noun: Literal["OperationsRequestCancelled"] = "OperationsRequestCancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialActual(Outgoing):
    """A quantity of material moved; with `serials` one movement for each piece."""

    noun: Literal["MaterialActual"] = "MaterialActual"
    use: MaterialUse
    material: str
    quantity: Decimal
    uom: str
    lot: str | None = None
    serials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentResponse(Outgoing):
    """A unit worked on an operation for `hours`."""

    noun: Literal["SegmentResponse"] = "SegmentResponse"
    operation: int
    work_center: str
    hours: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingLine:
    """One line of an entry: exactly one of `debit` and `credit` is greater than zero."""

    account: str
    debit: Decimal = Decimal(0)
    credit: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPosting(Outgoing):
    """A balanced entry that the ERP does not make by itself; `text` names its purpose."""

    noun: Literal["CostPosting"] = "CostPosting"
    text: str
    currency: str
    lines: tuple[PostingLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseChanged(Outgoing):
    """The customer order's promised time, for whoever talks to the customer."""

    noun: Literal["PromiseChanged"] = "PromiseChanged"
    customer_order: str
    promised_at: datetime


Document = Annotated[
    OperationsRequestAccepted
    | OperationsRequestReleased
    | OperationsRequestClosed
    | OperationsRequestCancelled
    | MaterialActual
    | SegmentResponse
    | CostPosting
    | PromiseChanged,
    Discriminator("noun"),
]

_DOCUMENT: TypeAdapter[Document] = TypeAdapter(Document)


def to_json(document: Document) -> dict[str, Any]:
    """Return `document` as plain JSON values, decimals as strings."""
    plain: dict[str, Any] = _DOCUMENT.dump_python(document, mode="json")
    return plain


def parse(plain: dict[str, Any]) -> Document:
    """Return the document that `to_json` made."""
    return _DOCUMENT.validate_python(plain)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialDefinition:
    """A material of the ERP; `product` ones are made here, with serial numbers.

    `digits` are the decimals that the ERP takes of a quantity in `uom`; None: it does not say.
    """

    id: str
    name: str
    product: bool
    uom: str
    standard_price: Decimal
    currency: str
    erp_ref: str
    digits: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationDefinition:
    """One step of a routing; seconds per setup and per piece."""

    operation: int
    name: str
    work_center: str
    setup_s: Decimal
    run_s: Decimal
    labour_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """What one piece takes of a material at an operation, in the material's unit."""

    operation: int
    material: str
    quantity: Decimal
    uom: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsDefinition:
    """How a product is made: routing and bill of material (ISA-95 operations definition)."""

    id: str
    material: str
    operations: tuple[OperationDefinition, ...]
    bill: tuple[BillLine, ...]
    erp_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A standard rate per hour: `labour` by class, `machine` by work centre."""

    kind: Literal["labour", "machine"]
    code: str
    per_hour: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person as HR knows them."""

    id: str
    name: str
    active: bool
    erp_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialLot:
    """A receipt of a lot; `receipt` is the ERP's key of the movement."""

    receipt: str
    lot: str
    material: str
    quantity: Decimal
    uom: str
    price: Decimal
    currency: str
    supplier: str
    purchase: str
    received_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialCount:
    """A count corrected the stock of a lot: `quantity` more, or (< 0) less; `movement` is the ERP's key."""

    movement: str
    lot: str
    material: str
    quantity: Decimal
    uom: str
    counted_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedReceipt:
    """A purchase on its way; `quantity` still to come."""

    purchase: str
    material: str
    quantity: Decimal
    uom: str
    expected_at: datetime
    supplier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsRequest:
    """A production that the ERP wants, and the customer order behind it.

    Args:
        priority: 1 (most urgent) to 9; 5 is usual.
        cancelled: The ERP no longer wants it.
    """

    erp_ref: str
    material: str
    quantity: Decimal
    uom: str
    due_at: datetime
    priority: int
    cancelled: bool
    customer_order: str | None = None
    customer: str = ""
    customer_name: str = ""
    ordered_at: datetime | None = None
    sale_ref: str = ""


Incoming = (
    MaterialDefinition
    | OperationsDefinition
    | Rate
    | Person
    | MaterialLot
    | MaterialCount
    | ExpectedReceipt
    | OperationsRequest
)
"""What the ERP owns and the plant follows."""
