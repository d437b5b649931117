"""SQL of serial numbers, the genealogy and as-built records."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mes.kernel.db import Tx
from mes.kernel.ids import LotNumber, MaterialId, SerialNumber, WorkOrderNumber
from mes.tracking.allocate import Used
from mes.tracking.model import AsBuilt, BuiltIn, GenealogyEdge, SerialUnit, WhereUsed

_SERIAL = """
    select serial, work_order, material, position, status, last_operation from mes.serial_unit
"""


async def reserve_serials(
    tx: Tx, work_order: WorkOrderNumber, material: MaterialId, pieces: int, prefix: str
) -> None:
    """Give an order the next `pieces` serial numbers."""
    await tx.execute(
        """
        insert into mes.serial_unit (serial, site, work_order, material, position, status)
        select %(prefix)s || lpad(nextval('mes.serial_number')::text, 8, '0'), %(site)s,
               %(work_order)s, %(material)s, position, 'reserved'
        from generate_series(1, %(pieces)s) as position
        """,
        {
            "prefix": prefix,
            "site": tx.site,
            "work_order": work_order,
            "material": material,
            "pieces": pieces,
        },
    )


async def serials_of(tx: Tx, work_order: str) -> list[SerialUnit]:
    """Return an order's serial numbers in their order."""
    return await tx.fetch_all(
        SerialUnit,
        f"{_SERIAL} where work_order = %(work_order)s order by position",
        {"work_order": work_order},
    )


async def find_serial(tx: Tx, serial: str) -> SerialUnit | None:
    """Return one serial number."""
    return await tx.fetch_one(SerialUnit, f"{_SERIAL} where serial = %(serial)s", {"serial": serial})


async def save_serials(tx: Tx, serials: Sequence[str], status: str, last_operation: int) -> None:
    """Change the state of some serial numbers."""
    await tx.execute(
        """
        update mes.serial_unit set status = %(status)s, last_operation = %(last_operation)s
        where serial = any(%(serials)s)
        """,
        {"serials": list(serials), "status": status, "last_operation": last_operation},
    )


async def void_serials(tx: Tx, work_order: str) -> None:
    """Give up the numbers that no piece of an order got."""
    await tx.execute(
        """
        update mes.serial_unit set status = 'void'
        where work_order = %(work_order)s and status = 'reserved'
        """,
        {"work_order": work_order},
    )


async def void_from(tx: Tx, work_order: str, position: int) -> None:
    """Give up the unused numbers of an order from a position on."""
    await tx.execute(
        """
        update mes.serial_unit set status = 'void'
        where work_order = %(work_order)s and position >= %(position)s and status = 'reserved'
        """,
        {"work_order": work_order, "position": position},
    )


async def reserve_more(tx: Tx, work_order: str, pieces: int, prefix: str) -> None:
    """Give an order numbers up to `pieces`; those it gave up before are not used again."""
    await tx.execute(
        """
        insert into mes.serial_unit (serial, site, work_order, material, position, status)
        select %(prefix)s || lpad(nextval('mes.serial_number')::text, 8, '0'), w.site, w.id, w.material,
               (select coalesce(max(position), 0) from mes.serial_unit where work_order = w.id) + more,
               'reserved'
        from mes.work_order w,
             generate_series(1, %(pieces)s - (select count(*)::integer from mes.serial_unit
                                              where work_order = %(work_order)s and status <> 'void')) as more
        where w.id = %(work_order)s
        """,
        {"work_order": work_order, "pieces": pieces, "prefix": prefix},
    )


async def insert_edge(tx: Tx, edge: GenealogyEdge) -> None:
    """Add an edge to the genealogy."""
    await tx.execute(
        """
        insert into mes.genealogy_edge (id, site, scope, work_order, job_order, material, lot, serial,
                                        quantity, uom, actual, at, simulated)
        values (%(id)s, %(site)s, coalesce((select scope from mes.job_order where id = %(job_order)s), ''),
                %(work_order)s, %(job_order)s, %(material)s, %(lot)s, %(serial)s,
                %(quantity)s, %(uom)s, %(actual)s, %(at)s, %(simulated)s)
        """,
        {
            **{name: getattr(edge, name) for name in edge.__slots__},
            "site": tx.site,
            "simulated": tx.cause.simulated,
        },
    )


@dataclass(frozen=True, slots=True)
class _Scanned:
    serial: SerialNumber
    material: MaterialId
    lot: LotNumber
    quantity: Decimal
    uom: str


async def used_for_pieces(tx: Tx, work_order: str, serials: Sequence[str]) -> dict[SerialNumber, list[Used]]:
    """Return what was used for each of some pieces by name, net of returns."""
    rows = await tx.fetch_all(
        _Scanned,
        """
        select serial, material, lot, sum(quantity) as quantity, uom from mes.genealogy_edge
        where work_order = %(work_order)s and serial = any(%(serials)s)
        group by serial, material, lot, uom having sum(quantity) > 0 order by min(at), lot
        """,
        {"work_order": work_order, "serials": list(serials)},
    )
    found: dict[SerialNumber, list[Used]] = {}
    for row in rows:
        found.setdefault(row.serial, []).append(Used(row.material, row.lot, row.quantity, row.uom))
    return found


async def used_for_order(tx: Tx, work_order: str) -> list[Used]:
    """Return what was used for an order and for no piece by name, net of returns, first use first."""
    return await tx.fetch_all(
        Used,
        """
        select material, lot, sum(quantity) as quantity, uom from mes.genealogy_edge
        where work_order = %(work_order)s and serial is null
        group by material, lot, uom having sum(quantity) > 0 order by min(at), lot
        """,
        {"work_order": work_order},
    )


async def given_to_others(tx: Tx, work_order: str, serials: Sequence[str]) -> list[Used]:
    """Return what the newest records of the order's other pieces were given by allocation."""
    return await tx.fetch_all(
        Used,
        """
        select c.material, c.lot, sum(c.quantity) as quantity, c.uom
        from (select distinct on (serial) serial, revision from mes.as_built
              where work_order = %(work_order)s and serial <> all(%(serials)s)
              order by serial, revision desc) b
        join mes.as_built_component c using (serial, revision)
        where c.basis = 'allocated'
        group by c.material, c.lot, c.uom
        """,
        {"work_order": work_order, "serials": list(serials)},
    )


async def records_of(tx: Tx, serials: Sequence[str]) -> set[SerialNumber]:
    """Return which of some pieces have a record."""
    found = await tx.value(
        "select array_agg(distinct serial) from mes.as_built where serial = any(%(serials)s)",
        {"serials": list(serials)},
    )
    return {SerialNumber(one) for one in found or ()}


async def insert_as_built(tx: Tx, records: Sequence[AsBuilt]) -> None:
    """Add revisions of pieces' records."""
    await tx.execute_many(
        """
        insert into mes.as_built (serial, revision, site, work_order, material, at)
        values (%(serial)s, %(revision)s, %(site)s, %(work_order)s, %(material)s, %(at)s)
        """,
        [
            {
                "serial": record.serial,
                "revision": record.revision,
                "site": tx.site,
                "work_order": record.work_order,
                "material": record.material,
                "at": record.at,
            }
            for record in records
        ],
    )
    await tx.execute_many(
        """
        insert into mes.as_built_component (serial, revision, material, lot, quantity, uom, basis)
        values (%(serial)s, %(revision)s, %(material)s, %(lot)s, %(quantity)s, %(uom)s, %(basis)s)
        """,
        [
            {
                "serial": record.serial,
                "revision": record.revision,
                **{name: getattr(part, name) for name in part.__slots__},
            }
            for record in records
            for part in record.components
        ],
    )


@dataclass(frozen=True, slots=True)
class _Head:
    serial: SerialNumber
    revision: int
    work_order: WorkOrderNumber
    material: MaterialId
    at: datetime


async def find_as_built(tx: Tx, serial: str) -> AsBuilt | None:
    """Return the newest record of a piece."""
    head = await tx.fetch_one(
        _Head,
        """
        select serial, revision, work_order, material, at from mes.as_built
        where serial = %(serial)s order by revision desc limit 1
        """,
        {"serial": serial},
    )
    if head is None:
        return None
    parts = await tx.fetch_all(
        BuiltIn,
        """
        select material, lot, quantity, uom, basis from mes.as_built_component
        where serial = %(serial)s and revision = %(revision)s order by material, lot
        """,
        {"serial": serial, "revision": head.revision},
    )
    return AsBuilt(
        serial=head.serial,
        revision=head.revision,
        work_order=head.work_order,
        material=head.material,
        at=head.at,
        components=tuple(parts),
    )


async def pieces_with_lot(tx: Tx, work_order: str, lot: str) -> list[SerialNumber]:
    """Return the pieces of an order whose newest record has a lot, in order."""
    found = await tx.value(
        """
        select array_agg(distinct u.serial order by u.serial)
        from mes.serial_unit u join mes.as_built_component c on c.serial = u.serial
        where u.work_order = %(work_order)s and c.lot = %(lot)s
          and c.revision = (select max(n.revision) from mes.as_built n where n.serial = u.serial)
        """,
        {"work_order": work_order, "lot": lot},
    )
    return list(found or ())


async def pieces_without(tx: Tx, work_order: str, material: str, quantity: Decimal) -> list[SerialNumber]:
    """Return the finished pieces of an order whose newest record has less of a material, in order."""
    found = await tx.value(
        """
        select array_agg(u.serial order by u.position)
        from mes.serial_unit u
        where u.work_order = %(work_order)s and u.status = 'finished' and %(quantity)s > (
            select coalesce(sum(c.quantity), 0) from mes.as_built_component c
            where c.serial = u.serial and c.material = %(material)s
              and c.revision = (select max(n.revision) from mes.as_built n where n.serial = u.serial))
        """,
        {"work_order": work_order, "material": material, "quantity": quantity},
    )
    return list(found or ())


async def edges_of(tx: Tx, work_order: str) -> list[GenealogyEdge]:
    """Return the genealogy of an order, oldest first."""
    return await tx.fetch_all(
        GenealogyEdge,
        """
        select id, work_order, job_order, material, lot, serial, quantity, uom, actual, at
        from mes.genealogy_edge where work_order = %(work_order)s order by at, id
        """,
        {"work_order": work_order},
    )


async def where_used(tx: Tx, lot: str) -> list[WhereUsed]:
    """Return the orders that a lot went into, and the pieces known to hold it."""
    return await tx.fetch_all(
        WhereUsed,
        """
        select e.work_order, w.material, sum(e.quantity) as quantity, e.uom,
               array(select distinct b.serial
                     from mes.as_built b join mes.as_built_component c using (serial, revision)
                     where b.work_order = e.work_order and c.lot = %(lot)s
                       and b.revision = (select max(n.revision) from mes.as_built n
                                         where n.serial = b.serial)
                     order by b.serial) as serials
        from mes.genealogy_edge e join mes.work_order w on w.id = e.work_order
        where e.lot = %(lot)s
        group by e.work_order, w.material, e.uom having sum(e.quantity) <> 0
        order by min(e.at)
        """,
        {"lot": lot},
    )
