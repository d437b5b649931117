"""The planner's routes: the plan in force, the open proposal, promises."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from mes.access.guard import CommandBody, ReadTx, idempotency_key, plant_of, require, run_command
from mes.access.model import Caller, Permission
from mes.kernel.clock import utc_now
from mes.kernel.db import Tx
from mes.kernel.errors import PlantError
from mes.kernel.ids import MaterialId, uuid7
from planner import answering, service, store

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


class PromiseOption(BaseModel):
    """Another way to a date, and what it costs.

    Args:
        kind: `split`: a `quantity` at `first`, the rest at the date. `overtime`: `unit` stays open for
            `minutes` more. `unit`: the step that waits longest goes to this `unit`. `delay`: `order`, of
            no higher priority, is done `later`, and is `late` by so many more minutes.
        price: Points of the plan's objective.
    """

    kind: Literal["split", "overtime", "unit", "delay"]
    date: datetime
    price: int
    params: dict[str, str | int]


class PromiseShown(BaseModel):
    """The earliest date that moves nobody, what binds it, and the other ways to a date."""

    material: str
    quantity: str
    date: datetime
    binding: PlanReason
    alternatives: list[PromiseOption]


class LateFix(BaseModel):
    """One way to make a late order less late, tried on the plan in force.

    Args:
        code: `overtime` and `repair` are about a unit, `before` about another order, `person` about a
            skill, `sooner` about a material.
        minutes: How much of it is needed.
        saves: Minutes that the order is less late.
        price: Points of the plan's objective that it costs.
    """

    code: Literal["overtime", "before", "person", "sooner", "repair"]
    subject: str
    minutes: int
    saves: int
    price: int


class LateFixes(BaseModel):
    """The ways that help, the cheapest for a saved minute first."""

    fixes: list[LateFix]


class HoldWish(CommandBody):
    """A date that a customer accepts.

    Args:
        customer_order: Its places go over to the order of this number, when that comes.
        latest: The date that the customer was told; a later one is refused.
        hold_h: For so many hours the places are kept.
    """

    material: Annotated[str, Field(max_length=100)]
    quantity: Annotated[Decimal, Field(gt=0, le=1_000_000)]
    priority: Annotated[int, Field(ge=1, le=9)] = answering.LEAST_URGENT
    customer_order: Annotated[str | None, Field(max_length=100)] = None
    latest: AwareDatetime | None = None
    hold_h: Annotated[int, Field(ge=1, le=720)] = 48


class Held(BaseModel):
    """An accepted date; `name` is its order in plans."""

    promise: UUID
    name: str
    date: datetime


class HoldShown(BaseModel):
    """An accepted date whose places are kept."""

    id: UUID
    name: str
    material: str
    quantity: Decimal
    priority: int
    customer_order: str | None
    promised_at: datetime
    held_until: datetime
    accepted_at: datetime
    accepted_by: str


class Released(BaseModel):
    promise: UUID
    status: Literal["released"]


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
    priority: Annotated[int, Query(ge=1, le=9)] = answering.LEAST_URGENT,
) -> dict[str, Any]:
    """Say when a new order could be done without moving anybody, what binds that date, and other ways."""
    db = plant_of(request).db
    async with db.read() as tx:
        await service.check_quote(tx, MaterialId(material), quantity, utc_now())
    asked = {"material": material, "quantity": str(quantity)}
    said = await answering.inquire(db, caller.actor, "quote", {**asked, "priority": priority})
    return {**asked, **said}


@router.get("/orders/{work_order}/fixes", response_model=LateFixes)
async def late_fixes(
    request: Request, caller: Reader, work_order: Annotated[str, Path(max_length=100)]
) -> dict[str, Any]:
    """Say what would make a late order less late, and at what price."""
    db, asked = plant_of(request).db, {"work_order": work_order}
    async with db.read() as tx:
        if await service.version_in_force(tx) is None:
            raise NothingPlanned
    return await answering.inquire(db, caller.actor, "fixes", asked)


@router.get("/promises", response_model=list[HoldShown])
async def promises(tx: ReadTx, _caller: Reader) -> list[dict[str, Any]]:
    """Return the accepted dates whose places are kept, the earliest first."""
    rows = await store.holds(tx, utc_now())
    return [{name: getattr(row, name) for name in HoldShown.model_fields} for row in rows]


@router.post("/promises", response_model=Held)
async def accept_promise(
    request: Request,
    caller: Annotated[Caller, require(Permission.PLAN_PUBLISH)],
    body: HoldWish,
) -> Response:
    """Accept a date: its places are kept until the order comes; the plan in force stays as it is."""
    db, now = plant_of(request).db, utc_now()
    name = f"PROMISE-{idempotency_key(request)[-8:].upper()}"
    async with db.read() as tx:
        await service.check_quote(tx, MaterialId(body.material), body.quantity, now)
    asked = body.model_dump(mode="json", include={"material", "quantity", "priority", "latest"})
    said = await answering.inquire(db, caller.actor, "hold", {**asked, "name": name})
    wish = store.Hold(
        id=uuid7(),
        name=name,
        **body.model_dump(include={"material", "quantity", "priority", "customer_order"}),
        promised_at=now,
        places={},
        begins_at=now,
        held_until=now + timedelta(hours=body.hold_h),
        accepted_at=now,
        accepted_by=caller.actor,
    )
    return await run_command(
        request, caller, "planner.promise", body, lambda tx: service.hold(tx, wish, said)
    )


@router.post("/promises/{promise_id}/release", response_model=Released)
async def release_promise(
    request: Request,
    caller: Annotated[Caller, require(Permission.PLAN_PUBLISH)],
    promise_id: Annotated[UUID, Path()],
    body: CommandBody,
) -> Response:
    """Give the places of an accepted date back."""

    async def carry_out(tx: Tx) -> dict[str, Any]:
        return await service.release_hold(tx, promise_id)

    return await run_command(request, caller, "planner.release", body, carry_out)
