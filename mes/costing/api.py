"""Route of an order's costs."""

from dataclasses import dataclass

from fastapi import APIRouter

from mes.access.guard import ReadTx, require
from mes.access.model import Permission
from mes.costing import service
from mes.costing.model import Balance, CostEntry
from mes.kernel.ids import WorkOrderNumber

router = APIRouter(prefix="/api/v1", tags=["costing"])


@dataclass(frozen=True, slots=True)
class OrderCosts:
    """An order's entries, and the sum of each account over them."""

    work_order: WorkOrderNumber
    entries: list[CostEntry]
    balances: list[Balance]


@router.get("/costs/{work_order}", dependencies=[require(Permission.COST_VIEW)])
async def costs(tx: ReadTx, work_order: str) -> OrderCosts:
    """Return every entry of a work order with its lines, and what its accounts add up to."""
    return OrderCosts(
        WorkOrderNumber(work_order),
        await service.entries(tx, work_order),
        await service.balances(tx, work_order),
    )
