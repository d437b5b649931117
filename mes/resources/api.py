"""Routes of equipment, people and reasons."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from mes.access import reach
from mes.access.guard import CommandBody, ReadTx, commanded, require, run_command
from mes.access.model import Caller, Permission
from mes.kernel.clock import utc_now
from mes.kernel.db import Tx
from mes.kernel.ids import PersonId
from mes.resources import service
from mes.resources.model import Equipment, Reason, Roster

router = APIRouter(prefix="/api/v1", tags=["resources"])

Viewer = Annotated[Caller, require(Permission.PLANT_VIEW)]
Clerk = Annotated[Caller, commanded(Permission.PERSON_CLOCK, placed=True)]


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
