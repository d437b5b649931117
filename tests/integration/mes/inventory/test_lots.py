"""Lots: received once, held, released, scrapped; the ledger says all of it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from mes.definitions.model import MaterialUnknown
from mes.inventory import service as inventory
from mes.inventory.model import (
    CountBelowZero,
    CountDraft,
    LotDraft,
    LotEmpty,
    LotNotClear,
    LotNotHeld,
    LotNumberTaken,
    LotStatus,
    LotUnitWrong,
    MovementKind,
    QuantityNotPositive,
    ReceiptDiffers,
    UnknownBarcode,
)
from mes.kernel.ids import LotNumber, MaterialId
from mes.resources.model import ReasonUnknown
from tests.fixtures.floor import Floor

LOT = "LOT-SEAL-1"


async def test_a_receipt_is_booked_once(floor: Floor) -> None:
    first = await floor.lot("SEAL", "10", receipt="move-7")
    assert await floor.lot("SEAL", "10", receipt="move-7") == first
    with pytest.raises(ReceiptDiffers):
        await floor.lot("SEAL", "11", receipt="move-7")
    async with floor.db.read() as tx:
        assert [one.quantity for one in await inventory.movements(tx, first)] == [10]


async def test_a_lot_comes_in_two_deliveries(floor: Floor) -> None:
    heat = LotNumber("HEAT-1")
    for receipt, quantity in (("move-1", "5"), ("move-2", "7"), ("move-2", "7")):
        assert await floor.lot("CAST-40", quantity, lot=heat, receipt=receipt) == heat
    with pytest.raises(ReceiptDiffers):
        await floor.lot("CAST-40", "8", lot=heat, receipt="move-2")
    async with floor.db.read() as tx:
        assert (await inventory.get_lot(tx, heat)).on_hand == 12
        ledger = [(one.kind, one.quantity) for one in await inventory.movements(tx, heat)]
    assert ledger == [(MovementKind.RECEIPT, 5), (MovementKind.RECEIPT, 7)]


async def test_another_material_may_have_a_lot_of_the_same_number(floor: Floor) -> None:
    heat = LotNumber("HEAT-1")
    assert await floor.lot("CAST-40", "5", lot=heat, receipt="move-1") == heat
    other = [await floor.lot("SHAFT", "3", lot=heat, receipt=f"move-{each}") for each in (2, 3)]
    assert other == ["HEAT-1@SHAFT"] * 2
    async with floor.db.read() as tx:
        with pytest.raises(LotNotClear):
            await inventory.get_lot(tx, heat)
        lots = [
            await inventory.get_lot(tx, heat, (MaterialId("CAST-40"),)),
            await inventory.get_lot(tx, f"{heat}@CAST-40"),
            await inventory.get_lot(tx, other[0]),
        ]
    assert [(one.material, one.on_hand) for one in lots] == [("CAST-40", 5), ("CAST-40", 5), ("SHAFT", 6)]
    await floor.lot("BOX", "1", lot=LotNumber("HEAT-1@SEAL"))
    with pytest.raises(LotNumberTaken):
        await floor.lot("SEAL", "1", lot=heat)


async def test_more_of_a_lot_that_was_thrown_away_waits_for_quality(floor: Floor) -> None:
    await floor.do(lambda tx: inventory.scrap_lot(tx, LOT, "damaged"))
    await floor.lot("SEAL", "4", lot=LotNumber(LOT))
    async with floor.db.read() as tx:
        lot = await inventory.get_lot(tx, LOT)
    assert (lot.status, lot.reason, lot.on_hand) == (LotStatus.HELD, "damaged", 4)
    await floor.do(lambda tx: inventory.release_lot(tx, LOT))


async def test_a_count_corrects_the_stock_once_in_both_directions(floor: Floor) -> None:
    async def count(key: str, quantity: str, lot: str = LOT) -> None:
        draft = CountDraft(
            material=MaterialId("SEAL"), lot=LotNumber(lot), quantity=Decimal(quantity), uom="pc", erp_ref=key
        )
        await floor.do(lambda tx: inventory.count_lot(tx, draft))

    for key, quantity in (("move-1", "-3"), ("move-2", "5"), ("move-1", "-3")):
        await count(key, quantity)
    await count("move-3", "2", "FOUND-1")
    with pytest.raises(CountBelowZero):
        await count("move-4", "-203")
    with pytest.raises(CountBelowZero):
        await count("move-5", "-1", "NEVER-SEEN")
    async with floor.db.read() as tx:
        assert (await inventory.get_lot(tx, LOT)).on_hand == 202
        assert (await inventory.get_lot(tx, "FOUND-1")).on_hand == 2
        ledger = [one.quantity for one in await inventory.movements(tx, LOT)]
    assert ledger == [200, -3, 5]


async def test_lots_without_a_number_get_the_next(floor: Floor) -> None:
    assert [await floor.lot("SEAL", "1") for _ in range(2)] == ["LOT-SEAL-0001", "LOT-SEAL-0002"]


async def test_a_receipt_that_cannot_be(floor: Floor) -> None:
    with pytest.raises(QuantityNotPositive):
        await floor.lot("SEAL", "0")
    with pytest.raises(LotUnitWrong):
        await floor.lot("SEAL", "1", uom="kg")
    with pytest.raises(MaterialUnknown):
        await floor.lot("GOLD", "1")


async def test_a_lot_is_held_and_released(floor: Floor) -> None:
    await floor.do(lambda tx: inventory.hold_lot(tx, LOT, "supplier-defect"))
    await floor.do(lambda tx: inventory.hold_lot(tx, LOT, "damaged"))
    async with floor.db.read() as tx:
        held = await inventory.get_lot(tx, LOT)
    assert (held.status, held.reason) == (LotStatus.HELD, "supplier-defect")
    await floor.do(lambda tx: inventory.release_lot(tx, LOT))
    with pytest.raises(LotNotHeld):
        await floor.do(lambda tx: inventory.release_lot(tx, LOT))
    with pytest.raises(ReasonUnknown):
        await floor.do(lambda tx: inventory.hold_lot(tx, LOT, "because"))
    with pytest.raises(UnknownBarcode):
        await floor.do(lambda tx: inventory.hold_lot(tx, "LOT-0", "damaged"))


async def test_a_scrapped_lot_is_empty(floor: Floor) -> None:
    await floor.do(lambda tx: inventory.scrap_lot(tx, LOT, "damaged"))
    async with floor.db.read() as tx:
        lot = await inventory.get_lot(tx, LOT)
        ledger = await inventory.movements(tx, LOT)
    assert (lot.on_hand, lot.status) == (0, LotStatus.SCRAPPED)
    assert [(one.kind, one.quantity) for one in ledger] == [
        (MovementKind.RECEIPT, 200),
        (MovementKind.SCRAP, -200),
    ]
    with pytest.raises(LotEmpty):
        await floor.do(lambda tx: inventory.scrap_lot(tx, LOT, "damaged"))
    with pytest.raises(LotEmpty):
        await floor.do(lambda tx: inventory.hold_lot(tx, LOT, "damaged"))


async def test_stock_tells_usable_from_held(floor: Floor) -> None:
    await floor.lot("SEAL", "5", expires_at=floor.now - timedelta(days=1))
    other = await floor.order(1)
    await floor.lot("SEAL", "7", reserved_for=other)
    async with floor.db.read() as tx:
        stock = {one.material: one for one in await inventory.stock(tx, floor.now)}
    assert (stock[MaterialId("SEAL")].available, stock[MaterialId("SEAL")].held) == (200, 12)


async def test_the_first_to_expire_is_used_first(floor: Floor) -> None:
    late = await floor.lot("SEAL", "5", expires_at=floor.now + timedelta(days=4000))
    soon = await floor.lot("SEAL", "5", expires_at=floor.now + timedelta(days=3000))
    async with floor.db.read() as tx:
        lots = await inventory.usable_lots(tx, [MaterialId("SEAL")], "WO-000001")
    assert [lot.id for lot in lots] == [soon, late, LOT]


async def test_lots_of_history_are_no_stock(floor: Floor) -> None:
    draft = LotDraft(material=MaterialId("SEAL"), quantity=Decimal(50), uom="pc")
    await floor.do(lambda tx: inventory.receive_lot(tx, draft), simulated=True)
    async with floor.db.read() as tx:
        stock = {one.material: one.available for one in await inventory.stock(tx, floor.now)}
    assert stock[MaterialId("SEAL")] == 200
