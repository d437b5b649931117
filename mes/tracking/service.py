"""Reserve and move serial numbers, link lots to orders and pieces, write as-built records."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from mes.kernel.db import Tx
from mes.kernel.ids import LotNumber, MaterialId, SerialNumber, WorkOrderNumber
from mes.kernel.outbox import append
from mes.tracking import store
from mes.tracking.allocate import Used, allocate
from mes.tracking.events import AsBuiltComponent, AsBuiltRecorded
from mes.tracking.model import (
    AsBuilt,
    Basis,
    BuiltIn,
    GenealogyEdge,
    SerialCountWrong,
    SerialNotExpected,
    SerialStatus,
    SerialUnit,
    WhereUsed,
)

Need = Mapping[MaterialId, Decimal]
"""What one piece takes of each material, in the material's unit."""


async def reserve_serials(
    tx: Tx, work_order: WorkOrderNumber, material: MaterialId, pieces: int, prefix: str
) -> None:
    """Give an order its serial numbers: `prefix` and eight digits, one per piece."""
    await store.reserve_serials(tx, work_order, material, pieces, prefix)


async def resize_serials(tx: Tx, work_order: WorkOrderNumber, pieces: int, prefix: str) -> None:
    """Give an order more numbers, or take the last ones back, before any piece has one."""
    await store.void_from(tx, work_order, pieces + 1)
    await store.reserve_more(tx, work_order, pieces, prefix)


async def serials_of(tx: Tx, work_order: str) -> list[SerialUnit]:
    """Return an order's serial numbers in their order."""
    return await store.serials_of(tx, work_order)


async def find_serial(tx: Tx, serial: str) -> SerialUnit | None:
    """Return a serial number, or None."""
    return await store.find_serial(tx, serial)


async def void_serials(tx: Tx, work_order: str) -> None:
    """Give up the numbers that no piece of an order got."""
    await store.void_serials(tx, work_order)


async def reserve_more(tx: Tx, work_order: WorkOrderNumber, pieces: int, prefix: str) -> None:
    """Give an order numbers up to `pieces`; it keeps those that it has."""
    await store.reserve_more(tx, work_order, pieces, prefix)


def waiting(serials: Iterable[SerialUnit], from_operation: int, *, first: bool) -> list[SerialUnit]:
    """Return the pieces that lie before an operation, in order.

    Args:
        from_operation: The operation before.
        first: Pieces get their number at this operation.
    """
    wanted = SerialStatus.RESERVED if first else SerialStatus.ASSIGNED
    return [
        one for one in serials if one.status is wanted and (first or one.last_operation == from_operation)
    ]


def choose(
    there: Sequence[SerialUnit], pieces: Decimal, named: Sequence[SerialNumber]
) -> tuple[SerialNumber, ...]:
    """Return the serial numbers of `pieces` pieces: the named ones, or the next that lie there.

    Raises:
        SerialCountWrong: Named are more or fewer than `pieces`.
        SerialNotExpected: A named piece does not lie there, or too few do.
    """
    if not named:
        if len(there) < pieces:
            raise SerialNotExpected(expected=len(there), pieces=f"{pieces:f}")
        return tuple(one.serial for one in there[: int(pieces)])
    if len(named) != pieces or len(set(named)) != len(named):
        raise SerialCountWrong(named=len(named), pieces=f"{pieces:f}")
    known = {one.serial for one in there}
    for serial in named:
        if serial not in known:
            raise SerialNotExpected(serial=serial)
    return tuple(named)


async def move_serials(
    tx: Tx, serials: Sequence[SerialNumber], status: SerialStatus, last_operation: int
) -> None:
    """Note that pieces passed an operation, were lost at it, or (a reversal) lie before it again."""
    if serials:
        await store.save_serials(tx, serials, status, last_operation)


async def link(tx: Tx, edge: GenealogyEdge) -> None:
    """Note that a lot went into an order, or (negative) came back out of it."""
    await store.insert_edge(tx, edge)


async def record_as_built(
    tx: Tx,
    serials: Sequence[SerialNumber],
    work_order: WorkOrderNumber,
    material: MaterialId,
    need: Need,
) -> None:
    """Write what pieces consist of: their first record, or the next revision where that differs.

    Args:
        serials: Pieces of one order; the first is given its lots first.
        need: What a piece takes; decides how much of the order's lots each piece is given.
    """
    if not serials:
        return
    scanned = await store.used_for_pieces(tx, work_order, serials)
    pool = _less(
        await store.used_for_order(tx, work_order),
        await store.given_to_others(tx, work_order, serials),
    )
    known = await store.records_of(tx, serials)
    records = []
    for serial in serials:
        components = allocate(need, scanned.get(serial, ()), pool)
        pool = _less(pool, (part for part in components if part.basis is Basis.ALLOCATED))
        before = await store.find_as_built(tx, serial) if serial in known else None
        if before is None:
            records.append(
                AsBuilt(
                    serial=serial,
                    revision=1,
                    work_order=work_order,
                    material=material,
                    at=tx.now,
                    components=components,
                )
            )
        elif set(before.components) != set(components):
            revision = before.revision + 1
            records.append(replace(before, revision=revision, at=tx.now, components=components))
    await store.insert_as_built(tx, records)
    for record in records:
        await append(tx, _recorded(tx.site, record))


def _less(pool: Iterable[Used], given: Iterable[Used | BuiltIn]) -> list[Used]:
    taken: dict[tuple[MaterialId, LotNumber], Decimal] = {}
    for part in given:
        place = (part.material, part.lot)
        taken[place] = taken.get(place, Decimal(0)) + part.quantity
    return [
        Used(used.material, used.lot, rest, used.uom)
        for used in pool
        if (rest := used.quantity - taken.get((used.material, used.lot), Decimal(0))) > 0
    ]


def _recorded(site: str, record: AsBuilt) -> AsBuiltRecorded:
    return AsBuiltRecorded(
        site=site,
        serial=record.serial,
        revision=record.revision,
        work_order=record.work_order,
        material=record.material,
        components=tuple(
            AsBuiltComponent(
                material=part.material,
                lot=part.lot,
                quantity=part.quantity,
                uom=part.uom,
                basis=part.basis,
            )
            for part in record.components
        ),
    )


async def correct_as_built(
    tx: Tx, work_order: WorkOrderNumber, material: MaterialId, lot: LotNumber, need: Need
) -> None:
    """Correct the records of the finished pieces of an order that were said to hold a lot.

    Called after part of the lot was returned.
    """
    pieces = await store.pieces_with_lot(tx, work_order, lot)
    await record_as_built(tx, pieces, work_order, material, need)


async def fill_as_built(
    tx: Tx, work_order: WorkOrderNumber, material: MaterialId, used: MaterialId, need: Need
) -> None:
    """Add to the records of the finished pieces of an order what they are said to lack.

    Called after a lot was used for the order later than for its first pieces.

    Args:
        used: The material of that lot.
    """
    if used in need:
        pieces = await store.pieces_without(tx, work_order, used, need[used])
        await record_as_built(tx, pieces, work_order, material, need)


async def as_built(tx: Tx, serial: str) -> AsBuilt | None:
    """Return the newest record of a piece, or None while it is in work."""
    return await store.find_as_built(tx, serial)


async def genealogy(tx: Tx, work_order: str) -> list[GenealogyEdge]:
    """Return every use of a lot for an order, oldest first."""
    return await store.edges_of(tx, work_order)


async def where_used(tx: Tx, lot: str) -> list[WhereUsed]:
    """Return the orders that a lot went into, and the pieces known to hold it."""
    return await store.where_used(tx, lot)
