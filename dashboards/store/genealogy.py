"""What the live page of a serial number or lot shows."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mes.kernel.db import Tx


@dataclass(frozen=True, slots=True)
class SerialRow:
    """One piece of an order, and when its record was made."""

    work_order: str
    serial: str
    at: datetime | None


async def serials(tx: Tx, numbers: list[str]) -> list[SerialRow]:
    """Return the pieces that have their number."""
    return await tx.fetch_all(
        SerialRow,
        """
        select u.work_order, u.serial, (select max(at) from mes.as_built b where b.serial = u.serial) as at
        from mes.serial_unit u
        where u.work_order = any(%(numbers)s) and u.status in ('assigned', 'finished')
        order by u.work_order, u.position
        """,
        {"numbers": numbers},
    )


@dataclass(frozen=True, slots=True)
class PartRow:
    """A lot inside a piece, by its newest as-built record."""

    serial: str
    material: str
    lot: str
    quantity: Decimal
    uom: str


async def parts(tx: Tx, numbers: list[str]) -> list[PartRow]:
    """Return what the pieces of the orders are made of."""
    return await tx.fetch_all(
        PartRow,
        """
        select c.serial, c.material, c.lot, sum(c.quantity) as quantity, min(c.uom) as uom
        from mes.as_built_component c
        join (select serial, max(revision) as revision from mes.as_built
              where work_order = any(%(numbers)s) group by serial) newest using (serial, revision)
        group by c.serial, c.material, c.lot order by c.serial, c.material, c.lot
        """,
        {"numbers": numbers},
    )


@dataclass(frozen=True, slots=True)
class LotRow:
    """A lot, and what is left of it."""

    lot: str
    material: str
    material_name: str
    status: str
    quantity: Decimal
    uom: str
    received_at: datetime
    expires_at: datetime | None
    supplier: str


async def lot(tx: Tx, lot: str) -> LotRow:
    """Return a lot that is there.

    Raises:
        LookupError: It is not.
    """
    found = await tx.fetch_one(
        LotRow,
        """
        select l.id as lot, l.material, m.name as material_name, l.status, l.on_hand as quantity, l.uom,
               l.received_at, l.expires_at, l.supplier
        from mes.lot l join mes.material m on m.id = l.material where l.id = %(lot)s
        """,
        {"lot": lot},
    )
    if found is None:
        raise LookupError(lot)
    return found


@dataclass(frozen=True, slots=True)
class UseRow:
    """Where a lot went."""

    work_order: str
    serial: str | None
    quantity: Decimal
    uom: str
    at: datetime


async def uses(tx: Tx, number: str) -> list[UseRow]:
    """Return the orders and pieces that took from a lot, newest first, at most 200."""
    return await tx.fetch_all(
        UseRow,
        """
        select work_order, serial, sum(quantity) as quantity, min(uom) as uom, max(at) as at
        from mes.genealogy_edge where lot = %(number)s
        group by work_order, serial having sum(quantity) > 0 order by max(at) desc limit 200
        """,
        {"number": number},
    )
