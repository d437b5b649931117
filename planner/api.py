"""The planner's routes: the plan in force, the open proposal, promises."""

from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from mes.access.guard import CommandBody, ReadTx, plant_of, require, run_command
from mes.access.model import Caller, Permission
from mes.kernel.clock import utc_now
from mes.kernel.db import Tx
from mes.kernel.errors import PlantError
from mes.kernel.ids import MaterialId
from planner import service

router = APIRouter(prefix="/api/v1/planner", tags=["planner"])

Reader = Annotated[Caller, require(Permission.PLAN_VIEW)]


class NothingPlanned(PlantError):
    """There is no plan yet."""

    http_status = 404
    remedy = "The first plan comes by itself when an order is released."


class ReplanWish(CommandBody):
    """Why a planner wants a new plan."""

    reason: Annotated[str, Field(max_length=200)] = "manual"


@router.get("/plan")
async def plan(tx: ReadTx, _caller: Reader) -> dict[str, Any]:
    """Return the plan in force: operations, orders with why they are late, units' calendars."""
    found = await service.plan_in_force(tx)
    if found is None:
        raise NothingPlanned
    return found


@router.get("/proposal", response_model=None, responses={204: {"description": "No open proposal"}})
async def proposal(tx: ReadTx, _caller: Reader) -> dict[str, Any] | Response:
    """Return the open proposal and what it changes; 204 when there is none."""
    found = await service.open_proposal(tx)
    return Response(status_code=204) if found is None else found


@router.post("/replan")
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


@router.post("/proposals/{plan_id}/publish")
async def publish(
    request: Request,
    caller: Annotated[Caller, require(Permission.PLAN_PUBLISH)],
    plan_id: Annotated[UUID, Path()],
    body: CommandBody,
) -> Response:
    """Put the open proposal in force."""

    async def carry_out(tx: Tx) -> dict[str, Any]:
        return await service.publish_proposal(tx, plan_id)

    return await run_command(request, caller, "planner.publish", body, carry_out)


@router.post("/proposals/{plan_id}/discard")
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


@router.get("/promise")
async def promise(
    request: Request,
    tx: ReadTx,
    _caller: Reader,
    material: Annotated[str, Query(max_length=100)],
    quantity: Annotated[Decimal, Query(gt=0, le=1_000_000)],
) -> dict[str, Any]:
    """Say when a new order could be done without moving anybody, and what binds that date."""
    settings = plant_of(request).settings.planner
    return await service.quote(tx, MaterialId(material), quantity, utc_now(), settings)
