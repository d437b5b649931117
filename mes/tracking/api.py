"""Routes that trace lots and pieces."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter

from mes.access.guard import ReadTx, require
from mes.access.model import Caller, Permission
from mes.inventory import service as inventory
from mes.inventory.model import Lot, Movement, UnknownBarcode
from mes.tracking import service
from mes.tracking.model import AsBuilt, SerialUnit, WhereUsed

router = APIRouter(prefix="/api/v1", tags=["tracking"])

Viewer = Annotated[Caller, require(Permission.PLANT_VIEW)]


@dataclass(frozen=True, slots=True)
class LotPage:
    """A lot, its ledger, and where it went."""

    lot: Lot
    movements: list[Movement]
    where_used: list[WhereUsed]


@dataclass(frozen=True, slots=True)
class SerialPage:
    """A piece, and what it consists of once it is finished."""

    serial: SerialUnit
    as_built: AsBuilt | None


@router.get("/lots/{lot}")
async def lot_page(lot: str, caller: Viewer, tx: ReadTx) -> LotPage:  # noqa: ARG001 - the guard
    """Return a lot, its ledger, and where it went."""
    found = await inventory.get_lot(tx, lot)
    return LotPage(found, await inventory.movements(tx, found.id), await service.where_used(tx, found.id))


@router.get("/serials/{serial}")
async def serial_page(serial: str, caller: Viewer, tx: ReadTx) -> SerialPage:  # noqa: ARG001 - the guard
    """Return a piece and what it consists of."""
    found = await service.find_serial(tx, serial)
    if found is None:
        raise UnknownBarcode(kind="SN", code=serial)
    return SerialPage(found, await service.as_built(tx, serial))
