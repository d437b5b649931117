"""What every ERP adapter keeps, by number. A new adapter gives a `Bench` and inherits the suite.

A bench is an ERP with the facts of the demo plant: products PUMP-40 and their components in lots
`LOT-<material>-0001`, the books of this year open.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Protocol
from uuid import uuid4

import pytest

from erp_bridge.adapter import (
    Absent,
    Applied,
    ErpAdapter,
    Found,
    Held,
    LedgerLine,
    Movement,
    Rejected,
    Retry,
    SnapshotKind,
    StockLine,
    Stream,
)
from erp_bridge.documents import (
    CostPosting,
    Document,
    MaterialActual,
    MaterialCount,
    MaterialDefinition,
    MaterialLot,
    MaterialUse,
    OperationsDefinition,
    OperationsRequest,
    OperationsRequestAccepted,
    OperationsRequestCancelled,
    OperationsRequestClosed,
    OperationsRequestReleased,
    PostingLine,
    PromiseChanged,
    SegmentResponse,
)
from erp_bridge.postings import Books, Head, opening
from mes.costing.model import Account
from mes.costing.standard import value
from mes.kernel.quantity import Money


class Bench(Protocol):
    """An ERP under test."""

    running: "Order | None"
    """An order at work that serves all tests which neither close nor count it."""

    @property
    def adapter(self) -> ErpAdapter:
        """Return the adapter."""
        ...

    async def demand(self, material: str, quantity: int, words: str = "") -> str:
        """Place a customer order; return its number."""
        ...

    async def production_state(self, erp_ref: str) -> str:
        """Return the production's state."""
        ...

    async def promise(self, customer_order: str) -> str:
        """Return what the ERP's people read as the promise."""
        ...

    async def touch(self, erp_refs: Sequence[str]) -> None:
        """Change all these productions at the same moment."""
        ...

    async def postpone(self, customer_order: str, day: date) -> None:
        """Note that the customer wants it on another day."""
        ...

    async def copy_materials(self, price: Decimal, copies: Mapping[str, str]) -> None:
        """Make materials like others, each with a lot `LOT-<code>-0001` and this cost price.

        Args:
            copies: New code by that of the other.
        """
        ...

    async def deliver(self, material: str, lot: str, quantity: Decimal, price: Decimal) -> None:
        """Take a delivery of a lot into stock, which may be there already."""
        ...

    async def count(self, material: str, lot: str, found: Decimal) -> None:
        """Count a lot: the stock is `found` now."""
        ...

    async def close_year(self, year: int) -> None:
        """Close the books of a year."""
        ...

    async def switch(self, *, on: bool) -> None:
        """Let the ERP be reached, or not."""
        ...


NUMBERS = iter(range(1, 100_000))


class Order:
    """A work order in the ERP under test, and the documents about it."""

    def __init__(self, bench: Bench, request: OperationsRequest) -> None:
        self.bench = bench
        self.request = request
        self.number = f"WO-{uuid4().hex[:8]}"

    def head(self, **more: Any) -> dict[str, Any]:
        key = str(uuid4())
        fields = {
            "key": key,
            "lane": f"WO:{self.number}",
            "subject": key,
            "event_time": datetime.now(UTC),
            "posting_date": (datetime.now(UTC) - timedelta(days=1)).date(),
            "work_order": self.number,
        }
        return {**fields, **more}

    async def apply(self, *documents: Document) -> list[str]:
        outcomes = await self.bench.adapter.apply(documents)
        refs: list[str] = []
        for outcome in outcomes:
            assert isinstance(outcome, Applied), outcome
            refs += outcome.ref
        return refs

    async def accept(self) -> "Order":
        url = f"http://127.0.0.1:8080/o/{self.number}"
        erp_ref = self.request.erp_ref
        await self.apply(OperationsRequestAccepted(**self.head(), erp_ref=erp_ref, url=url))
        await self.apply(OperationsRequestReleased(**self.head()))
        return self

    def use(
        self, material: str, quantity: str = "1", use: MaterialUse = MaterialUse.CONSUMED
    ) -> MaterialActual:
        return MaterialActual(
            **self.head(),
            use=use,
            material=material,
            lot=f"LOT-{material}-0001",
            quantity=Decimal(quantity),
            uom="kg" if material == "GREASE" else "pc",
        )

    def made(self, *serials: str, use: MaterialUse = MaterialUse.PRODUCED) -> MaterialActual:
        return MaterialActual(
            **self.head(),
            use=use,
            material="PUMP-40",
            serials=serials,
            quantity=Decimal(len(serials)),
            uom="pc",
        )

    def entry(self, *lines: tuple[str, str, str]) -> CostPosting:
        posted = tuple(
            PostingLine(account=account, debit=Decimal(debit), credit=Decimal(credit))
            for account, debit, credit in lines
        )
        return CostPosting(**self.head(), text="labour AS1", currency="CNY", lines=posted)


def serials(count: int) -> tuple[str, ...]:
    return tuple(f"SN-{next(NUMBERS):08d}" for _ in range(count))


class ErpSuite:
    """The numbered cases."""

    async def order(self, bench: Bench, quantity: int = 2) -> Order:
        sale = await bench.demand("PUMP-40", quantity)
        for request in await self.requests(bench):
            if request.customer_order == sale:
                return await Order(bench, request).accept()
        raise AssertionError(sale)

    async def running(self, bench: Bench) -> Order:
        """Return an order at work; what others book on it is told by its references."""
        if bench.running is None:
            bench.running = await self.order(bench)
        return bench.running

    async def requests(self, bench: Bench) -> list[OperationsRequest]:
        page = await bench.adapter.pull(Stream.ORDERS, "")
        return [record for record in page.records if isinstance(record, OperationsRequest)]

    async def prices(self, bench: Bench) -> dict[str, Decimal]:
        records = (await bench.adapter.pull(Stream.MATERIALS, "")).records
        return {one.id: one.standard_price for one in records if isinstance(one, MaterialDefinition)}

    async def lines(self, bench: Bench, refs: Sequence[str]) -> list[LedgerLine]:
        snapshot = await bench.adapter.snapshot(SnapshotKind.LEDGER)
        found = {line.id: line for line in snapshot.ledger}
        while snapshot.more:
            snapshot = await bench.adapter.snapshot(SnapshotKind.LEDGER, snapshot.cursor)
            found |= {line.id: line for line in snapshot.ledger}
        return [line for line in found.values() if line.ref in refs]

    async def stock(self, bench: Bench) -> list[StockLine]:
        found: dict[int, StockLine] = {}
        snapshot = await bench.adapter.snapshot(SnapshotKind.STOCK)
        found |= {line.id: line for line in snapshot.stock}
        while snapshot.more:
            snapshot = await bench.adapter.snapshot(SnapshotKind.STOCK, snapshot.cursor)
            found |= {line.id: line for line in snapshot.stock}
        return list(found.values())

    async def amounts(self, bench: Bench, refs: Sequence[str]) -> dict[str, Decimal]:
        sums: dict[str, Decimal] = {}
        for line in await self.lines(bench, refs):
            sums[line.account] = sums.get(line.account, Decimal(0)) + line.amount
        return sums

    async def test_erp_01_says_who_it_is_and_that_it_is_there(self, bench: Bench) -> None:
        health = await bench.adapter.health()
        sheet = await bench.adapter.capabilities()
        assert health.reachable
        assert sheet.name
        assert sheet.batch >= 1

    async def test_erp_02_gives_materials_and_how_products_are_made(self, bench: Bench) -> None:
        records = (await bench.adapter.pull(Stream.MATERIALS, "")).records
        materials = {one.id: one for one in records if isinstance(one, MaterialDefinition)}
        masters = {one.material: one for one in records if isinstance(one, OperationsDefinition)}
        assert materials["CAST-40"].standard_price == Decimal(120)
        assert materials["GREASE"].uom == "kg"
        assert not materials["CAST-40"].product
        assert materials["PUMP-40"].product
        pump = masters["PUMP-40"]
        assert [step.operation for step in pump.operations] == [10, 20, 30, 40, 50, 60]
        assert pump.operations[0].run_s == 40
        assert pump.operations[0].setup_s == 60
        bill = {line.material: line for line in pump.bill}
        assert bill["BOLT"].quantity == 8
        assert bill["GREASE"].quantity == Decimal("0.05")
        assert bill["GREASE"].operation == 30

    async def test_erp_03_gives_customer_orders_as_requests(self, bench: Bench) -> None:
        sale = await bench.demand("PUMP-40", 3, "rush, deliver by 2026-11-22T05:30:00+08:00")
        (request,) = [one for one in await self.requests(bench) if one.customer_order == sale]
        assert request.material == "PUMP-40"
        assert request.quantity == 3
        assert request.priority == 1
        assert request.due_at == datetime(2026, 11, 21, 21, 30, tzinfo=UTC)
        assert request.customer_name

    async def test_erp_04_pulls_on_from_a_cursor_and_loses_nothing(self, bench: Bench) -> None:
        first = await bench.demand("PUMP-40", 1)
        page = await bench.adapter.pull(Stream.ORDERS, "")
        second = await bench.demand("PUMP-40", 1)
        later = await bench.adapter.pull(Stream.ORDERS, page.cursor)
        names = {one.customer_order for one in page.records if isinstance(one, OperationsRequest)}
        assert first in names
        assert second in {one.customer_order for one in later.records if isinstance(one, OperationsRequest)}

    async def test_erp_05_takes_the_work_order_and_lets_it_run(self, bench: Bench) -> None:
        order = await self.order(bench)
        assert await bench.production_state(order.request.erp_ref) == "running"
        await order.accept()
        assert await bench.production_state(order.request.erp_ref) == "running"

    async def test_erp_06_values_consumption_as_its_sheet_says(self, bench: Bench) -> None:
        order = await self.running(bench)
        refs = await order.apply(order.use("CAST-40", "2"), order.use("GREASE", "0.050"))
        posting = (await bench.adapter.capabilities()).posts[Movement.ISSUE]
        assert await self.amounts(bench, refs) == {
            posting.debit: Decimal("244.00"),
            posting.credit: Decimal("-244.00"),
        }

    async def test_erp_07_takes_finished_pieces_by_serial_number(self, bench: Bench) -> None:
        order = await self.running(bench)
        refs = await order.apply(order.made(*serials(2)))
        assert await self.amounts(bench, refs) == {
            "finished_goods": Decimal("1306.66"),
            "wip": Decimal("-1306.66"),
        }

    async def test_erp_08_notes_scrap_without_posting_it(self, bench: Bench) -> None:
        order = await self.running(bench)
        lost = replace(order.made(use=MaterialUse.SCRAPPED), quantity=Decimal(1))
        refs = await order.apply(lost)
        assert await self.amounts(bench, refs) == {}

    async def test_erp_09_takes_material_back(self, bench: Bench) -> None:
        order = await self.running(bench)
        await order.apply(order.use("CAST-40", "2"))
        refs = await order.apply(order.use("CAST-40", use=MaterialUse.RETURNED))
        posting = (await bench.adapter.capabilities()).posts[Movement.RETURN]
        assert await self.amounts(bench, refs) == {
            posting.debit: Decimal("120.00"),
            posting.credit: Decimal("-120.00"),
        }

    async def test_erp_10_posts_an_entry_as_it_is_given(self, bench: Bench) -> None:
        order = await self.running(bench)
        refs = await order.apply(
            order.entry(("wip", "12.34", "0"), ("labour_absorbed", "0", "12.34")),
            order.entry(("scrap_expense", "653.33", "0"), ("wip", "0", "653.33")),
        )
        assert await self.amounts(bench, refs) == {
            "wip": Decimal("-640.99"),
            "labour_absorbed": Decimal("-12.34"),
            "scrap_expense": Decimal("653.33"),
        }

    async def test_erp_11_finds_what_it_booked_when_the_answer_was_lost(self, bench: Bench) -> None:
        order = await self.order(bench)
        before = order.use("BOLT", "8")
        booked = await order.apply(before)
        known = {before.lane: set(booked)}
        sent: list[Document] = [
            order.use("BOLT", "8"),
            order.made(*serials(2)),
            order.entry(("wip", "1.00", "0"), ("machine_absorbed", "0", "1.00")),
            SegmentResponse(**order.head(), operation=10, work_center="MC", hours=Decimal("0.125")),
        ]
        refs = [await order.apply(document) for document in sent]
        absent: list[Document] = [order.use("BOLT", "7"), order.made(*serials(1))]
        answers = await bench.adapter.probe([*sent, *absent], known)
        assert list(answers) == [*(Found(tuple(ref)) for ref in refs), Absent(), Absent()]

    async def test_erp_12_says_which_lot_is_missing(self, bench: Bench) -> None:
        order = await self.running(bench)
        wrong = replace(order.use("CAST-40"), lot="LOT-CAST-40-9999")
        (outcome,) = await bench.adapter.apply([wrong])
        assert isinstance(outcome, Rejected)
        assert outcome.code == "ErpLotMissing"

    async def test_erp_13_books_the_good_ones_of_a_batch_with_a_bad_one(self, bench: Bench) -> None:
        order = await self.running(bench)
        wrong = replace(order.use("CAST-40"), lot="LOT-CAST-40-9999")
        other = replace(order.use("BOX"), lane="WO:another")
        outcomes = await bench.adapter.apply([order.use("SEAL"), wrong, other])
        assert [type(outcome) for outcome in outcomes] == [Applied, Rejected, Applied]
        refs = [ref for outcome in outcomes if isinstance(outcome, Applied) for ref in outcome.ref]
        assert (await self.amounts(bench, refs))["wip"] == Decimal("37.00")

    async def test_erp_14_closes_an_order_whose_costs_are_settled(self, bench: Bench) -> None:
        order = await self.order(bench)
        cycles = [
            SegmentResponse(**order.head(), operation=operation, work_center="MC", hours=Decimal("0.01"))
            for operation in (10, 20, 30)
        ]
        await order.apply(*cycles)
        await order.apply(OperationsRequestClosed(**order.head()))
        assert await bench.production_state(order.request.erp_ref) == "done"
        await order.apply(OperationsRequestClosed(**order.head()))

    async def test_erp_15_shows_the_promise_to_whoever_talks_to_the_customer(self, bench: Bench) -> None:
        order = await self.order(bench)
        sale = order.request.customer_order
        assert sale is not None
        for day in (24, 25):
            promised = datetime(2026, 12, day, 2, 30, tzinfo=UTC)
            await order.apply(PromiseChanged(**order.head(), customer_order=sale, promised_at=promised))
        assert "2026-12-25" in await bench.promise(sale)

    async def test_erp_16_scraps_stock_of_a_lot(self, bench: Bench) -> None:
        order = await self.running(bench)
        document = replace(
            order.use("SEAL", "3", MaterialUse.LOT_SCRAPPED), work_order=None, lane="LOT:LOT-SEAL-0001"
        )
        refs = await order.apply(document)
        posting = (await bench.adapter.capabilities()).posts[Movement.LOT_SCRAP]
        assert await self.amounts(bench, refs) == {
            posting.debit: Decimal("75.00"),
            posting.credit: Decimal("-75.00"),
        }
        outcome = await bench.adapter.reverse(document, refs, document.posting_date)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "ErpNotReversible"

    async def test_erp_17_reverses_what_it_booked(self, bench: Bench) -> None:
        order = await self.running(bench)
        entry = order.entry(("wip", "5.00", "0"), ("labour_absorbed", "0", "5.00"))
        refs = await order.apply(entry)
        outcome = await bench.adapter.reverse(entry, refs, entry.posting_date)
        assert isinstance(outcome, Applied)
        sums = await self.amounts(bench, [*refs, *outcome.ref])
        assert set(sums.values()) == {Decimal("0.00")}

    async def test_erp_18_moves_pieces_back_when_a_report_is_reversed(self, bench: Bench) -> None:
        order = await self.running(bench)
        numbers = serials(1)
        await order.apply(order.made(*numbers))
        refs = await order.apply(order.made(*numbers, use=MaterialUse.UNPRODUCED))
        posting = (await bench.adapter.capabilities()).posts[Movement.COMPLETION_REVERSAL]
        worth = (await self.prices(bench))["PUMP-40"]
        assert await self.amounts(bench, refs) == {posting.debit: worth, posting.credit: -worth}

    async def test_erp_19_shows_its_movements_of_stock(self, bench: Bench) -> None:
        order = await self.running(bench)
        refs = await order.apply(order.use("CAST-40", "2"), order.use("GREASE", "0.05"))
        mine = {line.material: line for line in await self.stock(bench) if line.ref in refs}
        assert mine["CAST-40"].quantity == -2
        assert mine["GREASE"].quantity == Decimal("-0.05")
        assert mine["CAST-40"].work_order == order.number
        assert mine["CAST-40"].lot == "LOT-CAST-40-0001"

    async def test_erp_20_publishes_its_periods(self, bench: Bench) -> None:
        year = datetime.now(UTC).year + 1
        await bench.close_year(year)
        periods = await bench.adapter.periods()
        days = [period for period in periods if period.start <= date(year, 6, 15) <= period.end]
        now = [period for period in periods if period.start <= datetime.now(UTC).date() <= period.end]
        assert [period.open for period in days] == [False]
        assert [period.open for period in now] == [True]

    async def test_erp_21_rounds_half_a_cent_as_the_plant_does(self, bench: Bench) -> None:
        order, price = await self.running(bench), Money(Decimal("0.125"), "CNY")
        await bench.copy_materials(price.amount, {"BOX": "HALF-BOX", "PUMP-40": "HALF-PUMP"})
        issued = {count: await order.apply(order.use("HALF-BOX", str(count))) for count in (1, 3, 5, 7)}
        pieces = await order.apply(replace(order.made(*serials(3)), material="HALF-PUMP"))
        for count, refs in issued.items():
            assert (await self.amounts(bench, refs))["wip"] == value(Decimal(count), price)
        assert (await self.amounts(bench, pieces))["finished_goods"] == value(Decimal(3), price, parts=3)

    async def test_erp_22_opens_the_books_with_one_entry(self, bench: Bench) -> None:
        amounts = [Decimal(10 + number) for number in range(len(Account))]
        balances = {account.value: amount for account, amount in zip(Account, amounts, strict=True)}
        balances["raw_material"] -= sum(amounts)
        now = datetime.now(UTC)
        books = Books(
            sheet=await bench.adapter.capabilities(),
            periods=await bench.adapter.periods(),
            today=now.date(),
            zone=lambda at: at,
            page="http://127.0.0.1:8080/o",
        )
        document = opening(list(balances.items()), "CNY", Head(uuid4(), now, books))
        assert document is not None
        (outcome,) = await bench.adapter.apply([document])
        assert isinstance(outcome, Applied), outcome
        assert await self.amounts(bench, outcome.ref) == balances
        assert list(await bench.adapter.probe([document], {})) == [Found(outcome.ref)]

    async def test_erp_23_takes_corrections_until_the_order_is_closed(self, bench: Bench) -> None:
        order = await self.order(bench)
        numbers = serials(2)
        made, used = order.made(*numbers), order.use("CAST-40", "2")
        before = await order.apply(used, made)
        undone = await order.apply(
            order.made(*numbers, use=MaterialUse.UNPRODUCED), order.use("CAST-40", use=MaterialUse.RETURNED)
        )
        again = order.made(*numbers)
        refs = await order.apply(again, order.use("CAST-40"))
        known = {again.lane: {*before, *undone}}
        assert list(await bench.adapter.probe([again], known)) == [Found(tuple(refs[: len(refs) - 1]))]
        await order.apply(OperationsRequestClosed(**order.head()))
        assert await bench.production_state(order.request.erp_ref) == "done"
        moved = [line for line in await self.stock(bench) if line.ref in {*before, *undone, *refs}]
        assert sum(line.quantity for line in moved if line.material == "PUMP-40") == 2
        assert sum(line.quantity for line in moved if line.material == "CAST-40") == -2

    async def test_erp_24_gives_more_than_a_page_of_the_same_second(self, bench: Bench) -> None:
        sales = {await bench.demand("PUMP-40", 1) for _ in range(5)}
        wanted = {one.erp_ref for one in await self.requests(bench) if one.customer_order in sales}
        before = await self.end(bench)
        await bench.touch(sorted(wanted))
        for cursor in ("", before):
            seen: list[str] = []
            page = await bench.adapter.pull(Stream.ORDERS, cursor, 2)
            while True:
                seen += [one.erp_ref for one in page.records if isinstance(one, OperationsRequest)]
                if not page.more:
                    break
                page = await bench.adapter.pull(Stream.ORDERS, page.cursor, 2)
            assert wanted <= set(seen)

    async def end(self, bench: Bench, stream: Stream = Stream.ORDERS) -> str:
        """Return the cursor behind everything."""
        page = await bench.adapter.pull(stream, "")
        while page.more:
            page = await bench.adapter.pull(stream, page.cursor)
        return page.cursor

    async def test_erp_25_books_nothing_behind_a_refused_one_of_its_lane(self, bench: Bench) -> None:
        order = await self.order(bench)
        wrong = replace(order.use("CAST-40"), lot="LOT-CAST-40-9999")
        behind = replace(order.use("CAST-40"), use=MaterialUse.RETURNED)
        outcomes = await bench.adapter.apply([order.use("SEAL"), wrong, behind])
        assert [type(outcome) for outcome in outcomes] == [Applied, Rejected, Held]
        moved = [line.material for line in await self.stock(bench) if line.work_order == order.number]
        assert moved == ["SEAL"]

    @pytest.mark.parametrize("released", [True, False])
    async def test_erp_26_takes_back_an_order_that_the_plant_does_not_make(
        self, bench: Bench, released: bool
    ) -> None:
        sale = await bench.demand("PUMP-40", 1)
        (request,) = [one for one in await self.requests(bench) if one.customer_order == sale]
        order = Order(bench, request)
        url = f"http://127.0.0.1:8080/o/{order.number}"
        await order.apply(OperationsRequestAccepted(**order.head(), erp_ref=request.erp_ref, url=url))
        if released:
            await order.apply(OperationsRequestReleased(**order.head()))
        for _ in range(2):
            await order.apply(OperationsRequestCancelled(**order.head()))
            assert await bench.production_state(request.erp_ref) == "cancelled"

    async def test_erp_27_tells_a_new_day_of_the_customers_order_that_is_made(self, bench: Bench) -> None:
        order = await self.order(bench)
        sale, cursor = order.request.customer_order, await self.end(bench, Stream.SALES)
        assert sale is not None
        day = order.request.due_at.date() + timedelta(days=9)
        await bench.postpone(sale, day)
        for promised in (day + timedelta(days=2), day, day + timedelta(days=1)):
            assert [one.due_at.date() for one in await self.changed(bench, cursor, sale)] == [day]
            at = datetime.combine(promised, time(2, 30), UTC)
            await order.apply(PromiseChanged(**order.head(), customer_order=sale, promised_at=at))
        day -= timedelta(days=3)
        await bench.postpone(sale, day)
        assert [one.due_at.date() for one in await self.changed(bench, cursor, sale)] == [day]

    async def changed(self, bench: Bench, cursor: str, sale: str) -> list[OperationsRequest]:
        """Return the newest of each of the sale's orders that changed since the cursor."""
        records = (await bench.adapter.pull(Stream.SALES, cursor)).records
        orders = [one for one in records if isinstance(one, OperationsRequest)]
        return list({one.erp_ref: one for one in orders if one.customer_order == sale}.values())

    async def stocked(self, bench: Bench, cursor: str) -> list[MaterialLot | MaterialCount]:
        """Return what came and was counted since the cursor, each once."""
        page = await bench.adapter.pull(Stream.LOTS, cursor)
        records = list(page.records)
        while page.more:
            page = await bench.adapter.pull(Stream.LOTS, page.cursor)
            records += page.records
        return list(
            {repr(one): one for one in records if isinstance(one, MaterialLot | MaterialCount)}.values()
        )

    async def test_erp_28_gives_every_delivery_of_a_lot(self, bench: Bench) -> None:
        cursor, heat = await self.end(bench, Stream.LOTS), f"Heat-{uuid4().hex[:6]}"
        await bench.deliver("CAST-40", heat, Decimal(10), Decimal(120))
        await bench.deliver("CAST-40", heat, Decimal(7), Decimal(126))
        await bench.deliver("SHAFT", heat, Decimal(3), Decimal(60))
        came = [one for one in await self.stocked(bench, cursor) if one.lot == heat]
        assert [(type(one), one.material, one.quantity) for one in came] == [
            (MaterialLot, "CAST-40", 10),
            (MaterialLot, "CAST-40", 7),
            (MaterialLot, "SHAFT", 3),
        ]
        lots = [one for one in came if isinstance(one, MaterialLot)]
        assert len({one.receipt for one in lots}) == 3
        assert [one.price for one in lots] == [120, 126, 60]

    async def test_erp_29_gives_counts_in_both_directions_and_not_what_the_plant_scrapped(
        self, bench: Bench
    ) -> None:
        order, heat = await self.running(bench), f"Heat-{uuid4().hex[:6]}"
        await bench.deliver("SEAL", heat, Decimal(10), Decimal(25))
        cursor = await self.end(bench, Stream.LOTS)
        await bench.count("SEAL", heat, Decimal(6))
        await bench.count("SEAL", heat, Decimal(8))
        scrapped = replace(order.use("SEAL", "3", MaterialUse.LOT_SCRAPPED), work_order=None, lot=heat)
        await order.apply(scrapped)
        counts = [one for one in await self.stocked(bench, cursor) if isinstance(one, MaterialCount)]
        found = [one for one in counts if one.lot == heat]
        assert [(one.material, one.quantity, one.uom) for one in found] == [
            ("SEAL", -4, "pc"),
            ("SEAL", 2, "pc"),
        ]
        assert len({one.movement for one in found}) == 2

    async def test_erp_30_takes_more_pieces_than_were_ordered(self, bench: Bench) -> None:
        order = await self.order(bench)
        cast = order.use("CAST-40", "3")
        refs = await order.apply(cast, order.made(*serials(3)))
        await order.apply(OperationsRequestClosed(**order.head()))
        assert await bench.production_state(order.request.erp_ref) == "done"
        moved = [line for line in await self.stock(bench) if line.ref in refs]
        assert sum(line.quantity for line in moved if line.material == "PUMP-40") == 3
        assert (await self.amounts(bench, refs[1:]))["finished_goods"] == 3 * Decimal("653.33")

    async def test_erp_99_waits_while_it_is_away(self, bench: Bench) -> None:
        order = await self.order(bench)
        await bench.switch(on=False)
        assert not (await bench.adapter.health()).reachable
        (outcome,) = await bench.adapter.apply([order.use("SEAL")])
        assert isinstance(outcome, Retry)
        await bench.switch(on=True)
        refs = await order.apply(order.use("SEAL"))
        assert (await self.amounts(bench, refs))["wip"] == Decimal("25.00")
