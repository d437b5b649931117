"""What the ERP owns comes into the plant once, and what the plant cannot take is kept and tried again."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from erp_bridge import service, store
from erp_bridge.adapter import OddRecord, Stream
from erp_bridge.adapters.memory import Books, MemoryAdapter
from erp_bridge.documents import (
    ExpectedReceipt,
    Incoming,
    MaterialDefinition,
    MaterialLot,
    OperationsDefinition,
    OperationsRequest,
    Person,
    Rate,
)
from erp_bridge.inbound import Inbound
from erp_bridge.outbound import Outbound
from erp_bridge.worker import Bridge
from mes.definitions import service as definitions
from mes.inventory import service as inventory
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database
from mes.kernel.ids import MaterialId
from mes.kernel.settings import Settings
from mes.resources import service as resources
from mes.workorders import service as workorders
from tests.conformance.test_erp_memory import demo_books
from tests.fixtures.postgres import cause

DUE = datetime(2026, 12, 1, 10, tzinfo=UTC)


def request(number: int = 1, **changes: object) -> OperationsRequest:
    wanted = OperationsRequest(
        erp_ref=f"production,{number}", material="PUMP-40", quantity=Decimal(4), uom="pc", due_at=DUE,
        priority=5, cancelled=False, customer_order=f"S-{number}", customer="C-01",
        customer_name="Waterworks",
    )  # fmt: skip
    return replace(wanted, **changes)  # type: ignore[arg-type]


async def plant(db: Database) -> None:
    async with db.transaction(Cause(actor="service:test", at=utc_now() - timedelta(days=400))) as tx:
        await resources.put_plant(tx, resources.load_plant())


async def inbound(db: Database, books: Books) -> Inbound:
    return Inbound(db, MemoryAdapter(books), "Asia/Shanghai", tuple(books.periods))


async def events(db: Database, kind: str) -> int:
    async with db.read() as tx:
        return int(await tx.value("select count(*) from mes.event where type = %(kind)s", {"kind": kind}))


def put(books: Books, stream: Stream, *records: Incoming) -> None:
    books.records[stream] = [*books.records.get(stream, []), *records]


async def test_the_same_order_comes_once_however_often_it_is_sent(db: Database) -> None:
    await plant(db)
    books = demo_books()
    reader = await inbound(db, books)
    await reader.pull(Stream.MATERIALS)
    put(books, Stream.ORDERS, request(), request(), request())
    assert await reader.pull(Stream.ORDERS) == 1
    assert await reader.pull(Stream.ORDERS) == 0
    assert await events(db, "WorkOrderReceived") == 1


async def test_a_changed_order_changes_the_work_order(db: Database) -> None:
    await plant(db)
    books = demo_books()
    reader = await inbound(db, books)
    await reader.pull(Stream.MATERIALS)
    put(books, Stream.ORDERS, request())
    await reader.pull(Stream.ORDERS)
    put(books, Stream.ORDERS, request(priority=1, due_at=DUE - timedelta(days=1)))
    await reader.pull(Stream.ORDERS)
    assert await events(db, "WorkOrderReceived") == 1
    assert await events(db, "WorkOrderChanged") == 1
    put(books, Stream.SALES, request(priority=1, due_at=DUE + timedelta(days=3)))
    assert await reader.pull(Stream.SALES) == 1
    assert await events(db, "WorkOrderChanged") == 2
    async with db.transaction(cause()) as tx:
        order = await workorders.order_of_ref(tx, "production,1")
    assert order is not None
    assert order.due_at == DUE + timedelta(days=3)


async def test_an_order_that_the_erp_takes_back_is_cancelled(db: Database) -> None:
    await plant(db)
    books = demo_books()
    reader = await inbound(db, books)
    await reader.pull(Stream.MATERIALS)
    put(books, Stream.ORDERS, request(cancelled=True, erp_ref="production,77"), request())
    await reader.pull(Stream.ORDERS)
    assert await events(db, "WorkOrderReceived") == 1
    put(books, Stream.ORDERS, request(cancelled=True))
    await reader.pull(Stream.ORDERS)
    assert await events(db, "WorkOrderCancelled") == 1


async def test_a_cancellation_of_an_order_at_work_waits_until_it_is_made(db: Database) -> None:
    await plant(db)
    books = demo_books()
    reader = await inbound(db, books)
    await reader.pull(Stream.MATERIALS)
    put(books, Stream.ORDERS, request())
    await reader.pull(Stream.ORDERS)
    put(books, Stream.ORDERS, request(cancelled=True))
    for status, left in (("Running", ["WorkOrderStarted"]), ("Completed", [])):
        async with db.transaction(cause()) as tx:
            await tx.execute("update mes.work_order set status = %(status)s", {"status": status})
        await reader.pull(Stream.ORDERS)
        await reader.take_refused()
        async with db.read() as tx:
            assert [one.code for one in await service.refusals(tx)] == left


async def test_a_refused_record_is_left_out_until_the_erp_changes_it(db: Database) -> None:
    await plant(db)
    books = demo_books()
    reader = await inbound(db, books)
    put(books, Stream.ORDERS, request())
    await reader.pull(Stream.ORDERS)
    async with db.transaction(cause(actor="account:fay")) as tx:
        (refused,) = await service.refusals(tx)
        with pytest.raises(service.RefusalGone):
            await service.leave_out(tx, refused.stream, refused.key, "another version", "never made here")
        await service.leave_out(tx, refused.stream, refused.key, refused.version, "never made here")
    assert await reader.pull(Stream.ORDERS) + await reader.take_refused() == 0
    async with db.read() as tx:
        assert await service.refusals(tx) == []
        (left,) = await service.refusals_left_out(tx)
        figures = await service.status(tx, "memory", "", "CNY", with_money=True)
    assert (left.left_out_by, left.left_out_reason) == ("account:fay", "never made here")
    assert figures.refused_records == 0
    put(books, Stream.ORDERS, request(due_at=DUE + timedelta(days=1)))
    await reader.pull(Stream.ORDERS)
    async with db.transaction(cause()) as tx:
        (back,) = await service.refusals(tx)
        assert (back.left_out_by, back.key) == (None, refused.key)
        await service.leave_out(tx, back.stream, back.key, back.version, "again")
        await service.take_up(tx, back.stream, back.key)
    await reader.pull(Stream.MATERIALS)
    assert await reader.take_refused() == 1


async def test_an_order_that_the_plant_gives_up_is_cancelled_in_the_erp(db: Database) -> None:
    await plant(db)
    books = demo_books()
    reader = await inbound(db, books)
    await reader.pull(Stream.MATERIALS)
    put(books, Stream.ORDERS, request(1), request(2))
    await reader.pull(Stream.ORDERS)
    async with db.transaction(cause()) as tx:
        order = await workorders.order_of_ref(tx, "production,1")
        assert order is not None
        await workorders.cancel_work_order(tx, order.id, "customer")
    put(books, Stream.ORDERS, request(2, cancelled=True))
    await reader.pull(Stream.ORDERS)
    put(books, Stream.SALES, request(1, due_at=DUE + timedelta(days=3)))
    assert await reader.pull(Stream.SALES) == 1
    worker = Outbound(db, reader.adapter, Settings(), "w", tuple(books.periods))
    await worker.deliver()
    assert books.states["production,1"] == "cancelled"
    async with db.read() as tx:
        told = await service.documents(tx, None, None, 100)
    assert [one.work_order for one in told if one.noun == "OperationsRequestCancelled"] == [order.id]
    put(books, Stream.ORDERS, request(1, cancelled=True))
    await reader.pull(Stream.ORDERS)
    assert await events(db, "WorkOrderCancelled") == 2


async def test_an_order_for_an_unknown_product_waits_until_the_product_comes(db: Database) -> None:
    await plant(db)
    books = demo_books()
    reader = await inbound(db, books)
    put(books, Stream.ORDERS, request())
    assert await reader.pull(Stream.ORDERS) == 0
    async with db.read() as tx:
        (refused,) = await service.refusals(tx)
    assert (refused.code, refused.params) == ("MaterialUnknown", {"material": "PUMP-40"})
    await reader.pull(Stream.MATERIALS)
    assert await reader.take_refused() == 1
    assert await events(db, "WorkOrderReceived") == 1
    async with db.read() as tx:
        assert await service.refusals(tx) == []


async def test_a_price_met_first_holds_since_the_books_began_and_a_new_one_from_now(db: Database) -> None:
    await plant(db)
    books = demo_books()
    reader = await inbound(db, books)
    await reader.pull(Stream.MATERIALS)
    cast = next(
        one for one in books.records[Stream.MATERIALS]
        if isinstance(one, MaterialDefinition) and one.id == "CAST-40"
    )  # fmt: skip
    put(books, Stream.MATERIALS, replace(cast, standard_price=Decimal(130)))
    await reader.pull(Stream.MATERIALS)
    code = MaterialId("CAST-40")
    async with db.read() as tx:
        past = await definitions.standard_prices(tx, [code], utc_now() - timedelta(days=20))
        now = await definitions.standard_prices(tx, [code], utc_now() + timedelta(seconds=1))
    assert past[code].price == 120
    assert now[code].price == 130


async def test_lots_people_rates_and_purchases_find_their_place(db: Database) -> None:
    await plant(db)
    books = demo_books()
    reader = await inbound(db, books)
    await reader.pull(Stream.MATERIALS)
    received = utc_now() - timedelta(days=2)
    lot = MaterialLot(
        receipt="stock.move,1", lot="LOT-CAST-40-0001", material="CAST-40", quantity=Decimal(50), uom="pc",
        price=Decimal(120), currency="CNY", supplier="V", purchase="P-1", received_at=received,
        expires_at=None,
    )  # fmt: skip
    coming = ExpectedReceipt(
        purchase="P-2", material="CAST-40", quantity=Decimal(20), uom="pc",
        expected_at=utc_now() + timedelta(days=1), supplier="V",
    )  # fmt: skip
    put(books, Stream.LOTS, lot, lot)
    put(books, Stream.PURCHASES, coming, replace(coming, expected_at=utc_now() + timedelta(days=2)))
    put(books, Stream.PEOPLE, Person(id="E-1001", name="张伟", active=True, erp_ref="1"))
    put(books, Stream.RATES, Rate(kind="machine", code="MC", per_hour=Decimal(150), currency="CNY"))
    for stream in Stream:
        await reader.pull(stream)
    async with db.read() as tx:
        receipts = await inventory.expected_receipts(tx)
        rate = await resources.rate(tx, "machine", "MC", utc_now())
        assert await service.refusals(tx) == []
        assert await store.records.cursor(tx, "pull/lots") == "2"
    assert await events(db, "LotReceived") == 1
    assert await events(db, "ReceiptDelayed") == 1
    assert [one.purchase for one in receipts] == ["P-2"]
    assert rate is not None


async def test_the_opening_entry_waits_for_the_costs_of_the_history(db: Database) -> None:
    books = demo_books()
    adapter = MemoryAdapter(books)
    worker = Outbound(db, adapter, Settings(), "w", tuple(books.periods))
    async with db.transaction(cause()) as tx:
        await tx.execute(
            "insert into mes.event (event_id, type, schema_version, site, scope, aggregate, payload, actor,"
            " at, simulated) values (gen_random_uuid(), 'HistoryBooked', 1, 'SUZ', '', 'SUZ', '{}', 'x',"
            " now(), true)"
        )
        await tx.execute(
            "insert into mes.cost_account (account, currency, simulated, debit, credit) values"
            " ('finished_goods', 'CNY', true, 100, 40), ('raw_material', 'CNY', true, 0, 60)"
        )
    await worker.collect()
    assert not await worker.open_books()
    async with db.transaction(cause()) as tx:
        await tx.execute(
            "insert into mes.consumer_cursor (consumer, xid, id) values ('costing', pg_current_xact_id(), 0)"
        )
    assert await worker.open_books()
    assert not await worker.open_books()
    await worker.deliver()
    assert {line.account: line.amount for line in books.ledger} == {
        "finished_goods": Decimal(60),
        "raw_material": Decimal(-60),
    }


async def test_a_record_that_makes_no_sense_is_kept_and_the_others_come(db: Database) -> None:
    await plant(db)
    books = demo_books()
    books.odd[Stream.MATERIALS] = (OddRecord("WM-ODD", "operation 'Drilling' has no number"),)
    reader = await inbound(db, books)
    assert await reader.pull(Stream.MATERIALS) > 0
    assert await reader.pull(Stream.MATERIALS) == await reader.take_refused() == 0
    async with db.read() as tx:
        (refused,) = await service.refusals(tx)
    assert (refused.key, refused.code) == ("WM-ODD", "ErpRecordNotUnderstood")
    assert refused.detail == "operation 'Drilling' has no number"
    books.odd.clear()
    await reader.pull(Stream.MATERIALS)
    async with db.read() as tx:
        assert await service.refusals(tx) == []


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        ({"quantity": Decimal("1e200000")}, "ErpRecordNotUnderstood"),
        ({"customer": None}, "ErpRecordNotKept"),
    ],
)
async def test_what_the_database_cannot_keep_spoils_no_other_order(
    db: Database, spoilt: dict[str, object], code: str
) -> None:
    await plant(db)
    books = demo_books()
    reader = await inbound(db, books)
    await reader.pull(Stream.MATERIALS)
    put(books, Stream.ORDERS, request(1, **spoilt), request(2))
    assert await reader.pull(Stream.ORDERS) == 1
    async with db.read() as tx:
        (first,) = await service.refusals(tx)
    await reader.take_refused()
    async with db.read() as tx:
        (refused,) = await service.refusals(tx)
    assert (refused.key, refused.code) == ("production,1", code)
    assert refused.received_at == first.received_at


async def test_an_order_with_a_sign_that_cannot_be_stored_is_taken_without_it(db: Database) -> None:
    await plant(db)
    books = demo_books()
    reader = await inbound(db, books)
    await reader.pull(Stream.MATERIALS)
    put(books, Stream.ORDERS, request(1, customer_name="Water\0works"), request(2))
    assert await reader.pull(Stream.ORDERS) + await reader.take_refused() == 2
    assert await events(db, "WorkOrderReceived") == 2


async def test_a_bill_with_a_component_twice_is_refused_and_the_rest_goes_on(db: Database) -> None:
    await plant(db)
    books = demo_books()
    master = next(one for one in books.records[Stream.MATERIALS] if isinstance(one, OperationsDefinition))
    books.records[Stream.MATERIALS] = [one for one in books.records[Stream.MATERIALS] if one is not master]
    put(books, Stream.MATERIALS, replace(master, bill=(*master.bill, master.bill[0])))
    reader = await inbound(db, books)
    await reader.pull(Stream.MATERIALS)
    async with db.read() as tx:
        (refused,) = await service.refusals(tx)
    assert refused.code == "WorkMasterNotValid"


async def test_a_stream_that_the_erp_does_not_show_holds_up_no_other(db: Database) -> None:
    await plant(db)
    books = demo_books()
    books.barred = {Stream.RATES, Stream.LOTS}
    put(books, Stream.ORDERS, request())
    bridge = Bridge(db, MemoryAdapter(books), Settings(), "w")
    bridge._calm.set()
    loop = asyncio.create_task(bridge._pull())
    try:
        while await events(db, "WorkOrderReceived") == 0:
            assert not loop.done()
            await asyncio.sleep(0.05)
        async with db.read() as tx:
            refused = await service.refusals(tx)
        assert {one.stream for one in refused if one.code == "ErpReadRefused"} == {"rates", "lots"}
        books.barred.clear()
        while refused:
            await asyncio.sleep(0.2)
            async with db.read() as tx:
                refused = await service.refusals(tx)
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


async def test_a_bridge_that_is_told_to_end_in_a_calm_moment_ends(db: Database) -> None:
    bridge = Bridge(db, MemoryAdapter(demo_books()), Settings(), "w")
    waiting = asyncio.create_task(bridge._until_calm())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    bridge._calm.set()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_loop_that_is_refused_is_tried_again_and_ends_no_other(db: Database) -> None:
    bridge = Bridge(db, MemoryAdapter(demo_books()), Settings(), "w")
    async with db.transaction(cause()) as tx:
        await tx.execute(
            "insert into mes.event (event_id, type, schema_version, site, scope, aggregate, payload, actor,"
            " at) values (gen_random_uuid(), 'WorkOrderClosed', 99, 'SUZ', '', 'x', '{}', 'x', now())"
        )
    loops = asyncio.gather(bridge._deliver(), bridge._repeat(1.0, bridge._watch))
    try:
        linked = None
        while linked is None or "deliver" not in bridge._waits:
            assert not loops.done()
            await asyncio.sleep(0.05)
            async with db.read() as tx:
                linked = await store.link.link(tx, Settings().erp.adapter)
    finally:
        loops.cancel()
        await asyncio.gather(loops, return_exceptions=True)
