"""Kill the real Tryton while it books: afterwards everything is there, once."""

import asyncio
import random
from decimal import Decimal

import pytest

from erp_bridge import service, store
from erp_bridge.reconcile import compare, refresh
from mes.kernel.db import Database
from tests.fixtures.tryton import Tryton, place_order
from tests.integration.erp_bridge.test_order_to_ledger import Both
from tests.integration.erp_bridge.test_outbound import due_now

pytestmark = pytest.mark.timeout(600)
KILLS = 4


async def test_tryton_dies_while_it_books_and_nothing_is_lost_or_doubled(
    db: Database, tryton: Tryton
) -> None:
    both = Both(db, tryton)
    await both.floor.define()
    sale = await place_order(tryton, "PUMP-40", 3)
    await both.pull()
    async with db.read() as tx:
        number = await tx.value(
            "select id from mes.work_order where customer_order = %(sale)s", {"sale": sale}
        )
    await both.floor.clock_in()
    await both.floor.make(number, 3)
    await both.floor.close(number)
    dice = random.Random(4)
    for _ in range(KILLS):
        delivery = asyncio.create_task(both.push())
        await asyncio.sleep(dice.uniform(0.3, 1.5))
        tryton.kill()
        await delivery
        await due_now(db)
        tryton.start()
    while True:
        await both.push()
        async with db.read() as tx:
            assert await service.documents(tx, None, "dead", 10) == []
            if (await store.figures.figures(tx, "tryton", with_money=True)).documents_open == 0:
                break
        await due_now(db)
    await check(both, db, number)


async def check(both: Both, db: Database, number: str) -> None:
    async with db.read() as tx:
        assert await service.documents(tx, None, "dead", 10) == []
    await refresh(db, both.adapter)
    async with db.read() as tx:
        outcome = await compare(tx, "CNY", grace_s=0)
    assert outcome.cases == ()
    assert await both.wip(number) == Decimal("0.00")
    moves = await both.rpc.search_read(
        "stock.move",
        ["OR", ("production_input.reference", "=", number), ("production_output.reference", "=", number)],
        ["state"],
    )
    async with db.read() as tx:
        expected = await tx.value(
            "select count(*) from erp.document, unnest(erp_ref) where noun = 'MaterialActual'"
        )
    assert [move["state"] for move in moves] == ["done"] * expected
