"""Kill -9 of the bridge at every point of a call: the real Tryton has everything, and has it once."""

import asyncio
import random
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import LiteralString

import pytest

from erp_bridge import service, store
from erp_bridge.adapters.tryton import TrytonAdapter
from erp_bridge.reconcile import compare, refresh
from mes.kernel.clock import utc_now
from mes.kernel.db import Database
from tests.fixtures.deadly_link import POINTS, DeadlyLink
from tests.fixtures.tryton import USERS, Tryton, TrytonFactory, place_order
from tests.integration.erp_bridge.plant import Floor


@dataclass(frozen=True)
class Ordeal:
    """So many events and kills at least; the seed says where the kills are."""

    events: int
    kills: int
    seed: int


@pytest.mark.timeout(900)
async def test_sixty_events_with_six_kills_arrive_once(
    db: Database, database_url: str, make_tryton: TrytonFactory, tmp_path: Path
) -> None:
    killed = await live(db, make_tryton(), environment(database_url, tmp_path), Ordeal(60, 6, seed=4))
    assert len(killed) == 6


@pytest.mark.soak  # hours: every order is sold, made and booked in a real Tryton
async def test_ten_thousand_events_with_two_hundred_kills_arrive_once(
    db: Database, database_url: str, make_tryton: TrytonFactory, tmp_path: Path
) -> None:
    killed = await live(db, make_tryton(), environment(database_url, tmp_path), Ordeal(10_000, 200, seed=1))
    assert len(killed) == 200
    assert set(killed) == set(POINTS)


def environment(database_url: str, home: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "LINESIDE_HOME": str(home),
        "LINESIDE_ERP__PASSWORD": USERS["lineside"],
        "LINESIDE_LOG__LEVEL": "error",
    }


async def live(db: Database, server: Tryton, settings: dict[str, str], ordeal: Ordeal) -> list[str]:
    """Let people work until so much happened and the bridge died so often; then compare the books."""
    link = DeadlyLink(server.url, ordeal.kills, random.Random(ordeal.seed), deadliness=0.2)
    floor = Floor(db, now=utc_now() - timedelta(hours=5), tick_s=1.0)
    await floor.define()
    link.keep_alive({**settings, "LINESIDE_ERP__URL": await link.open()})
    try:
        await ordered(db, server)
        await floor.clock_in()
        while await happened(db) < ordeal.events or len(link.killed) < ordeal.kills:
            for number in await open_orders(db):
                await floor.make(number, 1)
                await floor.close(number)
            await ordered(db, server)
        await everything_booked(db)
    finally:
        await link.close()
    await the_books_agree(db, server)
    return link.killed


async def ordered(db: Database, server: Tryton) -> None:
    """Sell a pump, and wait until the plant knows of it."""
    sale = await place_order(server, "PUMP-40", 1)
    while await number_of(db, "select count(*) from mes.work_order where customer_order = %(it)s", sale) == 0:
        await asyncio.sleep(0.2)


async def open_orders(db: Database) -> list[str]:
    async with db.read() as tx:
        found = await tx.value(
            "select array_agg(id order by id) from mes.work_order where status = 'Released'"
        )
    return list(found or [])


async def happened(db: Database) -> int:
    """How many events the ERP has been told of, or will be."""
    return await number_of(db, "select count(distinct subject) from erp.document where %(it)s = ''", "")


async def everything_booked(db: Database) -> None:
    waiting = """
        select (select count(*) from erp.document where state not in ('applied', 'dead'))
             + (select count(*) from mes.event e join mes.consumer_cursor c on c.consumer = %(it)s
                where (e.xid, e.id) > (c.xid, c.id) and e.type in ('CostBooked', 'WorkOrderClosed'))
    """
    while await number_of(db, waiting, "bridge"):
        await asyncio.sleep(0.5)


async def number_of(db: Database, query: LiteralString, it: str) -> int:
    async with db.read() as tx:
        return int(await tx.value(query, {"it": it}) or 0)


async def the_books_agree(db: Database, server: Tryton) -> None:
    adapter = TrytonAdapter(server.connection())
    try:
        await refresh(db, adapter)
        await the_erp_has_it_once(db, adapter)
    finally:
        await adapter.close()
    async with db.read() as tx:
        assert await service.documents(tx, None, "dead", 10) == []
        assert (await store.figures.figures(tx, "tryton", with_money=True)).documents_open == 0
        outcome = await compare(tx, "CNY", grace_s=0)
    assert outcome.cases == ()
    assert outcome.value_difference == outcome.quantity_difference == Decimal(0)
    for account in outcome.accounts:
        assert account.mine == account.theirs, account


async def the_erp_has_it_once(db: Database, adapter: TrytonAdapter) -> None:
    """Neither more nor less in the ERP than what the bridge's ledger names."""
    read = adapter._rpc.search_read
    begun = ["running", "done"]
    ours = ["OR", ("production_input.state", "in", begun), ("production_output.state", "in", begun)]
    moves = await read("stock.move", [ours], ["state"])
    assert {move["state"] for move in moves} == {"done"}
    cycles = await read("production.work.cycle", [("duration", ">", timedelta(0))], ["state"])
    assert {cycle["state"] for cycle in cycles} == {"done"}
    entries = await read("account.move", [("origin", "=", None)], ["state"])
    assert {entry["state"] for entry in entries} == {"posted"}
    theirs = {
        "MaterialActual": [f"stock.move,{move['id']}" for move in moves],
        "SegmentResponse": [f"production.work.cycle,{cycle['id']}" for cycle in cycles],
        "CostPosting": [f"account.move,{entry['id']}" for entry in entries],
    }
    for noun, refs in theirs.items():
        async with db.read() as tx:
            booked = await tx.value(
                "select array_agg(ref) from erp.document, unnest(erp_ref) ref where noun = %(noun)s",
                {"noun": noun},
            )
        assert sorted(booked) == sorted(refs), noun
