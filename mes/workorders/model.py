"""Work orders, their job orders, and which status may follow which."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Self

from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, JobOrderId, MaterialId, WorkOrderNumber


class JobOrderStatus(StrEnum):
    """Dispatch status of a job order (B2MML JobOrderDispatchStatus)."""

    WAITING = "Waiting"
    PENDING = "Pending"
    CANCELLED = "Cancelled"
    DISPATCHED = "Dispatched"
    READY = "Ready"
    RUNNING = "Running"
    COMPLETED = "Completed"
    ABORTED = "Aborted"
    HELD = "Held"
    SUSPENDED = "Suspended"
    CLOSED = "Closed"


class WorkOrderStatus(StrEnum):
    """State of a work order (B2MML request state)."""

    WAITING = "Waiting"
    """Received, not released."""
    RELEASED = "Released"
    RUNNING = "Running"
    COMPLETED = "Completed"
    CANCELLED = "Cancelled"
    CLOSED = "Closed"


_J = JobOrderStatus
TRANSITIONS: frozenset[tuple[JobOrderStatus, JobOrderStatus]] = frozenset(
    {
        (_J.WAITING, _J.PENDING),
        (_J.WAITING, _J.DISPATCHED),
        (_J.PENDING, _J.DISPATCHED),
        (_J.DISPATCHED, _J.READY),
        (_J.DISPATCHED, _J.RUNNING),
        (_J.READY, _J.RUNNING),
        (_J.RUNNING, _J.HELD),
        (_J.RUNNING, _J.SUSPENDED),
        (_J.HELD, _J.RUNNING),
        (_J.SUSPENDED, _J.RUNNING),
        (_J.RUNNING, _J.COMPLETED),
        (_J.COMPLETED, _J.HELD),
        (_J.CANCELLED, _J.WAITING),
        (_J.CANCELLED, _J.DISPATCHED),
        (_J.WAITING, _J.CANCELLED),
        (_J.PENDING, _J.CANCELLED),
        (_J.DISPATCHED, _J.CANCELLED),
        (_J.READY, _J.CANCELLED),
        (_J.RUNNING, _J.ABORTED),
        (_J.HELD, _J.ABORTED),
        (_J.SUSPENDED, _J.ABORTED),
        (_J.COMPLETED, _J.CLOSED),
        (_J.CANCELLED, _J.CLOSED),
        (_J.ABORTED, _J.CLOSED),
    }
)
"""Every allowed change. Completed -> Held is a reversal that reopens the job; Cancelled -> Waiting or
Dispatched follows from one: pieces come after all."""

STARTED = frozenset({_J.RUNNING, _J.HELD, _J.SUSPENDED})
"""Work has begun and is not over; the unit is set up, the job stays where it is."""
NOT_STARTED = frozenset({_J.WAITING, _J.PENDING, _J.DISPATCHED, _J.READY})
OVER = frozenset({_J.COMPLETED, _J.CANCELLED, _J.ABORTED, _J.CLOSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerOrderDraft:
    """A sales order as the ERP sends it; sending it again changes only what differs.

    Args:
        id: The ERP's number.
        customer: The ERP's code of the customer.
        customer_name: As printed.
    """

    id: str
    customer: str
    customer_name: str
    due_at: datetime
    ordered_at: datetime | None = None
    erp_ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerOrder:
    """A sales order that work orders serve."""

    id: str
    customer: str
    customer_name: str
    due_at: datetime
    promised_at: datetime | None
    erp_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrderDraft:
    """A production order as the ERP sends it.

    The same `erp_ref` is the same order: it is changed while that is possible, never doubled.

    Args:
        erp_ref: Number of the production in the ERP.
        quantity: Pieces to make, in the material's unit, > 0.
        priority: 1 (most urgent) to 9; 5 is usual.
        work_master: Natural key; the material's newest work master when None.
    """

    erp_ref: str
    material: MaterialId
    quantity: Decimal
    uom: str
    due_at: datetime
    priority: int = 5
    customer_order: str | None = None
    work_master: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """An order to make a quantity of one product (ISA-95 work request).

    Args:
        good: Pieces that left the last operation.
        scrap: Pieces lost at any operation.
        work_master_version: The version that holds for this order whatever comes later.
    """

    id: WorkOrderNumber
    scope: str
    material: MaterialId
    quantity: Decimal
    uom: str
    due_at: datetime
    priority: int
    customer_order: str | None
    customer: str | None
    erp_ref: str
    work_master: str
    work_master_version: int
    status: WorkOrderStatus
    good: Decimal
    scrap: Decimal
    received_at: datetime
    released_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    closed_at: datetime | None
    promised_at: datetime | None
    simulated: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", WorkOrderStatus(self.status))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOrder:
    """One operation of a work order, as dispatched to a unit.

    Args:
        scope: Path of its work centre below the site.
        quantity: Pieces planned, in `uom`: those ordered, and what was made for scrap or beyond.
        setup_s: Seconds of setup when the family changes.
        run_s: Seconds per piece.
        equipment: Unit planned or used.
        sequence: Place in the unit's queue.
        locked: A planner fixed unit and time.
        last: Whether pieces leave the order here.
        from_operation: Number of the operation before; 0 for the first.
        serial_from: Operation at which pieces get their serial number; None for no serials.
    """

    id: JobOrderId
    work_order: WorkOrderNumber
    operation: int
    name: str
    scope: str
    material: MaterialId
    family: str | None
    work_center: EquipmentId
    cost_center: str
    skill: str | None
    labour_class: str
    setup_s: Decimal
    run_s: Decimal
    quantity: Decimal
    uom: str
    status: JobOrderStatus
    good: Decimal
    scrap: Decimal
    equipment: EquipmentId | None
    planned_start: datetime | None
    planned_end: datetime | None
    sequence: int | None
    locked: bool
    last: bool
    from_operation: int
    serial_from: int | None
    hold_reason: str | None
    started_at: datetime | None
    completed_at: datetime | None
    due_at: datetime
    priority: int
    simulated: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", JobOrderStatus(self.status))

    @property
    def done(self) -> Decimal:
        """Pieces reported here, good or scrap."""
        return self.good + self.scrap

    def moved(self, to: JobOrderStatus) -> Self:
        """Return the job in the status `to`.

        Raises:
            JobOrderTransitionRefused: The table has no such pair.
        """
        if (self.status, to) not in TRANSITIONS:
            raise JobOrderTransitionRefused(
                state=self.state, job_order=self.id, status=self.status.value, to=to.value
            )
        return replace(self, status=to)

    @property
    def state(self) -> dict[str, str | None]:
        """What a terminal with an old picture needs to know."""
        return {
            "job_order": self.id,
            "status": self.status.value,
            "equipment": self.equipment,
            "good": f"{self.good:f}",
            "scrap": f"{self.scrap:f}",
            "quantity": f"{self.quantity:f}",
            "uom": self.uom,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDraft:
    """A job order as a release makes it; the fields are those of `JobOrder`."""

    id: JobOrderId
    scope: str
    work_order: WorkOrderNumber
    operation: int
    from_operation: int
    last: bool
    name: str
    instructions: str
    material: MaterialId
    family: str | None
    work_center: EquipmentId
    cost_center: str
    skill: str | None
    labour_class: str
    setup_s: Decimal
    run_s: Decimal
    quantity: Decimal
    uom: str
    serial_from: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobComponent:
    """What a job takes of one material.

    Args:
        per_piece: In `uom` per piece of the product.
        required: For the planned quantity.
        consumed: Net of returns.
    """

    job_order: JobOrderId
    material: MaterialId
    per_piece: Decimal
    required: Decimal
    consumed: Decimal
    uom: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """A line of the order list.

    Args:
        jobs, jobs_over: How many operations there are, and how many are over.
        planned_end: End of the last planned operation.
    """

    id: WorkOrderNumber
    material: str
    material_name: str
    quantity: Decimal
    good: Decimal
    scrap: Decimal
    uom: str
    status: str
    due_at: datetime
    promised_at: datetime | None
    planned_end: datetime | None
    priority: int
    customer_order: str | None
    customer: str | None
    erp_ref: str
    received_at: datetime
    completed_at: datetime | None
    jobs: int
    jobs_over: int
    simulated: bool


@dataclass(frozen=True, slots=True)
class Line:
    """All job orders of one work order, by operation: what one may do depends on the others.

    Lot streaming: an operation may work on the pieces that the operation before reported good,
    while that one still runs.
    """

    jobs: tuple[JobOrder, ...]

    def job(self, job_order: str) -> JobOrder:
        """Return the job named."""
        return next(job for job in self.jobs if job.id == job_order)

    def before(self, job: JobOrder) -> JobOrder | None:
        """Return the job of the operation before, or None for the first."""
        return next((one for one in self.jobs if one.operation == job.from_operation), None)

    def after(self, job: JobOrder) -> JobOrder | None:
        """Return the job of the next operation, or None for the last."""
        return next((one for one in self.jobs if one.from_operation == job.operation), None)

    def available(self, job: JobOrder) -> Decimal:
        """Return how many pieces lie before this job, not yet reported here."""
        before = self.before(job)
        arrived = job.quantity if before is None else before.good
        return arrived - job.done

    def remaining(self, job: JobOrder) -> Decimal:
        """Return how many pieces are still expected here: here already, or on their way."""
        before = self.before(job)
        if before is None:
            return max(job.quantity - job.done, Decimal(0))
        coming = before.good if before.status in OVER else before.good + self.remaining(before)
        return max(coming - job.done, Decimal(0))

    def room(self, job: JobOrder, most: Decimal) -> Decimal:
        """Return how many more good pieces may be made here; at the first operation scrap is made up for.

        Args:
            most: Good pieces that the order may have.
        """
        if self.before(job) is not None:
            return self.available(job)
        lost = sum((one.scrap for one in self.jobs if one is not job), Decimal(0))
        return max(most + lost - job.good, Decimal(0))

    def with_job(self, changed: JobOrder) -> "Line":
        """Return the line with one job replaced."""
        return Line(tuple(changed if job.id == changed.id else job for job in self.jobs))


class WorkOrderUnknown(PlantError):
    """There is no such work order."""

    http_status = 404
    remedy = "Scan the order's label again, or look it up in the list."


class JobOrderUnknown(PlantError):
    """There is no such job."""

    http_status = 404
    remedy = "Scan the order's label again, or choose the job from the list."


class CustomerOrderUnknown(PlantError):
    """There is no such customer order."""

    http_status = 404
    remedy = "Check the number; the ERP sends customer orders by itself."


class WorkOrderNotChangeable(PlantError):
    """This work order has gone too far to be changed like that."""

    http_status = 409
    remedy = "Cancel what is not started and send a new order for the rest."


class WorkOrderNotReleasable(PlantError):
    """This work order cannot be released."""

    http_status = 409
    remedy = "Only an order that was received and not yet released can be released."


class WorkOrderNotClosable(PlantError):
    """This work order is not completed."""

    http_status = 409
    remedy = "Complete its jobs first, or cancel the order."


class WorkOrderStarted(PlantError):
    """Work on this order has begun."""

    http_status = 409
    remedy = (
        "Complete its jobs, short where pieces are not to be made: it is not changed or cancelled any more."
    )


class JobOrderTransitionRefused(PlantError):
    """This job cannot go into that status now."""

    http_status = 409
    remedy = "Look at the job's status on the terminal and choose what is offered there."


class UnitNotOfMaterial(PlantError):
    """The quantity is in another unit than the material's."""

    http_status = 422
    remedy = "Send the quantity in the material's own unit."
