"""The suite on a real Tryton."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from erp_bridge.adapters.tryton import TrytonAdapter
from erp_bridge.adapters.tryton_rpc import Rpc
from tests.conformance.erp_suite import Bench, ErpSuite
from tests.fixtures.tryton import Tryton, place_order

pytestmark = pytest.mark.timeout(300)


class TrytonBench:
    """A Tryton server, and the people who work with it."""

    def __init__(self, server: Tryton) -> None:
        self.server = server
        self.adapter = TrytonAdapter(server.connection())
        self.rpc = Rpc(server.connection("clerk"))

    async def close(self) -> None:
        await self.adapter.close()
        await self.rpc.close()

    async def demand(self, material: str, quantity: int, words: str = "") -> str:
        return await place_order(self.server, material, quantity, words)

    async def production_state(self, erp_ref: str) -> str:
        (row,) = await self.rpc.read("model.production.read", [int(erp_ref.split(",")[1])], ["state"])
        return str(row["state"])

    async def promise(self, customer_order: str) -> str:
        domain = [("number", "=", customer_order)]
        (row,) = await self.rpc.search_read("sale.sale", domain, ["comment", "lines"])
        (line,) = await self.rpc.read("model.sale.line.read", row["lines"], ["shipping_date"])
        assert str(line["shipping_date"]) in row["comment"]
        return str(row["comment"])

    async def close_year(self, year: int) -> None:
        domain = [("fiscalyear.name", "=", str(year))]
        rows = await self.rpc.search_read("account.period", domain, ["state"])
        await self.rpc.write("model.account.period.close", [row["id"] for row in rows])

    async def switch(self, *, on: bool) -> None:
        if on:
            self.server.start()
        else:
            self.server.kill()


class TestTryton(ErpSuite):
    """ERP-01 and on."""

    @pytest_asyncio.fixture
    async def bench(self, tryton: Tryton) -> AsyncIterator[Bench]:
        bench = TrytonBench(tryton)
        yield bench
        await bench.close()
