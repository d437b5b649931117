"""Routes of maintenance."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, Field

from mes.access.guard import CommandBody, ReadTx, commanded, require, run_command
from mes.access.model import Caller, Permission
from mes.identification.code import Code
from mes.kernel.clock import utc_now
from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId
from mes.maintenance import service
from mes.maintenance.model import Maintenance, MaintenanceDraft

router = APIRouter(prefix="/api/v1", tags=["maintenance"])

Viewer = Annotated[Caller, require(Permission.PLANT_VIEW)]
Keeper = Annotated[Caller, commanded(Permission.RESOURCE_KEEP)]
Text = Annotated[str, Field(min_length=1, max_length=200)]


class Planned(CommandBody):
    """Which unit, for how many minutes of its working time, between which times."""

    equipment: Code
    name: Text
    minutes: Annotated[int, Field(ge=1, le=20_000)]
    earliest: AwareDatetime
    latest: AwareDatetime
    weight: Annotated[int, Field(ge=1, le=100)] = 1


class Cancelled(CommandBody):
    """Why it is not done this time."""

    reason: Text


@router.get("/maintenance")
async def maintenance(caller: Viewer, tx: ReadTx) -> list[Maintenance]:  # noqa: ARG001 - the guard
    """Return what is planned or runs, and what ended in the last 90 days."""
    return await service.maintenance(tx, utc_now())


@router.post("/maintenance")
async def plan(request: Request, body: Planned, caller: Keeper) -> JSONResponse:
    """Have a unit maintained between two times; the plan says when."""

    async def act(tx: Tx) -> dict[str, str]:
        draft = MaintenanceDraft(
            equipment=EquipmentId(body.equipment),
            name=body.name,
            minutes=body.minutes,
            earliest=body.earliest,
            latest=body.latest,
            weight=body.weight,
        )
        return {"maintenance": await service.plan(tx, draft)}

    return await run_command(request, caller, "maintenance.plan", body, act)


@router.post("/maintenance/{number}/begin")
async def begin(request: Request, number: str, body: CommandBody, caller: Keeper) -> JSONResponse:
    """Note that a unit is maintained from now on."""

    async def act(tx: Tx) -> None:
        await service.begin(tx, number)

    return await run_command(request, caller, "maintenance.begin", body, act)


@router.post("/maintenance/{number}/complete")
async def complete(request: Request, number: str, body: CommandBody, caller: Keeper) -> JSONResponse:
    """Note that maintenance is done."""

    async def act(tx: Tx) -> None:
        await service.complete(tx, number)

    return await run_command(request, caller, "maintenance.complete", body, act)


@router.post("/maintenance/{number}/cancel")
async def cancel(request: Request, number: str, body: Cancelled, caller: Keeper) -> JSONResponse:
    """Leave maintenance out this time."""

    async def act(tx: Tx) -> None:
        await service.cancel(tx, number, body.reason)

    return await run_command(request, caller, "maintenance.cancel", body, act)
