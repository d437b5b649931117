"""The plan in force, promises, and what the planner needs to know of the plant."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from mes.kernel.errors import PlantError
from mes.kernel.ids import (
    EquipmentId,
    JobOrderId,
    MaintenanceNumber,
    MaterialId,
    PersonId,
    ToolId,
    WorkOrderNumber,
)
from mes.resources.model import AS_ROUTED, FAULT_STATES, STOP_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """One bar of a plan.

    Args:
        planned_start: When its set-up begins, where there is one.
        sequence: 1, 2, … on its unit.
    """

    job_order: JobOrderId
    equipment: EquipmentId
    planned_start: datetime
    planned_end: datetime
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPlan:
    """A plan that somebody, or the planner's rule, put in force.

    Args:
        solver: What made its sequences, such as `cp-sat` or `dispatch`.
        objective: Value of the weighted objective; `bound` is proved to be no better than it.
        cp_gain: How much CP-SAT took off the objective; None where it was not asked.
        late_orders: Orders that end after their due time.
        by: Account or service that published it.
    """

    plan: UUID
    solver: str
    status: str
    objective: float
    bound: float | None
    late_orders: int
    by: str
    operations: tuple[PlannedJob, ...]
    cp_gain: float | None = None


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
class Promise:
    """A date given to a customer, and what it was before."""

    id: UUID
    customer_order: str
    work_order: WorkOrderNumber
    promised_at: datetime
    previous: datetime | None
    reason: str
    given_at: datetime


@dataclass(frozen=True, slots=True)
class PlanInterval:
    """A stretch of time on the clock, aware UTC, end not included."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWorkCenter:
    """A work centre; its units replace each other."""

    id: EquipmentId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEquipment:
    """A work unit.

    Args:
        calendar: Working time over the horizon; breaks are the holes.
        state: PackML state name.
        down_since: It is stopped by a fault since then; None while it can work.
        down_until: When it is expected back, if anybody said so.
        family: Setup family it is set up for: that of the last job started on it.
        running: The job that runs on it.
        time_percent: A piece takes so much of the routing's run time here.
    """

    id: EquipmentId
    name: str
    work_center: EquipmentId
    calendar: tuple[PlanInterval, ...]
    state: str
    down_since: datetime | None
    down_until: datetime | None
    down_reason: str | None
    family: str | None
    running: JobOrderId | None
    time_percent: int = AS_ROUTED


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSetup:
    """Seconds to change over; a family of None stands for any other."""

    work_center: EquipmentId
    from_family: str | None
    to_family: str | None
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPerson:
    """Somebody who can work.

    Args:
        present: This shift if clocked in, the coming shifts by crew, less breaks and absence.
    """

    id: PersonId
    skills: tuple[str, ...]
    present: tuple[PlanInterval, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanNeed:
    """So much of a material, in its own unit: still needed by a job, or taken per piece."""

    material: MaterialId
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanToolOut:
    """So many pieces of a tool are out of service until a time."""

    count: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTool:
    """A kind of tool of which there are `count`."""

    id: ToolId
    count: int
    out: tuple[PlanToolOut, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanToolUse:
    """So many pieces of a tool are held while a job is done."""

    tool: ToolId
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMaintenance:
    """Maintenance of a unit that is not over.

    Args:
        minutes: Of the unit's working time, in all.
        earliest: It may begin then.
        latest: It is to be over then; each minute beyond costs `weight` times that of an order.
        started_at: It runs since then.
        planned_start: Where the plan in force has it.
    """

    id: MaintenanceNumber
    name: str
    equipment: EquipmentId
    minutes: int
    earliest: datetime
    latest: datetime
    weight: int
    started_at: datetime | None
    planned_start: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWorkOrder:
    """A released work order that is not completed.

    Args:
        received_at: When plans first knew of it: when it was released.
        accepted: A customer has accepted its date and his order has not come yet: the date is as good as
            given, and nobody else's work may put it off.
        reserved_at: When its date was accepted, also after the order has come: from then on its material is
            its own. None where nobody has accepted a date for it.
    """

    id: WorkOrderNumber
    material: MaterialId
    quantity: Decimal
    uom: str
    due_at: datetime
    priority: int
    customer_order: str | None
    customer: str | None
    promised_at: datetime | None
    received_at: datetime
    accepted: bool = False
    reserved_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPace:
    """How fast a running job is, measured from its first report of the last day to its last one.

    What lies before the first report (set-up, the first piece) and after the last one is in neither figure.

    Args:
        pieces: Good ones and scrap reported after the first report, what was taken back left out.
        busy_s: Seconds in between in which the job ran and the unit did not stand, of the unit's working time
            and of what somebody worked on the job in no shift.
        last_at: When the last report was.
    """

    pieces: Decimal
    busy_s: Decimal
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLock:
    """Where a person put a job: on this unit, its run beginning then.

    Args:
        start: A whole minute.
        firm: Then, and not only no sooner.
    """

    equipment: EquipmentId
    start: datetime
    firm: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanJobOrder:
    """An operation that is not over.

    Args:
        equipment: Where it runs, is held, or is dispatched.
        remaining: Pieces still expected here.
        run_s: Seconds per piece.
        setup_s: Seconds of setup when the family changes.
        resumable: Whether a break may interrupt it.
        planned_start, planned_run: When the plan in force begins its set-up, and its run if that is known.
        predecessors: Open jobs that must send pieces here.
        components: What it still needs.
        tools: What it holds beside its unit.
        lag_min: Minutes that must pass between the end of its predecessors and its start.
        most_min: Minutes that it may begin at the latest after their end; None when it may wait.
        transfer: So many pieces come on from them at a time; None when all come together.
        not_before: When that time is over, where the step before is.
        after, ended_at: The step before where it is over, and when it ended.
        pace: Of a running job that has reported more than once.
        only_on: The one unit that may do it, by an agreement; None is any of its work centre.
        lock: Where a person put it.
    """

    id: JobOrderId
    work_order: WorkOrderNumber
    operation: int
    name: str
    work_center: EquipmentId
    equipment: EquipmentId | None
    status: str
    material: MaterialId
    family: str | None
    skill: str | None
    quantity: Decimal
    remaining: Decimal
    good: Decimal
    scrap: Decimal
    run_s: Decimal
    setup_s: Decimal
    resumable: bool
    started_at: datetime | None
    planned_start: datetime | None
    planned_end: datetime | None
    sequence: int | None
    locked: bool
    predecessors: tuple[JobOrderId, ...]
    components: tuple[PlanNeed, ...]
    tools: tuple[PlanToolUse, ...] = ()
    lag_min: int = 0
    most_min: int | None = None
    transfer: Decimal | None = None
    not_before: datetime | None = None
    after: JobOrderId | None = None
    ended_at: datetime | None = None
    pace: PlanPace | None = None
    only_on: EquipmentId | None = None
    lock: PlanLock | None = None
    planned_run: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOvertime:
    """A unit is open while its calendar is not, for a date that somebody accepted.

    Args:
        skill: One more person who can do this is there meanwhile; None where the work needs nobody.
    """

    equipment: EquipmentId
    skill: str | None
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStock:
    """What is there of one material and may be used: not held, not expired, not reserved."""

    material: MaterialId
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReceipt:
    """A purchase on its way."""

    purchase: str
    material: MaterialId
    quantity: Decimal
    expected_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMasterOperation:
    """One step of a product that is asked for but not ordered yet; components per piece."""

    operation: int
    name: str
    work_center: EquipmentId
    skill: str | None
    family: str | None
    run_s: Decimal
    setup_s: Decimal
    components: tuple[PlanNeed, ...]
    tools: tuple[PlanToolUse, ...] = ()
    lag_min: int = 0
    most_min: int | None = None
    transfer: Decimal | None = None
    resumable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFinished:
    """A finished job order against its standard.

    Args:
        planned_s: Seconds by the standard of its unit for all that was made, good or scrap, with the set-up
            (PRI x PQ).
        busy_s: Seconds that its unit worked on it, stops included, planned breaks not (AUBT), nor nights and
            days off in which nobody was on it; None where that says nothing of its pace, because it waited
            for the pieces of the operation before.
        good, scrap: Pieces.
    """

    job_order: JobOrderId
    work_center: EquipmentId
    planned_s: Decimal
    busy_s: Decimal | None
    good: Decimal
    scrap: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningSnapshot:
    """Everything a plan depends on, read in one snapshot of the database.

    Args:
        until: End of the horizon; calendars and presence reach so far.
        finished: The newest finished job orders of each work centre, for a snapshot that questions for
            dates are answered from.
        overtime: Of accepted dates; calendars and presence are without it.
    """

    at: datetime
    until: datetime
    site_tz: str
    work_centers: tuple[PlanWorkCenter, ...]
    equipment: tuple[PlanEquipment, ...]
    setups: tuple[PlanSetup, ...]
    people: tuple[PlanPerson, ...]
    work_orders: tuple[PlanWorkOrder, ...]
    job_orders: tuple[PlanJobOrder, ...]
    stock: tuple[PlanStock, ...]
    receipts: tuple[PlanReceipt, ...]
    in_force: PlanInForce | None
    tools: tuple[PlanTool, ...] = ()
    maintenance: tuple[PlanMaintenance, ...] = ()
    finished: tuple[PlanFinished, ...] = ()
    overtime: tuple[PlanOvertime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A stretch in which a job order was at a unit.

    Args:
        calendar: Of the unit.
    """

    job_order: JobOrderId
    equipment: EquipmentId
    calendar: str | None
    started_at: datetime
    ended_at: datetime


STANDING_STATES = FAULT_STATES | STOP_STATES | {"Holding", "Held", "Suspending", "Suspended"}
"""PackML states in which a unit makes nothing: faults, stops, and waiting of its own or for others."""


class PlanPublishedAlready(PlantError):
    """This plan was published before."""

    http_status = 409
    remedy = "Nothing to do."


class JobNotPlannable(PlantError):
    """Nobody can say any more where this job goes: it has begun, is over or is unknown."""

    http_status = 409
    remedy = "Reload the page: what is shown there is out of date."


class EquipmentNotForJob(PlantError):
    """This unit cannot do this job."""

    http_status = 409
    remedy = "Choose a unit of the job's work centre."
