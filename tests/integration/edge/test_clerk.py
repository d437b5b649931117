"""The simulated clerk at a real ERP: what is tried again is done once, and a lost session is opened anew."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_asyncio

from edge.plant_sim.clerk import Clerk, Wish
from erp_bridge.adapters.tryton.rpc import Rpc
from erp_bridge.embedded_erp import DATABASE
from mes.kernel.clock import utc_now
from tests.fixtures.tryton import USERS, Tryton


@pytest_asyncio.fixture
async def clerk(tryton: Tryton) -> AsyncIterator[Clerk]:
    made = Clerk(f"{tryton.url}/{DATABASE}/rpc/", USERS["clerk"], "Asia/Shanghai")
    yield made
    await made.close()


@pytest_asyncio.fixture
async def books(tryton: Tryton) -> AsyncIterator[Rpc]:
    """What the ERP has, read by another user."""
    rpc = Rpc(tryton.connection())
    yield rpc
    await rpc.close()


def wish() -> Wish:
    return Wish("C-01", "PUMP-40", 3, utc_now() + timedelta(hours=1))


async def test_an_order_that_is_tried_again_is_entered_once(clerk: Clerk, books: Rpc) -> None:
    wanted = wish()
    first = await clerk.enter(wanted)
    assert not await clerk.has_sold_nothing()
    assert await clerk.enter(wanted) == first
    sales = await books.search_read("sale.sale", [("reference", "=", wanted.reference)], ["state"])
    assert [sale["state"] for sale in sales] in (["confirmed"], ["processing"])
    assert await clerk.enter(wish()) != first


async def test_a_delivery_that_is_tried_again_is_received_once(clerk: Clerk, books: Rpc) -> None:
    purchase = await clerk.buy()
    await clerk.delay(purchase)
    await clerk.receive(purchase)
    await clerk.receive(purchase)
    await clerk.delay(purchase)
    note = ("reference", "=", f"DN-{purchase.number}")
    (shipment,) = await books.search_read("stock.shipment.in", [note], ["state", "incoming_moves"])
    assert shipment["state"] == "done"
    lots = await books.search_read(
        "stock.lot", [("number", "like", f"LOT-%-{1000 + purchase.id}")], ["number"]
    )
    assert len(lots) == len({lot["number"] for lot in lots}) == len(shipment["incoming_moves"]) > 0


async def test_a_session_that_the_erp_forgot_is_opened_anew(clerk: Clerk, tryton: Tryton) -> None:
    await clerk.enter(wish())
    with contextlib.closing(sqlite3.connect(tryton.folder / f"{DATABASE}.sqlite", timeout=30)) as database:
        assert database.execute("delete from ir_session").rowcount > 0
        database.commit()
    assert await clerk.enter(wish())
