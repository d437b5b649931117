"""The board says how the link to the ERP stands, not only whether the bridge reads events."""

from erp_bridge import store
from erp_bridge.adapters.memory import MemoryAdapter
from mes.kernel.db import Database
from mes.performance import service as performance
from tests.conformance.test_erp_memory import demo_books
from tests.fixtures.postgres import cause
from tests.integration.erp_bridge.test_outbound import outbound, work_order


async def state(db: Database) -> str:
    async with db.read() as tx:
        return {link.name: link.state for link in await performance.links(tx)}["erp"]


async def answers(db: Database, *, reachable: bool) -> str:
    async with db.transaction(cause()) as tx:
        await store.link.put_link(tx, "tryton", "Tryton", reachable=reachable, detail="", ms=1.0)
    return await state(db)


async def test_an_erp_that_does_not_answer_is_down_on_the_board(db: Database) -> None:
    await work_order(db, "WO-1")
    assert await state(db) == "down"
    await outbound(db, MemoryAdapter(demo_books())).collect()
    assert await state(db) == "ok"
    assert await answers(db, reachable=True) == "ok"
    assert await answers(db, reachable=False) == "down"
    assert await answers(db, reachable=True) == "ok"
    async with db.transaction(cause()) as tx:
        await tx.execute("update erp.document set recorded_at = recorded_at - interval '2 minutes'")
    assert await state(db) == "late"
    async with db.transaction(cause()) as tx:
        await tx.execute("update erp.link set at = at - interval '2 minutes'")
    assert await state(db) == "down"
