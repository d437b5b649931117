"""SQL of lots, the stock ledger and purchases on their way."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from mes.inventory.model import (
    ExpectedReceipt,
    ExpectedReceiptDraft,
    Lot,
    LotDraft,
    Movement,
    Stock,
)
from mes.kernel.db import Tx
from mes.kernel.ids import LotNumber, MaterialId

_LOT = """
    select id, material, uom, on_hand, status, reason, expires_at, reserved_for, received_at,
           supplier, purchase
    from mes.lot
"""


_MEANT = """
    with fitting as (
        select id, coalesce(number, id) as number, material, rank() over (
            order by %(code)s in (id, coalesce(number, id), coalesce(number, id) || '@' || material) desc,
                     material = any(%(materials)s) desc, simulated
        ) as rank
        from mes.lot
        where id = %(code)s
           or upper(normalize(coalesce(number, id), nfkc)) = upper(normalize(%(code)s, nfkc))
           or upper(normalize(coalesce(number, id), nfkc)) = upper(normalize(%(number)s, nfkc))
              and material = %(material)s
    )
    select id, number, material from fitting where rank = 1 order by id collate "C" limit 5
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """A lot that a code may mean.

    Args:
        number: What the ERP calls it.
    """

    id: LotNumber
    number: str
    material: MaterialId


async def meant(tx: Tx, code: str, materials: Collection[str]) -> list[Meant]:
    """Return the lots that a code may mean.

    Those of that very number go before those in other letters, those of a material that is wanted
    before another's. Nothing else goes before: the lot that only happens to have come first is not meant
    more than another material's of the same number.
    """
    number, _, material = code.rpartition("@")
    known = {"code": code, "materials": list(materials), "number": number, "material": material}
    return await tx.fetch_all(Meant, _MEANT, known)


async def find_lot(tx: Tx, lot: LotNumber) -> Lot | None:
    """Return a lot."""
    return await tx.fetch_one(Lot, f"{_LOT} where id = %(id)s", {"id": lot})


async def lock_lot(tx: Tx, lot: LotNumber) -> Lot | None:
    """Return a lot that nobody else moves until the transaction ends."""
    return await tx.fetch_one(Lot, f"{_LOT} where id = %(id)s for update", {"id": lot})


async def usable_lots(tx: Tx, materials: list[str], work_order: str) -> list[Lot]:
    """Return the lots that an order may use, the first to expire first (FEFO), then the oldest."""
    return await tx.fetch_all(
        Lot,
        f"""
        {_LOT}
        where material = any(%(materials)s) and on_hand > 0 and status = 'available' and not simulated
          and (expires_at is null or expires_at > now())
          and (reserved_for is null or reserved_for = %(work_order)s)
        order by material, reserved_for nulls last, expires_at nulls last, received_at, id
        """,
        {"materials": materials, "work_order": work_order},
    )


@dataclass(frozen=True, slots=True)
class BookedReceipt:
    """A receipt or a count that is in the ledger."""

    lot: LotNumber
    material: MaterialId
    quantity: Decimal


async def find_receipt(tx: Tx, receipt: str) -> BookedReceipt | None:
    """Return what a receipt or a count booked before, by the ERP's key."""
    return await tx.fetch_one(
        BookedReceipt,
        """
        select m.lot, m.material, m.quantity from mes.stock_receipt r
        join mes.stock_movement m on m.id = r.movement where r.key = %(receipt)s
        union all
        select id, material, received from mes.lot where receipt = %(receipt)s
        limit 1
        """,
        {"receipt": receipt},
    )


async def insert_receipt(tx: Tx, receipt: str, movement: UUID) -> None:
    """Note that a movement books a receipt or a count of the ERP."""
    await tx.execute(
        """
        insert into mes.stock_receipt (key, site, movement) values (%(receipt)s, %(site)s, %(movement)s)
        """,
        {"receipt": receipt, "site": tx.site, "movement": movement},
    )


async def lot_of_material(tx: Tx, material: MaterialId, number: LotNumber) -> Lot | None:
    """Return the lot of a material that the ERP calls so, locked; lots of the history are apart."""
    return await tx.fetch_one(
        Lot,
        f"""
        {_LOT} where material = %(material)s and coalesce(number, id) = %(number)s
            and simulated = %(simulated)s for update
        """,
        {"material": material, "number": number, "simulated": tx.cause.simulated},
    )


async def next_lot_number(tx: Tx, material: MaterialId) -> LotNumber:
    """Return the next `LOT-<material>-<nnnn>`."""
    last: int = await tx.value(
        """
        insert into mes.lot_number as n (material, last) values (%(material)s, 1)
        on conflict (material) do update set last = n.last + 1 returning last
        """,
        {"material": material},
    )
    return LotNumber(f"LOT-{material}-{last:04d}")


async def insert_lot(tx: Tx, lot: LotNumber, number: LotNumber, draft: LotDraft) -> bool:
    """Add a lot without stock, which the ERP calls `number`; return False when `lot` is taken."""
    return bool(
        await tx.execute(
            """
            insert into mes.lot (id, number, site, material, uom, status, expires_at, reserved_for,
                                 received_at, price, currency, supplier, purchase, receipt, received,
                                 simulated)
            values (%(id)s, nullif(%(number)s, %(id)s), %(site)s, %(material)s, %(uom)s,
                    'available', %(expires_at)s, %(reserved_for)s, %(at)s, %(price)s, %(currency)s,
                    %(supplier)s, %(purchase)s,
                    %(receipt)s, %(quantity)s, %(simulated)s)
            on conflict (id) do nothing
            """,
            {
                "id": lot,
                "number": number,
                "site": tx.site,
                "at": tx.now,
                "simulated": tx.cause.simulated,
                "material": draft.material,
                "uom": draft.uom,
                "expires_at": draft.expires_at,
                "reserved_for": draft.reserved_for,
                "price": draft.price,
                "currency": draft.currency,
                "supplier": draft.supplier,
                "purchase": draft.purchase,
                "receipt": draft.receipt,
                "quantity": draft.quantity,
            },
        )
    )


async def insert_movement(tx: Tx, movement: Movement) -> None:
    """Add a line to the stock ledger; the lot's stock follows by itself."""
    await tx.execute(
        """
        insert into mes.stock_movement (id, site, scope, lot, material, kind, quantity, uom, work_order,
                                        job_order, reason, reverses, at, actor, simulated)
        values (%(id)s, %(site)s, coalesce((select scope from mes.job_order where id = %(job_order)s), ''),
                %(lot)s, %(material)s, %(kind)s, %(quantity)s, %(uom)s,
                %(work_order)s, %(job_order)s, %(reason)s, %(reverses)s, %(at)s, %(actor)s,
                %(simulated)s)
        """,
        {
            **{name: getattr(movement, name) for name in movement.__slots__},
            "site": tx.site,
            "simulated": tx.cause.simulated,
        },
    )


_MOVEMENT = """
    select id, lot, material, kind, quantity, uom, at, actor, work_order, job_order, reason, reverses
    from mes.stock_movement
"""


async def get_movement(tx: Tx, movement: UUID) -> Movement:
    """Return one line of the ledger, which is there.

    Raises:
        LookupError: It is not.
    """
    found = await tx.fetch_one(Movement, f"{_MOVEMENT} where id = %(id)s", {"id": movement})
    if found is None:
        raise LookupError(movement)
    return found


async def movements(tx: Tx, lot: str) -> list[Movement]:
    """Return the ledger of a lot, oldest first."""
    return await tx.fetch_all(
        Movement,
        f"{_MOVEMENT} where lot = %(lot)s order by at, recorded_at",
        {"lot": lot},
    )


async def save_status(tx: Tx, lot: str, status: str, reason: str | None) -> None:
    """Change whether a lot may be used."""
    await tx.execute(
        "update mes.lot set status = %(status)s, reason = %(reason)s where id = %(id)s",
        {"id": lot, "status": status, "reason": reason},
    )


async def stock(tx: Tx, at: datetime) -> list[Stock]:
    """Return what there is of every material; reserved lots count as held."""
    return await tx.fetch_all(
        Stock,
        """
        select material, uom,
               coalesce(sum(on_hand) filter (where usable), 0) as available,
               coalesce(sum(on_hand) filter (where not usable), 0) as held
        from (select material, uom, on_hand,
                     status = 'available' and reserved_for is null
                     and (expires_at is null or expires_at > %(at)s) as usable
              from mes.lot where site = %(site)s and on_hand > 0 and not simulated) lots
        group by material, uom order by material
        """,
        {"site": tx.site, "at": at},
    )


async def save_expected(tx: Tx, draft: ExpectedReceiptDraft) -> ExpectedReceipt | None:
    """Insert or change a purchase on its way; return what was known of it before."""
    key = {"purchase": draft.purchase, "material": draft.material}
    before = await tx.fetch_one(
        ExpectedReceipt,
        """
        select purchase, material, quantity, uom, expected_at, supplier from mes.expected_receipt
        where purchase = %(purchase)s and material = %(material)s for update
        """,
        key,
    )
    await tx.execute(
        """
        insert into mes.expected_receipt (purchase, material, site, quantity, uom, expected_at, supplier)
        values (%(purchase)s, %(material)s, %(site)s, %(quantity)s, %(uom)s, %(expected_at)s, %(supplier)s)
        on conflict (purchase, material) do update set quantity = excluded.quantity,
            uom = excluded.uom, expected_at = excluded.expected_at, supplier = excluded.supplier
        """,
        {
            **key,
            "site": tx.site,
            "quantity": draft.quantity,
            "uom": draft.uom,
            "expected_at": draft.expected_at,
            "supplier": draft.supplier,
        },
    )
    return before


async def expected(tx: Tx) -> list[ExpectedReceipt]:
    """Return the purchases still on their way, the next one first."""
    return await tx.fetch_all(
        ExpectedReceipt,
        """
        select purchase, material, quantity, uom, expected_at, supplier from mes.expected_receipt
        where site = %(site)s and quantity > 0 order by expected_at, purchase, material
        """,
        {"site": tx.site},
    )
