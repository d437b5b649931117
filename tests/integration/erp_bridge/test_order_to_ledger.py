"""A customer order in the real Tryton becomes a work order; what it takes is in Tryton's books."""

import asyncio
from decimal import Decimal

import pytest

from erp_bridge import service, store
from erp_bridge.adapter import Stream
from erp_bridge.adapters.tryton import ACCOUNTS, TrytonAdapter
from erp_bridge.adapters.tryton.rpc import Rpc
from erp_bridge.inbound import Inbound
from erp_bridge.outbound import Outbound
from erp_bridge.reconcile import Reconciliation, compare, refresh
from mes.inventory import service as inventory
from mes.kernel.clock import utc_now
from mes.kernel.db import Cause, Database
from mes.kernel.outbox import to_json
from mes.kernel.settings import Settings
from mes.workorders import service as workorders
from tests.fixtures.tryton import Tryton, TrytonFactory, count, deliver, place_order
from tests.integration.erp_bridge.plant import Floor

pytestmark = pytest.mark.timeout(300)


class Both:
    """A plant and an ERP with the bridge between them, turned by hand."""

    def __init__(self, db: Database, server: Tryton) -> None:
        self.db = db
        self.server = server
        self.adapter = TrytonAdapter(server.connection())
        self.rpc = Rpc(server.connection())
        self.rpc_of_the_clerk = Rpc(server.connection("clerk"))
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

    async def wip_of_all(self) -> Decimal:
        """Work in process as Tryton's own books have it."""
        rows = await self.rpc.search_read(
            "account.move.line", [("account.code", "=", ACCOUNTS["wip"])], ["debit", "credit"]
        )
        return sum((row["debit"] - row["credit"] for row in rows), Decimal(0))

    async def stock(self, lot: str) -> dict[str, Decimal]:
        """Return what Tryton has in storage of a number, by material."""
        fields = ["product.code", "quantity", "from_location.type", "to_location.type"]
        domain = [("lot.number", "=", lot), ("state", "=", "done")]
        found: dict[str, Decimal] = {}
        for row in await self.rpc.search_read("stock.move", domain, fields):
            sign = (row["to_location."]["type"] == "storage") - (row["from_location."]["type"] == "storage")
            code = row["product."]["code"]
            found[code] = found.get(code, Decimal(0)) + sign * Decimal(str(row["quantity"]))
        return found

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


DEARER = """
from trytond.transaction import TransactionError
code, price = sys.argv[3:]
again = {}
while again is not None:
    with Transaction().new_transaction(**again) as change:
        (product,) = pool.get("product.product").search([("code", "=", code)])
        try:
            pool.get("product.product").update_cost_price({Decimal(price): [product]})
            change.commit()
            again = None
        except TransactionError as error:
            change.rollback()
            error.fix(again)
"""
"""What Tryton's wizard "Modify Cost Price" does for an accountant, once more with the locks it asks for."""


async def begin(both: Both, quantity: int) -> str:
    """Let the clerk sell some pumps; return the work order that the plant makes of it."""
    sale = await place_order(both.server, "PUMP-40", quantity)
    await both.pull()
    async with both.db.read() as tx:
        assert not await service.refusals(tx)
        return str(
            await tx.value("select id from mes.work_order where customer_order = %(sale)s", {"sale": sale})
        )


async def judged(both: Both) -> Reconciliation:
    """Compare the books as the bridge does."""
    await refresh(both.db, both.adapter)
    async with both.db.transaction(Cause(actor="service:bridge", at=utc_now())) as tx:
        outcome = await compare(tx, "CNY", grace_s=0)
        await store.link.put_link(tx, "tryton", "Tryton", reachable=True, detail="", ms=1.0)
        await store.comparison.put_comparison(tx, "tryton", to_json(outcome))
    return outcome


async def a_price_rises_while_an_order_is_at_work(both: Both) -> None:
    """The comparison names what it did to the order; an explanation settles it."""
    number = await begin(both, 2)
    await both.floor.dispatch(number)
    for operation in (10, 20):
        await both.floor.step(number, operation, 2)
    with both.server.run_inside(DEARER, "SHAFT", "66") as changing:
        assert await asyncio.to_thread(changing.wait) == 0
    await both.pull()
    await both.floor.book_costs()
    await both.push()
    outcome = await judged(both)
    assert {(one.work_order, one.what, one.mine, one.theirs, one.why) for one in outcome.cases} == {
        (number, "wip", 120, 132, "price"),
        (number, "raw_material", -120, -132, "price"),
    }
    (subject,) = {one.subject for one in outcome.cases}
    async with both.db.transaction(Cause(actor="account:finance", at=utc_now())) as tx:
        await service.explain(tx, "tryton", subject, "shafts cost more since Monday", with_money=True)
    outcome = await judged(both)
    assert (outcome.cases, outcome.value_difference, outcome.quantity_difference) == ((), 0, 0)
    assert {(one.what, one.amount, one.why) for one in outcome.explained} == {
        ("wip", -12, "price"),
        ("raw_material", 12, "price"),
    }


async def more_is_made_than_was_ordered(both: Both) -> None:
    """One beyond the two that were ordered, and one for a piece that was lost: the books agree on it."""
    number = await begin(both, 2)
    async with both.db.transaction(Cause(actor="service:test", at=utc_now())) as tx:
        await tx.execute("update mes.policy set over_percent = 50")
    await both.floor.make(number, 4, scrap={10: 1})
    await both.floor.close(number)
    await both.push()
    async with both.db.read() as tx:
        order = await workorders.get_work_order(tx, number)
        assert not await service.documents(tx, None, "dead", 10)
    assert (order.quantity, order.good, order.scrap) == (2, 3, 1)
    outcome = await judged(both)
    assert (outcome.cases, outcome.value_difference, outcome.quantity_difference) == ((), 0, 0)
    assert await both.wip(number) == Decimal("0.00")
    domain = [("reference", "=", number)]
    (row,) = await both.rpc.search_read("production", domain, ["state", "quantity", "outputs"])
    assert (row["state"], row["quantity"]) == ("done", 2)
    made = await both.rpc.read("model.stock.move.read", row["outputs"], ["quantity", "to_location.type"])
    stored = [one["quantity"] for one in made if one["to_location."]["type"] == "storage"]
    assert sum(stored) == 3


async def test_an_order_ends_with_nothing_in_process_and_no_difference(db: Database, tryton: Tryton) -> None:
    both = Both(db, tryton)
    await both.floor.define()
    await both.pull()
    number = await begin(both, 4)
    async with db.read() as tx:
        orders = await store.records.hashes(tx, "orders", ["production,1"])
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
    outcome = await judged(both)
    assert outcome.cases == ()
    assert outcome.judged > 20
    assert outcome.value_difference == outcome.quantity_difference == 0
    assert await both.wip(number) == Decimal("0.00")
    (row,) = await both.rpc.search_read("production", [("reference", "=", number)], ["state"])
    assert row["state"] == "done"
    await more_is_made_than_was_ordered(both)
    await a_price_rises_while_an_order_is_at_work(both)


async def test_more_of_a_lot_and_counts_leave_no_difference(db: Database, make_tryton: TrytonFactory) -> None:
    """A heat in two trucks, one number for two materials, counts that find less and more."""
    both = Both(db, make_tryton())
    await both.floor.define()
    await both.pull()
    for material, quantity, price in (("CAST-40", 10, 120), ("CAST-40", 7, 126), ("SHAFT", 5, 60)):
        await deliver(both.rpc_of_the_clerk, material, "Heat-7a", Decimal(quantity), Decimal(price))
    await both.pull()
    await count(both.rpc_of_the_clerk, "CAST-40", "Heat-7a", Decimal(14))
    await count(both.rpc_of_the_clerk, "SHAFT", "Heat-7a", Decimal(6))
    await both.pull()
    async with db.transaction(Cause(actor="service:test", at=utc_now())) as tx:
        assert not await service.refusals(tx)
        lots = [await inventory.get_lot(tx, lot) for lot in ("Heat-7a@CAST-40", "Heat-7a@SHAFT")]
        await inventory.scrap_lot(tx, "Heat-7a@SHAFT", "damaged")
    assert [(lot.material, lot.on_hand) for lot in lots] == [("CAST-40", 14), ("SHAFT", 6)]
    await both.floor.book_costs()
    await both.push()
    await both.pull()
    await refresh(db, both.adapter)
    async with db.read() as tx:
        assert not await service.documents(tx, None, "dead", 10)
        assert not await service.refusals(tx)
        assert (await inventory.get_lot(tx, "Heat-7a@SHAFT")).on_hand == 0
        outcome = await compare(tx, "CNY", grace_s=0)
        variance = await tx.value(
            "select sum(debit - credit) from mes.cost_account"
            " where account = 'purchase_price_variance' and not simulated"
        )
    assert outcome.cases == ()
    assert variance == Decimal("42.00")
    assert await both.stock("Heat-7a") == {"CAST-40": 14, "SHAFT": 0}
    assert await both.wip_of_all() == Decimal("0.00")
