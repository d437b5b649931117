"""Receive, move, hold, release and scrap lots; every change is a line of the stock ledger."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from mes.definitions import service as definitions
from mes.inventory import store
from mes.inventory.events import (
    LotCounted,
    LotHeld,
    LotReceived,
    LotReleased,
    LotScrapped,
    ReceiptDelayed,
    ReceiptExpected,
)
from mes.inventory.model import (
    CountBelowZero,
    CountDraft,
    ExpectedReceipt,
    ExpectedReceiptDraft,
    Lot,
    LotDraft,
    LotEmpty,
    LotName,
    LotNotClear,
    LotNotHeld,
    LotNumberTaken,
    LotStatus,
    LotUnitWrong,
    Movement,
    MovementKind,
    QuantityNotPositive,
    ReceiptDiffers,
    Stock,
    UnknownBarcode,
    plain,
)
from mes.kernel.db import Tx
from mes.kernel.ids import JobOrderId, LotNumber, MaterialId, WorkOrderNumber, uuid7
from mes.kernel.outbox import append
from mes.resources import service as resources
from mes.resources.model import ReasonKind


async def receive_lot(tx: Tx, draft: LotDraft) -> LotNumber:
    """Put a receipt of a lot into stock; the same receipt again is booked once.

    Another material's lot may have the same number: then this one is called `<number>@<material>` here.

    Raises:
        QuantityNotPositive: Nothing was received.
        MaterialUnknown: The material is not known.
        LotUnitWrong: The quantity is not in the material's unit.
        ReceiptDiffers: The receipt was booked before with another quantity or material.
        LotNumberTaken: The number and the one that tells it apart are those of other lots.
    """
    if draft.quantity <= 0:
        raise QuantityNotPositive(quantity=plain(draft.quantity))
    booked = await _booked(tx, draft.receipt, draft.material, draft.quantity)
    if booked is not None:
        return booked
    lot = await _lot_of(tx, draft)
    await _move(
        tx, lot, draft.material, MovementKind.RECEIPT, draft.quantity, draft.uom, receipt=draft.receipt
    )
    await append(tx, _received(tx.site, lot, draft))
    return lot


async def count_lot(tx: Tx, draft: CountDraft) -> LotNumber:
    """Correct the stock of a lot by what a count found; the same correction again is booked once.

    Raises:
        MaterialUnknown: The material is not known.
        LotUnitWrong: The quantity is not in the material's unit.
        ReceiptDiffers: The correction was booked before with another quantity or material.
        CountBelowZero: There is less of the lot than the count takes away.
        LotNumberTaken: As `receive_lot`.
    """
    booked = await _booked(tx, draft.erp_ref, draft.material, draft.quantity)
    if booked is not None:
        return booked
    if draft.quantity > 0:
        lot = await _lot_of(tx, _found(draft))
    else:
        lot = await _lot_with(tx, draft)
    await _move(tx, lot, draft.material, MovementKind.COUNT, draft.quantity, draft.uom, receipt=draft.erp_ref)
    told = LotCounted(
        site=tx.site,
        lot=lot,
        material=draft.material,
        quantity=draft.quantity,
        uom=draft.uom,
        erp_ref=draft.erp_ref,
    )
    await append(tx, told)
    return lot


def _found(draft: CountDraft) -> LotDraft:
    return LotDraft(
        material=draft.material,
        quantity=draft.quantity,
        uom=draft.uom,
        lot=draft.lot,
        receipt=draft.erp_ref,
        expires_at=draft.expires_at,
    )


async def _booked(tx: Tx, receipt: str | None, material: MaterialId, quantity: Decimal) -> LotNumber | None:
    """Return the lot of a receipt that was booked before."""
    if receipt is None:
        return None
    booked = await store.find_receipt(tx, receipt)
    if booked is None:
        return None
    if (booked.material, booked.quantity) != (material, quantity):
        raise ReceiptDiffers(receipt=receipt, lot=booked.lot)
    return booked.lot


async def _lot_of(tx: Tx, draft: LotDraft) -> LotNumber:
    """Return the lot that a receipt belongs to, opened where it is the first."""
    material = await definitions.get_material(tx, draft.material)
    if material.uom != draft.uom:
        raise LotUnitWrong(material=draft.material, uom=material.uom, sent=draft.uom)
    number = draft.lot or await store.next_lot_number(tx, draft.material)
    known = await store.lot_of_material(tx, draft.material, number)
    if known is not None:
        await _reopen(tx, known)
        return known.id
    for identity in (number, LotNumber(f"{number}@{draft.material}")):
        if await store.insert_lot(tx, identity, number, draft):
            return identity
    raise LotNumberTaken(lot=number)


async def _reopen(tx: Tx, lot: Lot) -> None:
    """Block a lot that was thrown away and of which more comes: quality says what it is good for."""
    if lot.status is LotStatus.SCRAPPED:
        reason = lot.reason or ""
        await store.save_status(tx, lot.id, LotStatus.HELD, reason)
        await append(tx, LotHeld(site=tx.site, lot=lot.id, material=lot.material, reason=reason))


async def _lot_with(tx: Tx, draft: CountDraft) -> LotNumber:
    """Return the lot that a count takes from, which has so much."""
    lot = await store.lot_of_material(tx, draft.material, draft.lot)
    on_hand = lot.on_hand if lot is not None else Decimal(0)
    if lot is None or on_hand + draft.quantity < 0:
        raise CountBelowZero(lot=draft.lot, on_hand=plain(on_hand), quantity=plain(-draft.quantity))
    if lot.uom != draft.uom:
        raise LotUnitWrong(material=draft.material, uom=lot.uom, sent=draft.uom)
    return lot.id


def _received(site: str, number: LotNumber, draft: LotDraft) -> LotReceived:
    return LotReceived(
        site=site,
        lot=number,
        material=draft.material,
        quantity=draft.quantity,
        uom=draft.uom,
        price=draft.price,
        currency=draft.currency,
        supplier=draft.supplier,
        purchase=draft.purchase,
        expires_at=draft.expires_at,
    )


async def put_expected_receipt(tx: Tx, draft: ExpectedReceiptDraft) -> None:
    """Note a purchase on its way, or that it changed; a later date is told to everybody.

    Raises:
        MaterialUnknown: The material is not known.
    """
    await definitions.get_material(tx, draft.material)
    before = await store.save_expected(tx, draft)
    told = ReceiptExpected(
        site=tx.site,
        purchase=draft.purchase,
        material=draft.material,
        quantity=draft.quantity,
        uom=draft.uom,
        expected_at=draft.expected_at,
    )
    if before is None:
        await append(tx, told)
    elif draft.quantity > 0 and draft.expected_at > before.expected_at:
        await append(tx, ReceiptDelayed(**vars(told), previous=before.expected_at))


async def get_lot(tx: Tx, lot: str, materials: Collection[MaterialId] = ()) -> Lot:
    """Return the lot that a code means; one in other letters where none has that very number.

    `<number>@<material>` means the lot of that material, however many have the number.

    Args:
        materials: What is wanted, where lots of several materials have the number.

    Raises:
        UnknownBarcode: No lot has that number.
        LotNotClear: Several lots are meant alike.
    """
    found = await store.find_lot(tx, await _meant(tx, lot, materials))
    if found is None:
        raise UnknownBarcode(kind="LOT", code=lot)
    return found


async def lock_lot(tx: Tx, lot: str, materials: Collection[MaterialId] = ()) -> Lot:
    """Return a lot as `get_lot`, which nobody else moves until the transaction ends.

    Raises:
        UnknownBarcode: No lot has that number.
        LotNotClear: Several lots are meant alike.
    """
    found = await store.lock_lot(tx, await _meant(tx, lot, materials))
    if found is None:
        raise UnknownBarcode(kind="LOT", code=lot)
    return found


async def called(tx: Tx, code: str, materials: Collection[MaterialId] = ()) -> list[LotName]:
    """Return the lots that a code may mean, each with what means it alone; more than one is unclear.

    Args:
        materials: What is wanted, where lots of several materials have the number.
    """
    lots = await store.meant(tx, code, materials)
    numbers = [one.number for one in lots]
    shared = {one.number for one in lots if numbers.count(one.number) > 1}
    names = (
        LotName(one.id, one.number, f"{one.number}@{one.material}" if one.number in shared else one.id)
        for one in lots
    )
    return sorted(names, key=lambda one: one.clear)


async def _meant(tx: Tx, code: str, materials: Collection[MaterialId]) -> LotNumber:
    lots = await called(tx, code, materials)
    if len(lots) > 1:
        raise LotNotClear(lot=code, lots=", ".join(one.clear for one in lots))
    return lots[0].id if lots else LotNumber(code)


async def issue(
    tx: Tx, lot: Lot, quantity: Decimal, work_order: WorkOrderNumber, job_order: JobOrderId
) -> UUID:
    """Take `quantity` of a locked lot for a job; return the movement.

    Raises:
        LotBlocked, LotExpired, LotReserved, LotTooSmall: As `Lot.check_usable`.
    """
    lot.check_usable(work_order, quantity, tx.now)
    movement = Movement(
        id=uuid7(),
        lot=lot.id,
        material=lot.material,
        kind=MovementKind.CONSUMPTION,
        quantity=-quantity,
        uom=lot.uom,
        at=tx.now,
        actor=tx.cause.actor,
        work_order=work_order,
        job_order=job_order,
    )
    await store.insert_movement(tx, movement)
    return movement.id


async def put_back(tx: Tx, issue_of: UUID, reason: str) -> UUID:
    """Undo an issue; return the movement that does it."""
    issued = await store.get_movement(tx, issue_of)
    movement = Movement(
        id=uuid7(),
        lot=issued.lot,
        material=issued.material,
        kind=MovementKind.RETURN,
        quantity=-issued.quantity,
        uom=issued.uom,
        at=tx.now,
        actor=tx.cause.actor,
        work_order=issued.work_order,
        job_order=issued.job_order,
        reason=reason,
        reverses=issued.id,
    )
    await store.insert_movement(tx, movement)
    return movement.id


async def hold_lot(tx: Tx, lot: str, reason: str, materials: Collection[MaterialId] = ()) -> None:
    """Forbid the use of a lot; held again, it stays held with its first reason.

    Args:
        materials: What is meant, where lots of several materials have the number.

    Raises:
        UnknownBarcode, LotNotClear: No lot has that number, or several have.
        ReasonUnknown: No such reason.
        LotEmpty: It was scrapped.
    """
    locked = await lock_lot(tx, lot, materials)
    await resources.check_reason(tx, ReasonKind.LOT, reason)
    if locked.status is LotStatus.SCRAPPED:
        raise LotEmpty(lot=lot)
    if locked.status is LotStatus.HELD:
        return
    await store.save_status(tx, locked.id, LotStatus.HELD, reason)
    await append(tx, LotHeld(site=tx.site, lot=locked.id, material=locked.material, reason=reason))


async def release_lot(tx: Tx, lot: str) -> None:
    """Allow the use of a held lot again.

    Raises:
        UnknownBarcode, LotNotClear: No lot has that number, or several have.
        LotNotHeld: It is not held.
    """
    locked = await lock_lot(tx, lot)
    if locked.status is not LotStatus.HELD:
        raise LotNotHeld(lot=lot, status=locked.status.value)
    await store.save_status(tx, locked.id, LotStatus.AVAILABLE, None)
    await append(tx, LotReleased(site=tx.site, lot=locked.id, material=locked.material))


async def scrap_lot(tx: Tx, lot: str, reason: str, materials: Collection[MaterialId] = ()) -> None:
    """Throw away what is left of a lot.

    Args:
        materials: What is meant, where lots of several materials have the number.

    Raises:
        UnknownBarcode, LotNotClear: No lot has that number, or several have.
        ReasonUnknown: No such reason.
        LotEmpty: Nothing is left.
    """
    locked = await lock_lot(tx, lot, materials)
    await resources.check_reason(tx, ReasonKind.LOT, reason)
    if locked.on_hand <= 0:
        raise LotEmpty(lot=lot)
    await _move(
        tx, locked.id, locked.material, MovementKind.SCRAP, -locked.on_hand, locked.uom, reason=reason
    )
    await store.save_status(tx, locked.id, LotStatus.SCRAPPED, reason)
    await append(
        tx,
        LotScrapped(
            site=tx.site,
            lot=locked.id,
            material=locked.material,
            quantity=locked.on_hand,
            uom=locked.uom,
            reason=reason,
        ),
    )


async def usable_lots(tx: Tx, materials: Collection[MaterialId], work_order: str) -> list[Lot]:
    """Return the lots that an order may use, the first to expire first."""
    return await store.usable_lots(tx, list(materials), work_order)


async def movements(tx: Tx, lot: str) -> list[Movement]:
    """Return the ledger of a lot, oldest first."""
    return await store.movements(tx, lot)


async def stock(tx: Tx, at: datetime) -> list[Stock]:
    """Return what there is of every material at the moment; expiry is judged at `at`."""
    return await store.stock(tx, at)


async def expected_receipts(tx: Tx) -> list[ExpectedReceipt]:
    """Return the purchases still on their way, the next one first."""
    return await store.expected(tx)


async def _move(  # noqa: PLR0917 - the columns of one ledger line
    tx: Tx,
    lot: LotNumber,
    material: MaterialId,
    kind: MovementKind,
    quantity: Decimal,
    uom: str,
    *,
    reason: str | None = None,
    receipt: str | None = None,
) -> None:
    movement = Movement(
        id=uuid7(),
        lot=lot,
        material=material,
        kind=kind,
        quantity=quantity,
        uom=uom,
        at=tx.now,
        actor=tx.cause.actor,
        reason=reason,
    )
    await store.insert_movement(tx, movement)
    if receipt is not None:
        await store.insert_receipt(tx, receipt, movement.id)
