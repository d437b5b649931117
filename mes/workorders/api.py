"""Routes of work orders."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import Field

from mes.access.guard import CommandBody, ReadTx, commanded, require, run_command
from mes.access.model import Caller, Permission
from mes.kernel.db import Tx
from mes.kernel.ids import JobOrderId
from mes.tracking import service as tracking
from mes.tracking.model import GenealogyEdge, SerialUnit
from mes.workorders import service
from mes.workorders.model import JobComponent, JobOrder, OrderRow, WorkOrder, WorkOrderStatus

router = APIRouter(prefix="/api/v1", tags=["work orders"])

Viewer = Annotated[Caller, require(Permission.PLANT_VIEW)]
Releaser = Annotated[Caller, commanded(Permission.ORDER_RELEASE)]
Changer = Annotated[Caller, commanded(Permission.ORDER_CHANGE)]


@dataclass(frozen=True, slots=True)
class WorkOrderPage:
    """An order with its jobs, what they take, its pieces, and the lots that went into it."""

    work_order: WorkOrder
    jobs: list[JobOrder]
    components: list[JobComponent]
    serials: list[SerialUnit]
    genealogy: list[GenealogyEdge]


@dataclass(frozen=True, slots=True)
class Released:
    """The jobs that a release made."""

    job_orders: tuple[JobOrderId, ...]


class Cancellation(CommandBody):
    """Why an order is not made."""

    reason: Annotated[str, Field(max_length=200)]


@router.get("/work-orders")
async def work_orders(
    caller: Viewer,  # noqa: ARG001 - the guard
    tx: ReadTx,
    status: Annotated[list[WorkOrderStatus] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[OrderRow]:
    """Return the order list: open orders first, then the newest."""
    statuses = None if status is None else [one.value for one in status]
    return await service.work_orders(tx, statuses, limit)


@router.get("/work-orders/{number}")
async def work_order(number: str, caller: Viewer, tx: ReadTx) -> WorkOrderPage:  # noqa: ARG001 - the guard
    """Return one order with all that belongs to it."""
    return WorkOrderPage(
        await service.get_work_order(tx, number),
        await service.jobs_of(tx, number),
        await service.components_of_order(tx, number),
        await tracking.serials_of(tx, number),
        await tracking.genealogy(tx, number),
    )


@router.post("/work-orders/{number}/release", response_model=Released)
async def release(request: Request, number: str, body: CommandBody, caller: Releaser) -> JSONResponse:
    """Make an order's jobs."""

    async def act(tx: Tx) -> Released:
        return Released(await service.release_work_order(tx, number))

    return await run_command(request, caller, "workorders.release", body, act)


@router.post("/work-orders/{number}/close")
async def close(request: Request, number: str, body: CommandBody, caller: Changer) -> JSONResponse:
    """Book nothing more on a completed order."""

    async def act(tx: Tx) -> None:
        await service.close_work_order(tx, number)

    return await run_command(request, caller, "workorders.close", body, act)


@router.post("/work-orders/{number}/cancel")
async def cancel(request: Request, number: str, body: Cancellation, caller: Changer) -> JSONResponse:
    """Give up an order that nobody has begun."""

    async def act(tx: Tx) -> None:
        await service.cancel_work_order(tx, number, body.reason)

    return await run_command(request, caller, "workorders.cancel", body, act)
