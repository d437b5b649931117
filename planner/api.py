"""The planner's routes: the plan in force, the open proposal, promises."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from mes.access.guard import (
    CommandBody,
    ReadTx,
    answer_given,
    commanded,
    idempotency_key,
    plant_of,
    require,
    run_command,
)
from mes.access.model import Caller, Permission
from mes.definitions import service as definitions
from mes.kernel.clock import utc_now
from mes.kernel.db import Tx
from mes.kernel.errors import PlantError
from mes.kernel.ids import EquipmentId, JobOrderId, MaterialId, uuid7
from planner import answering, asking, holding, locking, service, store
from planner.shown import PlanReason, PlanShown, ProposalShown
from planner.view import version_in_force
from planner.web import JSON, answers

router = APIRouter(prefix="/api/v1/planner", tags=["planner"])

Reader = Annotated[Caller, require(Permission.PLAN_VIEW)]


MOST_PARAMS = 12
"""Of another way to a date; more are none of ours."""

Whole = Annotated[int, Field(ge=-(10**9), le=10**9)]
"""A number in another way to a date: minutes and points stay far within."""


class NothingPlanned(PlantError):
    """There is no plan yet."""

    http_status = 404
    remedy = "The first plan comes by itself when an order is released."


class ReplanWish(CommandBody):
    """Why a planner wants a new plan."""

    reason: Annotated[str, Field(max_length=200)] = "manual"


class UndoWish(CommandBody):
    """Which plan in force is taken back, and why."""

    version: Annotated[int, Field(ge=1)]
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class Product(BaseModel):
    """What is made here, whether or not anything of it is on order."""

    material: str
    name: str


class PromiseOption(BaseModel):
    """Another way to a date, and what it costs.

    Args:
        kind: `split`: a `quantity` at `first`, the rest at the date. `overtime`: `unit` stays open for
            `minutes` more, from `first` on, with somebody who stays. `unit`: the step that waits longest
            goes to this `unit`. `delay`: `order`, of
            less weight, is done `later`, and is `late` by so many more minutes, each of which costs `points`
            times its `weight`; `customer` waits for it.
        price: Points of the plan's objective.
    """

    kind: Literal["split", "overtime", "unit", "delay"]
    date: AwareDatetime
    price: int
    params: Annotated[dict[str, str | Whole], Field(max_length=MOST_PARAMS)]


class DateEvidence(BaseModel):
    """What is known of the work centres that an order goes through.

    Args:
        jobs: Finished job orders whose times were measured; with 0 it is what is believed of any floor.
        pace: Real minutes for a minute of standard time (AUBT for PRI x PQ).
        first_time_yield: Share of pieces that pass all steps without being made again, 0 to 1.
    """

    jobs: int
    pace: float
    first_time_yield: float


class PromiseShown(BaseModel):
    """The earliest date that moves nobody, what binds it, and the other ways to a date.

    Args:
        latest: It is kept in nine of ten cases; null while that is not known, or beyond all calendars.
    """

    material: str
    quantity: str
    date: datetime
    latest: datetime | None
    evidence: DateEvidence
    binding: PlanReason
    alternatives: list[PromiseOption]


class LateFix(BaseModel):
    """One way to make a late order less late, tried on the plan in force.

    Args:
        code: `overtime`, `unit` (go there instead) and `repair` are about a unit, `before` and `grouped`
            (right after it, with its set-up) about another order, `person` about a skill, `tool` about one
            more of a tool, `sooner` about a material.
        minutes: How much of it is needed.
        saves: Minutes that the order is less late.
        price: Points of the plan's objective that it takes from other orders, with so many for each of its
            minutes.
        also_saves: Minutes that other orders are less late with it; the price is none the lower for it.
    """

    code: Literal["overtime", "unit", "before", "grouped", "person", "tool", "sooner", "repair"]
    subject: str
    minutes: int
    saves: int
    price: int
    also_saves: int


class LateFixes(BaseModel):
    """The ways that help, the cheapest first."""

    fixes: list[LateFix]


class HoldWish(CommandBody):
    """A date that a customer accepts.

    Args:
        customer_order: Its places go over to the order of this number, when that comes.
        customer: Number or name; where there is no order number yet, they go over to his next order of as
            many of the same.
        option: Another way to a date, as it was told: taken if it still holds, no later and no dearer.
        latest: The planned date (`date`) that was answered; a later one is refused. With an option its own
            counts.
        hold_h: For so many hours the places are kept.
    """

    material: Annotated[str, Field(max_length=100)]
    quantity: Annotated[Decimal, Field(gt=0, le=1_000_000)]
    priority: Annotated[int, Field(ge=1, le=9)] = answering.LEAST_URGENT
    customer_order: Annotated[str | None, Field(max_length=100)] = None
    customer: Annotated[str | None, Field(max_length=200)] = None
    latest: AwareDatetime | None = None
    option: PromiseOption | None = None
    hold_h: Annotated[int, Field(ge=1, le=720)] = 48


class Held(BaseModel):
    """An accepted date; `name` is its order in plans."""

    promise: UUID
    name: str
    date: datetime


class HoldShown(BaseModel):
    """An accepted date whose places are kept; of an order in two parts each has its own.

    Args:
        promised_at: The planned date that was told and accepted.
        safe_at: By when nine of ten such orders are done, as was told with it; null where nobody could say.
        planned_at: When the plan in force has it done.
    """

    id: UUID
    name: str
    material: str
    quantity: Decimal
    priority: int
    customer_order: str | None
    customer: str | None
    promised_at: datetime
    safe_at: datetime | None
    planned_at: datetime
    held_until: datetime
    accepted_at: datetime
    accepted_by: str
    option: PromiseOption | None


class Released(BaseModel):
    promise: UUID
    status: Literal["released"]


class LockWish(CommandBody):
    """Where a planner puts a job.

    Args:
        start: Its run, after the set-up, begins in that minute.
    """

    equipment: Annotated[str, Field(max_length=100)]
    start: AwareDatetime


class Locked(BaseModel):
    """A job that plans leave where it was put."""

    job_order: str
    equipment: str
    start: datetime


class Unlocked(BaseModel):
    job_order: str
    status: Literal["unlocked"]


class Asked(BaseModel):
    request: UUID


class Published(BaseModel):
    plan: UUID
    version: int


class Discarded(BaseModel):
    plan: UUID
    status: Literal["discarded"]


@router.get("/plan", responses=answers(PlanShown))
async def plan(_caller: Reader, tx: ReadTx) -> Response:
    """Return the plan in force: operations, orders with why they are late, units' calendars."""
    found = await service.plan_in_force(tx)
    if found is None:
        raise NothingPlanned
    return Response(found, media_type=JSON)


@router.get("/proposal", responses={**answers(ProposalShown), 204: {"description": "No open proposal"}})
async def proposal(_caller: Reader, tx: ReadTx) -> Response:
    """Return the open proposal and what it changes; 204 when there is none."""
    found = await service.open_proposal(tx)
    return Response(status_code=204) if found is None else Response(found, media_type=JSON)


@router.post("/replan", response_model=Asked)
async def replan(
    request: Request,
    caller: Annotated[Caller, commanded(Permission.PLAN_PROPOSE)],
    body: ReplanWish,
) -> Response:
    """Ask for a new plan; the answer comes as a plan or a proposal within seconds."""

    async def carry_out(tx: Tx) -> dict[str, str]:
        asked = await service.ask(tx, "manual", {"reason": body.reason}, move=True)
        return {"request": str(asked)}

    return await run_command(request, caller, "planner.replan", body, carry_out)


@router.post("/plan/undo", response_model=Published)
async def undo(
    request: Request,
    caller: Annotated[Caller, commanded(Permission.PLAN_PUBLISH)],
    body: UndoWish,
) -> Response:
    """Put the plan in force again that was there before `version`, with the times of now."""
    if (given := await answer_given(request, "planner.undo", body)) is not None:
        return given
    db, again = plant_of(request).db, uuid7()
    async with db.read() as tx:
        before = await service.plan_before(tx, body.version)
    why = {"reason": "undo", "params": {"version": body.version, "reason": body.reason}, "by": caller.actor}
    asked = {"plan": str(before), "again": str(again), "trigger": [why], "planned_on": body.version}
    said = await asking.inquire(db, caller.actor, "bring-back", asked)

    async def carry_out(tx: Tx) -> dict[str, Any]:
        return await service.undo(tx, body.version, again, body.reason, said)

    return await run_command(request, caller, "planner.undo", body, carry_out)


@router.post("/proposals/{plan_id}/publish", response_model=Published)
async def publish(
    request: Request,
    caller: Annotated[Caller, commanded(Permission.PLAN_PUBLISH)],
    plan_id: Annotated[UUID, Path()],
    body: CommandBody,
) -> Response:
    """Put a proposal in force, with the times of now, unless the floor has overtaken it."""
    if (given := await answer_given(request, "planner.publish", body)) is not None:
        return given
    db, question = plant_of(request).db, {"plan": str(plan_id)}
    said = await asking.inquire(db, caller.actor, "renew", question)

    async def carry_out(tx: Tx) -> dict[str, Any]:
        return await service.publish_proposal(tx, plan_id, said)

    return await run_command(request, caller, "planner.publish", body, carry_out)


@router.post("/proposals/{plan_id}/discard", response_model=Discarded)
async def discard(
    request: Request,
    caller: Annotated[Caller, commanded(Permission.PLAN_PUBLISH)],
    plan_id: Annotated[UUID, Path()],
    body: CommandBody,
) -> Response:
    """Drop the open proposal; the plan in force stays."""

    async def carry_out(tx: Tx) -> dict[str, Any]:
        return await service.discard_proposal(tx, plan_id)

    return await run_command(request, caller, "planner.discard", body, carry_out)


@router.get("/products", response_model=list[Product])
async def products(_caller: Reader, tx: ReadTx) -> list[dict[str, str]]:
    """Return the products that a customer may be told a date for: those with a work master."""
    return [{"material": row.id, "name": row.name} for row in await definitions.made_here(tx)]


@router.get("/promise", response_model=PromiseShown)
async def promise(
    request: Request,
    caller: Reader,
    *,
    material: Annotated[str, Query(max_length=100)],
    quantity: Annotated[Decimal, Query(gt=0, le=1_000_000)],
    priority: Annotated[int, Query(ge=1, le=9)] = answering.LEAST_URGENT,
    wanted: AwareDatetime | None = None,
) -> dict[str, Any]:
    """Say when a new order could be done without moving anybody, what binds that date, and other ways.

    Of an order in two parts as much as possible comes until it is `wanted`.
    """
    db = plant_of(request).db
    async with db.read() as tx:
        await holding.check_quote(tx, MaterialId(material), quantity, utc_now())
    asked = {"material": material, "quantity": str(quantity)}
    more = {"priority": priority, "wanted": None if wanted is None else wanted.isoformat()}
    said = await asking.inquire(db, caller.actor, "quote", asked | more)
    holding.check_answer(said)
    return {**asked, **said}


@router.get("/orders/{work_order}/fixes", response_model=LateFixes)
async def late_fixes(
    request: Request, caller: Reader, work_order: Annotated[str, Path(max_length=100)]
) -> dict[str, Any]:
    """Say what would make a late order less late, and at what price."""
    db, asked = plant_of(request).db, {"work_order": work_order}
    async with db.read() as tx:
        if await version_in_force(tx) is None:
            raise NothingPlanned
    return await asking.inquire(db, caller.actor, "fixes", asked)


@router.get("/promises", response_model=list[HoldShown])
async def promises(_caller: Reader, tx: ReadTx) -> list[dict[str, Any]]:
    """Return the accepted dates whose places are kept, the earliest first."""
    rows = await store.holds(tx, utc_now())
    return [{name: getattr(row, name) for name in HoldShown.model_fields} for row in rows]


@router.post("/promises", response_model=Held)
async def accept_promise(
    request: Request,
    caller: Annotated[Caller, commanded(Permission.PLAN_PUBLISH)],
    body: HoldWish,
) -> Response:
    """Accept a date: its places are kept until the order comes; the plan in force stays as it is."""
    if (given := await answer_given(request, "planner.promise", body)) is not None:
        return given
    db, now = plant_of(request).db, utc_now()
    name = f"PROMISE-{idempotency_key(request)[-8:].upper()}"
    async with db.read() as tx:
        await holding.check_quote(tx, MaterialId(body.material), body.quantity, now)
    asked = body.model_dump(mode="json", include={"material", "quantity", "priority", "latest", "option"})
    said = await asking.inquire(db, caller.actor, "hold", {**asked, "name": name})
    wish = store.Hold(
        id=uuid7(),
        name=name,
        **body.model_dump(include={"material", "quantity", "priority", "customer_order", "customer"}),
        promised_at=now,
        places={},
        begins_at=now,
        held_until=now + timedelta(hours=body.hold_h),
        accepted_at=now,
        accepted_by=caller.actor,
        option=asked["option"],
    )
    return await run_command(
        request, caller, "planner.promise", body, lambda tx: holding.hold(tx, wish, said)
    )


@router.post("/promises/{promise_id}/release", response_model=Released)
async def release_promise(
    request: Request,
    caller: Annotated[Caller, commanded(Permission.PLAN_PUBLISH)],
    promise_id: Annotated[UUID, Path()],
    body: CommandBody,
) -> Response:
    """Give the places of an accepted date back."""

    async def carry_out(tx: Tx) -> dict[str, Any]:
        return await holding.release_hold(tx, promise_id)

    return await run_command(request, caller, "planner.release", body, carry_out)


@router.post("/jobs/{job_order}/lock", response_model=Locked)
async def lock(
    request: Request,
    caller: Annotated[Caller, commanded(Permission.PLAN_PUBLISH)],
    job_order: Annotated[str, Path(max_length=100)],
    body: LockWish,
) -> Response:
    """Put a job that has not begun on a unit, its run beginning at a minute: plans keep it there."""

    async def carry_out(tx: Tx) -> dict[str, str]:
        return await locking.lock(tx, JobOrderId(job_order), EquipmentId(body.equipment), body.start)

    return await run_command(request, caller, "planner.lock", body, carry_out)


@router.post("/jobs/{job_order}/unlock", response_model=Unlocked)
async def unlock(
    request: Request,
    caller: Annotated[Caller, commanded(Permission.PLAN_PUBLISH)],
    job_order: Annotated[str, Path(max_length=100)],
    body: CommandBody,
) -> Response:
    """Let plans put a job where it is best again."""

    async def carry_out(tx: Tx) -> dict[str, str]:
        return await locking.unlock(tx, JobOrderId(job_order))

    return await run_command(request, caller, "planner.unlock", body, carry_out)
