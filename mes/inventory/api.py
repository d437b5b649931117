"""Routes that change whether a lot may be used."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import Field

from mes.access.guard import CommandBody, ReadTx, commanded, require, run_command
from mes.access.model import Caller, Permission
from mes.inventory import service
from mes.inventory.model import ExpectedReceipt, Stock
from mes.kernel.clock import utc_now
from mes.kernel.db import Tx

router = APIRouter(prefix="/api/v1", tags=["inventory"])

Viewer = Annotated[Caller, require(Permission.PLANT_VIEW)]
Releaser = Annotated[Caller, commanded(Permission.LOT_RELEASE)]
Scrapper = Annotated[Caller, commanded(Permission.LOT_SCRAP)]


class LotDecision(CommandBody):
    """Why a lot may not be used."""

    reason: Annotated[str, Field(max_length=60)]


@router.get("/stock")
async def stock(caller: Viewer, tx: ReadTx) -> list[Stock]:  # noqa: ARG001 - the guard
    """Return what there is of every material."""
    return await service.stock(tx, utc_now())


@router.get("/expected-receipts")
async def expected_receipts(caller: Viewer, tx: ReadTx) -> list[ExpectedReceipt]:  # noqa: ARG001 - the guard
    """Return the purchases on their way, the next one first."""
    return await service.expected_receipts(tx)


@router.post("/lots/{lot}/release")
async def release(request: Request, lot: str, body: CommandBody, caller: Releaser) -> JSONResponse:
    """Allow the use of a held lot again."""

    async def act(tx: Tx) -> None:
        await service.release_lot(tx, lot)

    return await run_command(request, caller, "inventory.release_lot", body, act)


@router.post("/lots/{lot}/scrap")
async def scrap(request: Request, lot: str, body: LotDecision, caller: Scrapper) -> JSONResponse:
    """Throw away what is left of a lot."""

    async def act(tx: Tx) -> None:
        await service.scrap_lot(tx, lot, body.reason)

    return await run_command(request, caller, "inventory.scrap_lot", body, act)
