"""Routes of the board, of a unit's figures and of doubtful counts."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime

from mes.access.guard import CommandBody, ReadTx, commanded, require, run_command
from mes.access.model import Caller, Permission
from mes.kernel.clock import utc_now
from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId
from mes.performance import service
from mes.performance.model import Board, DoubtfulCount, Report, Window, WindowNotValid
from mes.resources import service as resources

router = APIRouter(prefix="/api/v1", tags=["performance"])

VIEW = [require(Permission.PLANT_VIEW)]
Decider = Annotated[Caller, commanded(Permission.COUNT_DECIDE, placed=True)]


class Decision(CommandBody):
    """What a person says of a doubtful count."""

    accepted: bool


@router.get("/board", dependencies=VIEW)
async def board(tx: ReadTx) -> Board:
    """Return states, counts and figures of the running shift, and the lag of each link."""
    return await service.board(tx, utc_now())


EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No machine told anything before; the calendar cannot be laid out around the beginning of time."""


@router.get("/kpi/{equipment}", dependencies=VIEW)
async def kpi(
    tx: ReadTx,
    equipment: str,
    starts_at: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    ends_at: Annotated[AwareDatetime | None, Query(alias="to")] = None,
) -> Report:
    """Return a unit's figures with elements and evidence; the running shift so far by default."""
    now = utc_now()
    end = min(ends_at or now, now)
    if min(end, starts_at or end) < EARLIEST:
        raise WindowNotValid(starts_at=starts_at, ends_at=ends_at)
    start = starts_at or (await service.shift_so_far(tx, end)).starts_at
    return await service.report(tx, EquipmentId(equipment), Window(starts_at=start, ends_at=end))


@router.get("/counts/doubtful", dependencies=VIEW)
async def doubtful(tx: ReadTx) -> list[DoubtfulCount]:
    """Return the counts that wait for a person."""
    return await service.doubtful_counts(tx)


@router.post("/counts/{count}/decide")
async def decide(request: Request, caller: Decider, count: int, decision: Decision) -> JSONResponse:
    """Accept or reject a doubtful count."""

    async def handle(tx: Tx) -> DoubtfulCount:
        decided = await service.decide_count(tx, count, accepted=decision.accepted)
        unit = await resources.get_equipment(tx, decided.equipment)
        caller.check(Permission.COUNT_DECIDE, unit.scope)
        return decided

    return await run_command(request, caller, "performance.decide_count", decision, handle)
