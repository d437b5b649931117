"""The planner's routes: the plan in force, the open proposal, promises."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from mes.access.guard import CommandBody, ReadTx, plant_of, require, run_command
from mes.access.model import Caller, Permission
from mes.kernel.clock import utc_now
from mes.kernel.db import Tx
from mes.kernel.errors import PlantError
from mes.kernel.ids import MaterialId
from planner import answering, service

router = APIRouter(prefix="/api/v1/planner", tags=["planner"])

Reader = Annotated[Caller, require(Permission.PLAN_VIEW)]


class NothingPlanned(PlantError):
    """There is no plan yet."""

    http_status = 404
    remedy = "The first plan comes by itself when an order is released."


class ReplanWish(CommandBody):
    """Why a planner wants a new plan."""

    reason: Annotated[str, Field(max_length=200)] = "manual"


class PlanReason(BaseModel):
    """What binds a start or a date: a code for the pages to translate, and its parameters."""

    code: str
    params: dict[str, str | int]


class PlannedOperation(BaseModel):
    """One bar; the set-up lies between `setup_start` and `start`."""

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


class CalendarWindow(BaseModel):
    """Working time, or a stop inside it; what lies between is closed."""

    model_config = ConfigDict(populate_by_name=True)

    from_: Annotated[datetime, Field(alias="from")]
    to: datetime
    kind: Literal["work", "stop"]


class PlannedUnit(BaseModel):
    id: str
    name: str
    work_center: str
    calendar: list[CalendarWindow]


class PlanTrigger(BaseModel):
    """What asked for this plan, and who."""

    reason: str
    params: dict[str, Any]
    by: str


class PlanFault(BaseModel):
    """A row of the plant's facts that cannot be planned, and how to mend it."""

    row: str
    what: str
    remedy: str


class PlanTrouble(BaseModel):
    """Why the newest wish for a plan was refused."""

    error: str
    faults: list[PlanFault] = []


class PlanScore(BaseModel):
    """The parts of the objective: weighted late minutes, set-up minutes, changes, flow minutes.

    Args:
        makespan: Minute at which everything is complete; it costs nothing in a running plant.
    """

    tardiness: int
    setup: int
    moved: int
    shift: int
    flow: int
    late: int
    makespan: int = 0
    total: int


class PlanShown(BaseModel):
    """A plan.

    Args:
        version: None while it is only proposed.
        solver: `cp-sat`, `annealing` or `dispatch`: who made the sequences.
        status: `optimal` when nothing is better, else `feasible`.
        bound: No plan costs less than this many points.
        gap: Share of the objective that may still be saved.
        dispatch_objective: What the dispatch rule alone would have cost.
        current_objective: What going on as now costs, for a proposal.
        waiting: Wishes for a plan that are not answered yet.
    """

    id: UUID
    version: int | None
    solver: str
    status: str
    objective: int
    bound: int
    gap: float
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
    operations: list[PlannedOperation]
    orders: list[PlannedOrder]
    equipment: list[PlannedUnit]
    waiting: int
    trouble: PlanTrouble | None


class PlanPlace(BaseModel):
    equipment: str
    start: datetime


class PlanMove(BaseModel):
    """An operation that changes its unit, or its place in the order of its unit."""

    model_config = ConfigDict(populate_by_name=True)

    job_order: str
    work_order: str
    from_: Annotated[PlanPlace, Field(alias="from")]
    to: PlanPlace


class PlanShift(BaseModel):
    """An order that ends at another time with the proposal."""

    work_order: str
    end_before: datetime
    end_after: datetime
    late_before_min: int
    late_after_min: int


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


class PromiseShown(BaseModel):
    """The earliest date that moves nobody, and what binds it."""

    material: str
    quantity: str
    date: datetime
    binding: PlanReason


class Asked(BaseModel):
    request: UUID


class Published(BaseModel):
    plan: UUID
    version: int


class Discarded(BaseModel):
    plan: UUID
    status: Literal["discarded"]


@router.get("/plan", response_model=PlanShown)
async def plan(tx: ReadTx, _caller: Reader) -> dict[str, Any]:
    """Return the plan in force: operations, orders with why they are late, units' calendars."""
    found = await service.plan_in_force(tx)
    if found is None:
        raise NothingPlanned
    return found


@router.get("/proposal", response_model=ProposalShown, responses={204: {"description": "No open proposal"}})
async def proposal(tx: ReadTx, _caller: Reader) -> dict[str, Any] | Response:
    """Return the open proposal and what it changes; 204 when there is none."""
    found = await service.open_proposal(tx)
    return Response(status_code=204) if found is None else found


@router.post("/replan", response_model=Asked)
async def replan(
    request: Request,
    caller: Annotated[Caller, require(Permission.PLAN_PROPOSE)],
    body: ReplanWish,
) -> Response:
    """Ask for a new plan; the answer comes as a plan or a proposal within seconds."""

    async def carry_out(tx: Tx) -> dict[str, str]:
        asked = await service.ask(tx, "manual", {"reason": body.reason}, move=True)
        return {"request": str(asked)}

    return await run_command(request, caller, "planner.replan", body, carry_out)


@router.post("/proposals/{plan_id}/publish", response_model=Published)
async def publish(
    request: Request,
    caller: Annotated[Caller, require(Permission.PLAN_PUBLISH)],
    plan_id: Annotated[UUID, Path()],
    body: CommandBody,
) -> Response:
    """Put a proposal in force, with the times of now, unless the floor has overtaken it."""
    db, question = plant_of(request).db, {"plan": str(plan_id)}
    said = await answering.inquire(db, caller.actor, "renew", question)

    async def carry_out(tx: Tx) -> dict[str, Any]:
        return await service.publish_proposal(tx, plan_id, said)

    return await run_command(request, caller, "planner.publish", body, carry_out)


@router.post("/proposals/{plan_id}/discard", response_model=Discarded)
async def discard(
    request: Request,
    caller: Annotated[Caller, require(Permission.PLAN_PUBLISH)],
    plan_id: Annotated[UUID, Path()],
    body: CommandBody,
) -> Response:
    """Drop the open proposal; the plan in force stays."""

    async def carry_out(tx: Tx) -> dict[str, Any]:
        return await service.discard_proposal(tx, plan_id)

    return await run_command(request, caller, "planner.discard", body, carry_out)


@router.get("/promise", response_model=PromiseShown)
async def promise(
    request: Request,
    caller: Reader,
    material: Annotated[str, Query(max_length=100)],
    quantity: Annotated[Decimal, Query(gt=0, le=1_000_000)],
) -> dict[str, Any]:
    """Say when a new order could be done without moving anybody, and what binds that date."""
    db = plant_of(request).db
    async with db.read() as tx:
        await service.check_quote(tx, MaterialId(material), quantity, utc_now())
    asked = {"material": material, "quantity": str(quantity)}
    return {**asked, **await answering.inquire(db, caller.actor, "quote", asked)}
