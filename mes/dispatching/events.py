"""What happens to the plan and to promises."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from mes.kernel.ids import EquipmentId, JobOrderId, WorkOrderNumber
from mes.kernel.outbox import Event, event


@event
@dataclass(frozen=True, kw_only=True)
class PlanPublished(Event):
    """A plan is in force; `operations` and `late_orders` are counts.

    `solver` made the sequences; `cp_gain` is what CP-SAT took off the objective, None where it was not asked.
    """

    aggregate_field = "plan"
    schema_version = 2

    plan: UUID
    version: int
    solver: str
    objective: float
    bound: float | None
    operations: int
    late_orders: int
    by: str
    cp_gain: float | None = None


@event
@dataclass(frozen=True, kw_only=True)
class PromiseGiven(Event):
    """A customer order has a date, or another one than before."""

    aggregate_field = "customer_order"

    customer_order: str
    work_order: WorkOrderNumber
    promised_at: datetime
    previous: datetime | None
    reason: str


@event
@dataclass(frozen=True, kw_only=True)
class JobOrderDispatched(Event):
    """A job is in the queue of a unit's terminal, for the first time or at another unit."""

    aggregate_field = "job_order"

    job_order: JobOrderId
    work_order: WorkOrderNumber
    operation: int
    equipment: EquipmentId
    planned_start: datetime
    planned_end: datetime
    sequence: int


@event
@dataclass(frozen=True, kw_only=True)
class JobOrderLocked(Event):
    """A planner has put a job that waits on a unit, its run beginning at `start`; plans keep to it."""

    aggregate_field = "job_order"

    job_order: JobOrderId
    equipment: EquipmentId
    start: datetime


@event
@dataclass(frozen=True, kw_only=True)
class JobOrderUnlocked(Event):
    """A job goes where plans put it again."""

    aggregate_field = "job_order"

    job_order: JobOrderId


@event
@dataclass(frozen=True, kw_only=True)
class PlanProposed(Event):
    """A better plan waits for a planner; `current_objective` is what going on as now would cost."""

    aggregate_field = "plan"

    plan: UUID
    solver: str
    objective: float
    current_objective: float | None
    moved: int
    late_orders: int
    reason: str


@event
@dataclass(frozen=True, kw_only=True)
class PlanUndone(Event):
    """The plan from before `undone` is in force again, as `version`."""

    aggregate_field = "plan"

    plan: UUID
    version: int
    undone: int
    reason: str


@event
@dataclass(frozen=True, kw_only=True)
class ScenarioChanged(Event):
    """A scenario was copied, changed, asked for, solved, published, given up.

    Args:
        status: `draft`, `waiting`, `solving`, `solved`, `failed`, `published` or `discarded`.
    """

    aggregate_field = "scenario"

    scenario: UUID
    name: str
    status: str
