"""Routes of equipment, people and reasons."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, Field

from mes.access import reach
from mes.access.guard import CommandBody, ReadTx, commanded, require, run_command
from mes.access.model import Caller, Permission
from mes.identification.code import Code
from mes.kernel.clock import utc_now
from mes.kernel.db import Tx
from mes.kernel.ids import PersonId
from mes.resources import service, tooling
from mes.resources.model import Equipment, Reason, Roster, ToolStatus

router = APIRouter(prefix="/api/v1", tags=["resources"])

Viewer = Annotated[Caller, require(Permission.PLANT_VIEW)]
Keeper = Annotated[Caller, commanded(Permission.RESOURCE_KEEP)]
Clerk = Annotated[Caller, commanded(Permission.PERSON_CLOCK, placed=True)]


class TakenOut(CommandBody):
    """How many pieces of a tool are out of service, until when, and why."""

    count: Annotated[int, Field(ge=1)] = 1
    until: AwareDatetime
    reason: Code


class PutBack(CommandBody):
    """Which pieces of a tool are back: those taken out under this id, or all."""

    out: UUID | None = None


@router.get("/equipment")
async def equipment(caller: Viewer, tx: ReadTx) -> list[Equipment]:  # noqa: ARG001 - the guard
    """Return the site's hierarchy from the top down."""
    return await service.hierarchy(tx)


@router.get("/people")
async def people(caller: Viewer, tx: ReadTx) -> Roster:  # noqa: ARG001 - the guard
    """Return the shift that runs, everybody, and who is at work."""
    return await service.roster(tx, utc_now())


@router.get("/reasons")
async def reasons(caller: Viewer, tx: ReadTx) -> list[Reason]:  # noqa: ARG001 - the guard
    """Return every reason code."""
    return await service.reasons(tx)


@router.post("/people/{person}/clock-in")
async def clock_in(request: Request, person: str, body: CommandBody, caller: Clerk) -> JSONResponse:
    """Note that a person came to work: oneself at a terminal, others who oversees the floor."""

    async def act(tx: Tx) -> None:
        await reach.check_person(tx, caller, person)
        await service.clock_in(tx, PersonId(person))

    return await run_command(request, caller, "resources.clock_in", body, act)


@router.get("/tools")
async def tools(caller: Viewer, tx: ReadTx) -> list[ToolStatus]:  # noqa: ARG001 - the guard
    """Return every tool, and which of them are out of service."""
    return await tooling.tools(tx, utc_now())


@router.post("/tools/{tool}/take-out")
async def take_out(request: Request, tool: str, body: TakenOut, caller: Keeper) -> JSONResponse:
    """Take pieces of a tool out of service until a time: plans do without them."""

    async def act(tx: Tx) -> dict[str, str]:
        return {"out": str(await tooling.take_out(tx, tool, body.count, body.until, body.reason))}

    return await run_command(request, caller, "resources.take_out", body, act)


@router.post("/tools/{tool}/put-back")
async def put_back(request: Request, tool: str, body: PutBack, caller: Keeper) -> JSONResponse:
    """Put pieces of a tool into service again before their time."""

    async def act(tx: Tx) -> dict[str, int]:
        return {"count": await tooling.put_back(tx, tool, body.out)}

    return await run_command(request, caller, "resources.put_back", body, act)
