"""What the routes answer of a plan; the database writes it, so no process checks 10,000 rows of it."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class PlanReason(BaseModel):
    """What binds a start or a date: a code for the pages to translate, and its parameters."""

    code: str
    params: dict[str, str | int]


class PlannedTurn(BaseModel):
    """A person who could do an operation, or a part of it; a suggestion, the floor decides."""

    model_config = ConfigDict(populate_by_name=True)

    person: str
    from_: Annotated[datetime, Field(alias="from")]
    to: datetime


class JobLock(BaseModel):
    """A person put a job there: its run begins on this unit at this time.

    Args:
        by: Who did, at that time.
    """

    equipment: str
    start: datetime
    by: str
    at: datetime


class PlannedOperation(BaseModel):
    """One bar; the set-up lies between `setup_start` and `start`.

    Args:
        lock: Where a person put it; the plan is there unless it names it among those that it is without.
        people: Who could do it, for work that starts in the frozen zone; two of them take turns.
    """

    job_order: str
    work_order: str
    operation: int
    name: str
    equipment: str
    setup_start: datetime
    start: datetime
    end: datetime
    setup_min: int
    material: str
    family: str | None
    late_min: int
    reason: PlanReason
    status: str
    locked: bool
    frozen: bool
    lock: JobLock | None = None
    people: list[PlannedTurn] = []


class LateCause(BaseModel):
    """Minutes of lateness by cause; those of an order add up to its lateness.

    Args:
        subject: The unit, skill or material that the cause speaks of.
        by: The order that had the unit.
    """

    cause: str
    minutes: int
    subject: str
    by: str


class UnkeptRule(BaseModel):
    """What is asked of a step and no plan keeps: a code for the pages to translate, and its parameters.

    Args:
        code: `too-long`: no break may interrupt it, and no shift of its units is as long; `unmanned`: nobody
            is expected who has its skill; `excess`: it comes later after the step before than is allowed;
            `left-out`: only what runs of the order is planned, the rest contradicts itself.
    """

    code: Literal["too-long", "unmanned", "excess", "left-out"]
    params: dict[str, str | int]


class PlannedOrder(BaseModel):
    work_order: str
    customer: str | None
    customer_order: str | None
    material: str
    quantity: str
    uom: str
    priority: int
    due_at: datetime
    end: datetime
    late_min: int
    why: list[LateCause]
    unkept: list[UnkeptRule] = []


class CalendarWindow(BaseModel):
    """Working time, or a stop inside it; what lies between is closed."""

    model_config = ConfigDict(populate_by_name=True)

    from_: Annotated[datetime, Field(alias="from")]
    to: datetime
    kind: Literal["work", "stop"]


class PlannedUnit(BaseModel):
    """A unit of the plan.

    Args:
        time_percent: A piece takes so much of the routing's run time here.
    """

    id: str
    name: str
    work_center: str
    time_percent: int = 100
    calendar: list[CalendarWindow]


class PlanTrigger(BaseModel):
    """What asked for this plan, and who."""

    reason: str
    params: dict[str, Any]
    by: str


class PlanFault(BaseModel):
    """A row of the plant's facts that cannot be planned, and how to mend it.

    Args:
        code: `no-unit`: no unit of its work centre is in service; `no-time`: the set-up between two steps
            takes longer than the later one may wait; empty: only `what` says it.
    """

    row: str
    what: str
    remedy: str
    code: str = ""
    params: dict[str, str | int] = {}


class PlanTrouble(BaseModel):
    """Why the newest wish for a plan was refused."""

    error: str
    faults: list[PlanFault] = []


class PlanScore(BaseModel):
    """The parts of the objective: weighted late minutes, set-up minutes, changes, flow minutes.

    Args:
        makespan: Minute at which everything is complete; it costs nothing in a running plant.
        overtime: Minutes of overtime that were agreed on for accepted dates; not in the total.
    """

    tardiness: int
    setup: int
    moved: int
    shift: int
    flow: int
    late: int
    makespan: int = 0
    overtime: int = 0
    total: int


class PlanCpShare(BaseModel):
    """What CP-SAT brought to a plan.

    Args:
        before: What the plan cost that it was given, in points.
        after: What it cost after CP-SAT.
        bound: It has proved that no plan costs less.
        solutions: How many solutions of its model it met; its hint is one.
        deterministic: Units of its deterministic time.
        share: Its part of what the searches saved against the dispatch plan; None where nothing was saved.
    """

    before: int
    after: int
    bound: int
    solutions: int
    deterministic: float
    share: float | None


class LockPlace(BaseModel):
    """Where a person put an operation: its run starts on this unit at this time."""

    job_order: str
    equipment: str
    start: datetime


class ReleasedLock(LockPlace):
    """A lock that a plan does not keep, because no plan can.

    Args:
        rules: Which rules forbid it: `unit`, `setup`, `route`, `people`, `tool`, `material`, `calendar`,
            `stop`, `batch`, `frozen`.
        with_: The locks that it contradicts; none where it contradicts the plant alone.
        proved: False when the time for the proof was over.
    """

    model_config = ConfigDict(populate_by_name=True)

    rules: list[str]
    with_: Annotated[list[LockPlace], Field(alias="with")]
    proved: bool


class OrderLeftOut(BaseModel):
    """An order that the plan is without, because its facts contradict each other."""

    work_order: str
    faults: list[PlanFault]


class BrokenDate(BaseModel):
    """A date that somebody has accepted, and when the plan has it done.

    Args:
        promised_at: The planned date that was accepted.
        told_at: What the customer goes by: by when nine of ten such orders are done; the planned date where
            nobody could say.
    """

    work_order: str
    promised_at: datetime
    told_at: datetime | None = None
    end: datetime


class PlanShown(BaseModel):
    """A plan.

    Args:
        version: None while it is only proposed.
        solver: `cp-sat`, `annealing`, `tabu search` or `dispatch`: who made the sequences.
        status: `optimal` when nothing is better, else `feasible`.
        bound: No plan costs less than this many points.
        gap: Share of the objective that may still be saved; None where no bound is known.
        dispatch_objective: What the dispatch rule alone would have cost.
        cp: What CP-SAT brought, whoever made the sequences; None where it was not asked.
        current_objective: What going on as now costs, for a proposal.
        waiting: Wishes for a plan that are not answered yet.
        released: Locks that contradict each other or the plant as it is, and that the plan is without.
        breaks: Accepted dates that it does not keep.
        left_out: Orders that are in no plan until somebody mends what is wrong with them.
    """

    id: UUID
    version: int | None
    solver: str
    status: str
    objective: int
    bound: int
    gap: float | None
    dispatch_objective: int
    current_objective: int | None
    late_orders: int
    trigger: list[PlanTrigger]
    made_at: datetime
    published_at: datetime | None
    by: str | None
    origin: datetime
    rule: str
    score: PlanScore
    cp: PlanCpShare | None = None
    operations: list[PlannedOperation]
    orders: list[PlannedOrder]
    equipment: list[PlannedUnit]
    waiting: int
    trouble: PlanTrouble | None
    released: list[ReleasedLock] = []
    breaks: list[BrokenDate] = []
    left_out: list[OrderLeftOut] = []


class PlanPlace(BaseModel):
    equipment: str
    start: datetime


class PlanMove(BaseModel):
    """An operation that changes its unit, or its place in the order of its unit.

    Args:
        cause: What its order is saved from, or else the order that has its place now, or the set-up that
            is saved.
    """

    model_config = ConfigDict(populate_by_name=True)

    job_order: str
    work_order: str
    from_: Annotated[PlanPlace, Field(alias="from")]
    to: PlanPlace
    cause: LateCause | None = None


class PlanShift(BaseModel):
    """An order that ends at another time with the proposal.

    Args:
        cause: What takes most more of its minutes with the proposal; of an order that is saved, less.
    """

    work_order: str
    end_before: datetime
    end_after: datetime
    late_before_min: int
    late_after_min: int
    cause: LateCause | None = None


class PlanDiff(BaseModel):
    """What a proposal changes.

    Args:
        late: Orders that get later than they may, or still later.
        saved: Orders that are less late.
        added: Operations that no plan had before.
    """

    moved: list[PlanMove]
    late: list[PlanShift]
    saved: list[PlanShift]
    added: list[str]
    trigger: list[PlanTrigger]


class ProposalShown(PlanShown):
    diff: PlanDiff
