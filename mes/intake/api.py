"""Routes of the quarantine, of scans that came to nothing, and of edge configurations."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import AfterValidator

from mes.access.guard import CommandBody, ReadTx, commanded, require, run_command
from mes.access.model import Caller, Permission
from mes.intake import service
from mes.intake.model import EdgeConfig, Quarantined, RefusedScan, edge_name, usable
from mes.kernel.db import Tx
from mes.resources import service as resources

router = APIRouter(prefix="/api/v1", tags=["intake"])

VIEW = [require(Permission.EDGE_VIEW)]
Operator = Annotated[Caller, commanded(Permission.WORK_REPORT, placed=True)]
Engineer = Annotated[Caller, commanded(Permission.EDGE_CONFIGURE)]

EdgeName = Annotated[str, AfterValidator(edge_name)]


class NewConfig(CommandBody):
    """Tags and bindings for an edge."""

    config: Annotated[dict[str, Any], AfterValidator(usable)]


@router.get("/edge/quarantine", dependencies=VIEW)
async def quarantine(tx: ReadTx) -> list[Quarantined]:
    """Return the readings that became no fact, and why."""
    return await service.quarantined(tx)


@router.post("/edge/quarantine/{row}/retry")
async def retry(request: Request, caller: Engineer, row: int, body: CommandBody) -> JSONResponse:
    """Let a reading out of quarantine to be tried again."""

    async def handle(tx: Tx) -> dict[str, int]:
        return {"released": await service.retry(tx, row)}

    return await run_command(request, caller, "intake.retry", body, handle)


@router.get("/scans/refused", dependencies=[require(Permission.PLANT_VIEW)])
async def refused_scans(tx: ReadTx) -> list[RefusedScan]:
    """Return what the scanners at the machines read and nobody understood, until somebody has seen it."""
    return await service.refused_scans(tx)


@router.post("/scans/{scan}/noted", response_model=RefusedScan)
async def note_scan(request: Request, caller: Operator, scan: int, body: CommandBody) -> JSONResponse:
    """Say that you have seen why a scan came to nothing."""

    async def handle(tx: Tx) -> RefusedScan:
        noted = await service.note_scan(tx, scan)
        unit = await resources.get_equipment(tx, noted.equipment)
        caller.check(Permission.WORK_REPORT, unit.scope)
        return noted

    return await run_command(request, caller, "intake.note_scan", body, handle)


@router.get("/edge/{edge}/config", dependencies=VIEW)
async def edge_config(tx: ReadTx, edge: str) -> EdgeConfig:
    """Return the newest configuration of an edge, and whether it has acknowledged it."""
    return await service.edge_config(tx, edge)


@router.post("/edge/{edge}/config")
async def put_edge_config(
    request: Request, caller: Engineer, edge: EdgeName, body: NewConfig
) -> JSONResponse:
    """Give an edge a configuration; it applies it without a restart and acknowledges it."""

    async def handle(tx: Tx) -> dict[str, int]:
        return {"version": await service.put_edge_config(tx, edge, body.config)}

    return await run_command(request, caller, "intake.put_edge_config", body, handle)
