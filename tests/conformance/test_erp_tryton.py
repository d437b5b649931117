"""The suite on a real Tryton."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from erp_bridge.adapter import SnapshotKind
from erp_bridge.adapters.tryton import TrytonAdapter
from erp_bridge.adapters.tryton.rpc import Rpc
from erp_bridge.documents import OperationsRequestAccepted, OperationsRequestReleased
from tests.conformance.erp_suite import Bench, ErpSuite, Order
from tests.fixtures.tryton import Tryton, count, deliver, enter_order

pytestmark = [pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]


COPY = """
price, *names = sys.argv[3:]
for like, code in zip(names[::2], names[1::2]):
    (product,) = pool.get("product.product").search([("code", "=", like)])
    (template,) = product.template.copy([product.template], {"code": code, "name": code})
    template.account_category = product.template.account_category
    template.cost_price_method = product.template.cost_price_method
    template.save()
    (made,) = template.products
    made.cost_price = Decimal(price)
    made.save()
    pool.get("stock.lot").create([{"number": f"LOT-{code}-0001", "product": made.id}])
    print("made", made.code)
transaction.commit()
"""
"""What only the one may do who sets the products' accounts."""


class TrytonBench:
    """A Tryton server, and the people who work with it."""

    def __init__(self, server: Tryton) -> None:
        self.running: Order | None = None
        self.server = server
        self.adapter = TrytonAdapter(server.connection())
        self.rpc = Rpc(server.connection("clerk"))

    async def close(self) -> None:
        await self.adapter.close()
        await self.rpc.close()

    async def demand(self, material: str, quantity: int, words: str = "") -> str:
        return await enter_order(self.rpc, material, quantity, words)

    async def production_state(self, erp_ref: str) -> str:
        (row,) = await self.rpc.read("model.production.read", [int(erp_ref.split(",")[1])], ["state"])
        return str(row["state"])

    async def promise(self, customer_order: str) -> str:
        domain = [("number", "=", customer_order)]
        (row,) = await self.rpc.search_read("sale.sale", domain, ["comment", "lines"])
        (line,) = await self.rpc.read("model.sale.line.read", row["lines"], ["shipping_date"])
        assert str(line["shipping_date"]) in row["comment"]
        made = [("origin.sale.number", "=", customer_order, "sale.line")]
        (production,) = await self.rpc.search_read("production", made, ["planned_date"])
        assert production["planned_date"] == line["shipping_date"]
        return str(row["comment"])

    async def touch(self, erp_refs: Sequence[str]) -> None:
        ids = [int(ref.split(",")[1]) for ref in erp_refs]
        await self.adapter._rpc.write("model.production.write", ids, {"planned_date": date(2026, 12, 24)})

    async def postpone(self, customer_order: str, day: date) -> None:
        domain = [("number", "=", customer_order)]
        (sale,) = await self.rpc.search_read("sale.sale", domain, ["shipments"])
        await self.rpc.write("model.stock.shipment.out.write", sale["shipments"], {"planned_date": day})

    async def copy_materials(self, price: Decimal, copies: Mapping[str, str]) -> None:
        names = [name for pair in copies.items() for name in pair]
        with self.server.run_inside(COPY, str(price), *names) as process:
            answer, _ = await asyncio.to_thread(process.communicate)
        assert [line.split()[1] for line in answer.splitlines()] == list(copies.values())
        self.adapter._names.stale()

    async def deliver(self, material: str, lot: str, quantity: Decimal, price: Decimal) -> None:
        await deliver(self.rpc, material, lot, quantity, price)

    async def count(self, material: str, lot: str, found: Decimal) -> None:
        await count(self.rpc, material, lot, found)

    async def close_year(self, year: int) -> None:
        domain = [("fiscalyear.name", "=", str(year))]
        rows = await self.rpc.search_read("account.period", domain, ["state"])
        await self.rpc.write("model.account.period.close", [row["id"] for row in rows])

    async def switch(self, *, on: bool) -> None:
        if on:
            self.server.start()
        else:
            self.server.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tryton: Tryton) -> AsyncIterator[Bench]:
    """One bench for all tests: to sign in costs Tryton more than most of them."""
    bench = TrytonBench(tryton)
    yield bench
    await bench.close()


class TestTryton(ErpSuite):
    """ERP-01 and on."""

    @pytest.mark.parametrize("steps", [["draft"], ["draft", "wait"]])
    async def test_a_release_that_was_cut_short_is_finished(
        self, bench: TrytonBench, steps: list[str]
    ) -> None:
        """Tryton died between two of the calls that release a production."""
        sale = await bench.demand("PUMP-40", 1)
        (request,) = [one for one in await self.requests(bench) if one.customer_order == sale]
        order = Order(bench, request)
        url = f"http://127.0.0.1:8080/o/{order.number}"
        await order.apply(OperationsRequestAccepted(**order.head(), erp_ref=request.erp_ref, url=url))
        production = [int(request.erp_ref.partition(",")[2])]
        center = {"work_center": bench.adapter._names.root_center}
        await bench.adapter._rpc.write("model.production.write", production, center)
        for step in steps:
            await bench.adapter._rpc.write(f"model.production.{step}", production)
        for _ in range(2):
            await order.apply(OperationsRequestReleased(**order.head()))
            assert await bench.production_state(request.erp_ref) == "running"

    async def test_an_entry_that_is_drafted_early_and_posted_late_is_seen(self, bench: TrytonBench) -> None:
        """Its lines have lower numbers than what was read meanwhile."""
        names = bench.adapter._names
        await names.fresh()
        rpc = bench.adapter._rpc

        async def draft(lines: int) -> int:
            account, other = names.accounts["labour_absorbed"], names.accounts["scrap_expense"]
            amounts = [{"account": account, "debit": Decimal(1), "credit": Decimal(0)},
                       {"account": other, "debit": Decimal(0), "credit": Decimal(1)}]  # fmt: skip
            today = datetime.now(ZoneInfo("Asia/Shanghai")).date()
            values = {"journal": names.journal, "period": names.period(today), "date": today,
                      "lines": [["create", amounts * lines]]}  # fmt: skip
            (made,) = await rpc.write("model.account.move.create", [values])
            return int(made)

        early, between = await draft(1), await draft(120)
        await rpc.write("model.account.move.post", [between])
        snapshot = await bench.adapter.snapshot(SnapshotKind.LEDGER)
        while snapshot.more:
            snapshot = await bench.adapter.snapshot(SnapshotKind.LEDGER, snapshot.cursor)
        await rpc.write("model.account.move.post", [early])
        later = await bench.adapter.snapshot(SnapshotKind.LEDGER, snapshot.cursor)
        amounts = [line.amount for line in later.ledger if line.ref == f"account.move,{early}"]
        assert sorted(amounts) == [-1, 1]
