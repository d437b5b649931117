"""A customer order in the real Tryton becomes a work order; what it takes is in Tryton's books."""

from decimal import Decimal

import pytest

from erp_bridge import service, store
from erp_bridge.adapter import Stream
from erp_bridge.adapters.tryton import ACCOUNTS, TrytonAdapter
from erp_bridge.adapters.tryton.rpc import Rpc
from erp_bridge.inbound import Inbound
from erp_bridge.outbound import Outbound
from erp_bridge.reconcile import compare, refresh
from mes.kernel.db import Database
from mes.kernel.settings import Settings
from tests.fixtures.tryton import Tryton, place_order
from tests.integration.erp_bridge.plant import Floor

pytestmark = pytest.mark.timeout(300)


class Both:
    """A plant and an ERP with the bridge between them, turned by hand."""

    def __init__(self, db: Database, server: Tryton) -> None:
        self.db = db
        self.server = server
        self.adapter = TrytonAdapter(server.connection())
        self.rpc = Rpc(server.connection())
        self.settings = Settings(home=server.folder)
        self.inbound = Inbound(db, self.adapter, "Asia/Shanghai")
        self.outbound = Outbound(db, self.adapter, self.settings, "test")
        self.floor = Floor(db)

    async def pull(self) -> None:
        periods = tuple(await self.adapter.periods())
        self.inbound.periods = periods
        self.outbound.periods = periods
        for stream in Stream:
            await self.inbound.pull(stream)

    async def push(self) -> None:
        while await self.outbound.collect():
            pass
        while await self.outbound.deliver():
            pass

    async def wip(self, number: str) -> Decimal:
        """Work in process of an order, as Tryton's own books have it."""
        rows = await self.rpc.search_read(
            "account.move.line", [("account.code", "=", ACCOUNTS["wip"])],
            ["debit", "credit", "move.description", "move.origin"],
        )  # fmt: skip
        moves = await self.rpc.search_read(
            "stock.move",
            ["OR", ("production_input.reference", "=", number), ("production_output.reference", "=", number)],
            ["state"],
        )
        ours = {f"stock.move,{move['id']}" for move in moves}
        return sum(
            (
                row["debit"] - row["credit"]
                for row in rows
                if row["move."]["origin"] in ours
                or (row["move."]["description"] or "").startswith(f"{number} ")
            ),
            Decimal(0),
        )


async def test_an_order_ends_with_nothing_in_process_and_no_difference(db: Database, tryton: Tryton) -> None:
    both = Both(db, tryton)
    await both.floor.define()
    await both.pull()
    sale = await place_order(tryton, "PUMP-40", 4)
    await both.pull()
    async with db.read() as tx:
        refused = await service.refusals(tx)
        orders = await store.records.hashes(tx, "orders", ["production,1"])
        number = await tx.value(
            "select id from mes.work_order where customer_order = %(sale)s", {"sale": sale}
        )
    assert not refused
    assert len(orders) == 1
    await both.push()
    await both.floor.clock_in()
    await both.floor.make(number, 4, scrap={20: 1})
    await both.floor.close(number)
    await both.push()
    async with db.read() as tx:
        dead = await service.documents(tx, None, "dead", 10)
        counts = await store.figures.figures(tx, "tryton", with_money=True)
    assert not dead, dead
    assert counts.documents_open == 0
    await refresh(db, both.adapter)
    async with db.read() as tx:
        outcome = await compare(tx, "CNY", grace_s=0)
    assert outcome.cases == ()
    assert outcome.judged > 20
    assert outcome.value_difference == outcome.quantity_difference == 0
    assert await both.wip(number) == Decimal("0.00")
    (row,) = await both.rpc.search_read("production", [("reference", "=", number)], ["state"])
    assert row["state"] == "done"
