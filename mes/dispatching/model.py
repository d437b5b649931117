"""The plan in force, promises, and what the planner needs to know of the plant."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from mes.definitions.model import WorkMaster
from mes.inventory.model import ExpectedReceipt
from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, JobOrderId, MaterialId, WorkOrderNumber
from mes.resources.model import PersonAvailability, SetupRule, Window
from mes.workorders.model import JobOrderStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOperation:
    """One bar of a plan.

    Args:
        sequence: 1, 2, … on its unit.
        setup_s: Seconds of setup at the start of the bar.
        locked: A planner fixed it.
    """

    job_order: JobOrderId
    equipment: EquipmentId
    planned_start: datetime
    planned_end: datetime
    sequence: int
    setup_s: int = 0
    locked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPlan:
    """A plan that somebody, or the planner's rule, put in force.

    Args:
        solver: What found it, such as `cp-sat` or `dispatch`.
        objective: Value of the weighted objective; `bound` is proved to be no better than it.
        late_orders: Orders that end after their due time.
        by: Account or service that published it.
    """

    plan: UUID
    solver: str
    objective: float
    bound: float | None
    operations: tuple[PlannedOperation, ...]
    late_orders: int
    by: str
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInForce:
    """The head of the newest published plan."""

    plan: UUID
    version: int
    solver: str
    status: str
    objective: float
    bound: float | None
    late_orders: int
    published_at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseDraft:
    """A date given to a customer.

    Args:
        reason: Code of what binds the date, such as `capacity` or `material`.
    """

    work_order: WorkOrderNumber
    promised_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A date given to a customer, and what it was before."""

    id: UUID
    customer_order: str
    work_order: WorkOrderNumber
    promised_at: datetime
    previous: datetime | None
    reason: str
    given_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotJob:
    """An operation that still has work, or that runs.

    Args:
        remaining: Pieces still expected here.
        started_at: Of a started job; it stays on `equipment`.
        candidates: Units that may do it, planned or running one first.
    """

    job_order: JobOrderId
    work_order: WorkOrderNumber
    operation: int
    name: str
    material: MaterialId
    family: str | None
    work_center: EquipmentId
    skill: str | None
    setup_s: Decimal
    run_s: Decimal
    quantity: Decimal
    remaining: Decimal
    good: Decimal
    scrap: Decimal
    uom: str
    status: JobOrderStatus
    equipment: EquipmentId | None
    planned_start: datetime | None
    planned_end: datetime | None
    sequence: int | None
    locked: bool
    from_operation: int
    started_at: datetime | None
    candidates: tuple[EquipmentId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotOrder:
    """A released order that is not completed, with its open operations in order."""

    work_order: WorkOrderNumber
    material: MaterialId
    quantity: Decimal
    uom: str
    due_at: datetime
    priority: int
    customer_order: str | None
    customer: str | None
    promised_at: datetime | None
    work_master: str
    work_master_version: int
    received_at: datetime
    jobs: tuple[SnapshotJob, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotUnit:
    """A work unit.

    Args:
        family: Setup family it is set up for: that of the last job started on it.
        down: It is stopped by a fault; `down_since` says since when.
        windows: Its calendar over the horizon.
        running: The job that runs on it.
    """

    equipment: EquipmentId
    name: str
    work_center: EquipmentId
    skill: str | None
    family: str | None
    state: str
    down: bool
    down_since: datetime | None
    down_reason: str | None
    windows: tuple[Window, ...]
    running: JobOrderId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotStock:
    """What is there of one material and may be used, in `uom`."""

    material: MaterialId
    uom: str
    available: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotNeed:
    """What an open job still takes of one material, in `uom` (never negative)."""

    job_order: JobOrderId
    material: MaterialId
    quantity: Decimal
    uom: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningSnapshot:
    """Everything a plan depends on, read in one snapshot of the database.

    Args:
        at: Moment of the snapshot.
        until: End of the horizon; calendars reach so far.
        timezone: The site's.
    """

    at: datetime
    until: datetime
    timezone: str
    orders: tuple[SnapshotOrder, ...]
    work_masters: tuple[WorkMaster, ...]
    units: tuple[SnapshotUnit, ...]
    setups: tuple[SetupRule, ...]
    people: tuple[PersonAvailability, ...]
    stock: tuple[SnapshotStock, ...]
    receipts: tuple[ExpectedReceipt, ...]
    needs: tuple[SnapshotNeed, ...]
    in_force: PlanInForce | None


DOWN_STATES = frozenset({"Aborting", "Aborted", "Clearing", "Stopping", "Stopped"})
"""PackML states in which a unit makes nothing until somebody acts (ISA-TR88.00.02)."""


class PlanOutOfDate(PlantError):
    """The plan speaks of jobs that are over or unknown."""

    http_status = 409
    remedy = "Plan again from the present state, then publish."


class PlanPublishedAlready(PlantError):
    """This plan was published before."""

    http_status = 409
    remedy = "Nothing to do."


class EquipmentNotForJob(PlantError):
    """This unit cannot do this job."""

    http_status = 409
    remedy = "Choose a unit of the job's work centre."
