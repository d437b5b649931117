"""What happens to work orders and customer orders. Quantities in `uom`."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mes.kernel.ids import JobOrderId, MaterialId, WorkOrderNumber
from mes.kernel.outbox import Event, event


@event
@dataclass(frozen=True, kw_only=True)
class CustomerOrderReceived(Event):
    """A customer order came or changed."""

    aggregate_field = "customer_order"

    customer_order: str
    customer: str
    customer_name: str
    due_at: datetime


@event
@dataclass(frozen=True, kw_only=True)
class WorkOrderReceived(Event):
    """The ERP wants something made."""

    aggregate_field = "work_order"

    work_order: WorkOrderNumber
    material: MaterialId
    quantity: Decimal
    uom: str
    due_at: datetime
    priority: int
    customer_order: str | None
    customer: str | None
    erp_ref: str


@event
@dataclass(frozen=True, kw_only=True)
class WorkOrderChanged(Event):
    """Quantity, due time, priority or customer order differ from before."""

    aggregate_field = "work_order"

    work_order: WorkOrderNumber
    quantity: Decimal
    uom: str
    due_at: datetime
    priority: int
    customer_order: str | None


@event
@dataclass(frozen=True, kw_only=True)
class WorkOrderReleased(Event):
    """The order became job orders."""

    aggregate_field = "work_order"

    work_order: WorkOrderNumber
    material: MaterialId
    quantity: Decimal
    uom: str
    work_master: str
    work_master_version: int
    job_orders: tuple[JobOrderId, ...]


@event
@dataclass(frozen=True, kw_only=True)
class WorkOrderCompleted(Event):
    """The last job is over: `good` left the last operation, `scrap` was lost on the way."""

    aggregate_field = "work_order"

    work_order: WorkOrderNumber
    material: MaterialId
    good: Decimal
    scrap: Decimal
    uom: str


@event
@dataclass(frozen=True, kw_only=True)
class WorkOrderReopened(Event):
    """An entry of a completed order was undone for `reason`: work on it goes on."""

    aggregate_field = "work_order"

    work_order: WorkOrderNumber
    material: MaterialId
    reason: str


@event
@dataclass(frozen=True, kw_only=True)
class WorkOrderClosed(Event):
    """Nothing more is booked on the order."""

    aggregate_field = "work_order"

    work_order: WorkOrderNumber


@event
@dataclass(frozen=True, kw_only=True)
class WorkOrderCancelled(Event):
    """The order is not made."""

    aggregate_field = "work_order"

    work_order: WorkOrderNumber
    reason: str


@event
@dataclass(frozen=True, kw_only=True)
class HistoryBooked(Event):
    """The demo plant's past is in the books; what comes now is real.

    Args:
        starts_at: Begin of the booked past.
        ends_at: Its end.
        orders: Work orders in it.
    """

    aggregate_field = "site"

    starts_at: datetime
    ends_at: datetime
    orders: int
