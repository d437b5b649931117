"""The board says how the link to the ERP stands, not only whether the bridge reads events."""

import asyncio
from typing import LiteralString

import psycopg

from erp_bridge import store
from erp_bridge.adapters.memory import MemoryAdapter
from mes.kernel.db import Database, Tx
from mes.migrate import migrate
from mes.performance import service as performance
from tests.conformance.test_erp_memory import demo_books
from tests.fixtures.postgres import cause
from tests.integration.erp_bridge.test_outbound import outbound, run_dry, work_order


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


async def read_rows(tx: Tx, table: str) -> int:
    """Return how many rows of a table this transaction has looked at."""
    return int(
        await tx.value(
            "select seq_tup_read + coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables"
            " where relid = %(table)s::regclass",
            {"table": table},
        )
    )


OLD: tuple[LiteralString, ...] = (
    """
    insert into erp.document (key, lane, noun, subject, site, body, event_time, posting_date, recorded_at,
                              applied_at, erp_ref)
    select 'old-' || n, 'WO:WO-1', 'MaterialActual', 'old-' || n, 'SUZ', '{}', now(), now(),
           now() - interval '30 days', now() - interval '30 days', array['booked,' || n]
    from generate_series(1, 3000) n
    """,
    "update erp.document set state = 'applied' where key like 'old-%'",
    "insert into erp.subject (subject, site) select 'old-' || n, 'SUZ' from generate_series(1, 3000) n",
    "update erp.subject set agreed_at = now() where subject like 'old-%'",
    """
    insert into erp.mirror_stock (id, site, ref, work_order, material, lot, quantity)
    select n, 'SUZ', 'booked,' || n, 'WO-1', 'CAST-40', '', 1 from generate_series(1, 3001) n
    """,
    """
    insert into erp.mirror_ledger (id, site, account, amount, ref)
    select n, 'SUZ', 'wip', 1, 'booked,' || n from generate_series(1, 3001) n
    """,
)
"""Three thousand documents of last month, booked and agreed on, and a movement that no document made."""


FROM_BEFORE: tuple[LiteralString, ...] = (
    "drop trigger document_posted on erp.document",
    "drop trigger subject_agreed on erp.subject",
    "drop table erp.kept_figures",
    "alter table erp.mirror_stock drop ours",
    "alter table erp.mirror_ledger drop ours",
    "update erp.alembic_version set version_num = 'erp_0008'",
)
"""What makes the tables those of a version that counted everything anew."""


async def test_the_figures_are_right_and_cost_no_more_with_every_document(db: Database) -> None:
    """What is looked at is what is open, or of the last minutes."""
    worker = outbound(db, MemoryAdapter(demo_books()))
    await work_order(db, "WO-1")
    await run_dry(db, worker)
    await work_order(db, "WO-2")
    await worker.collect()
    opening = Database.open(db.url, name="test", site="SUZ", as_owner=True)
    async with await opening as owner, owner.transaction(cause()) as tx:
        for statement in OLD:
            await tx.execute(statement)
        await store.comparison.know_ours(tx)
    with psycopg.connect(db.url, autocommit=True) as conn:
        conn.execute("vacuum (analyze) erp.document, erp.subject, erp.mirror_stock, erp.mirror_ledger")
        conn.execute("analyze mes.cost_entry")
        conn.execute("reindex table erp.subject")
    async with db.read() as tx:
        found = await store.figures.figures(tx, "tryton", with_money=True)
        assert (found.documents_posted, found.documents_open, found.open_lanes) == (3002, 2, 1)
        assert found.lag_p95_s is not None
        assert await read_rows(tx, "erp.document") < 100
    async with db.read() as tx:
        assert [one.subject for one in await store.comparison.unexplained_stock(tx, -1)] == ["booked,3001"]
        assert [one.subject for one in await store.comparison.unexplained_values(tx, -1)] == ["booked,3001"]
        assert (await store.comparison.progress(tx, -1, 60)).judged == 3000
        for table in ("erp.mirror_stock", "erp.mirror_ledger", "erp.subject"):
            assert await read_rows(tx, table) < 100, table
    with psycopg.connect(db.url, autocommit=True) as conn:
        for statement in FROM_BEFORE:
            conn.execute(statement)
    await asyncio.to_thread(migrate, db.url, db.url)
    async with db.read() as tx:
        assert (await store.figures.figures(tx, "tryton", with_money=True)).documents_posted == 3002
        assert (await store.comparison.progress(tx, -1, 60)).judged == 3000
        for table in ("erp.mirror_stock", "erp.mirror_ledger"):
            assert await tx.value(f"select count(*) from {table} where ours") == 3000  # noqa: S608
