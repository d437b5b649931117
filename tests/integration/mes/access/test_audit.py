"""The audit chain: everything sealed once, and any change noticed."""

import asyncio

import psycopg
import pytest

from mes.access.events import SignedIn
from mes.kernel import audit
from mes.kernel.db import Database
from mes.kernel.outbox import append
from tests.fixtures.postgres import SITE, cause


async def happen(db: Database, account: str = "a") -> None:
    async with db.transaction(cause()) as tx:
        await append(tx, SignedIn(site=SITE, account=account, by="link"))


async def seal(db: Database) -> audit.Block | None:
    async with db.transaction(cause()) as tx:
        return await audit.seal(tx)


async def verdict(db: Database) -> audit.Verdict:
    async with db.read() as tx:
        return await audit.verify(tx)


async def tamper(url: str, sql: str) -> None:
    """Change the tables as their owner, which our processes are not."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        await conn.execute(sql.encode())


async def test_events_are_sealed_in_blocks(db: Database) -> None:
    for number in range(5):
        await happen(db, f"a{number}")
    first = await seal(db)
    assert first is not None
    assert (first.number, first.events, first.previous) == (1, 5, audit.GENESIS)
    assert await seal(db) is None
    await happen(db)
    second = await seal(db)
    assert second is not None
    assert (second.number, second.events, second.previous) == (2, 1, first.hash)
    assert await verdict(db) == audit.Verdict(2, 6, second.hash.hex())


async def test_an_open_transaction_is_sealed_when_it_has_committed(db: Database) -> None:
    """A writer that commits late is not lost, and it never waited for the sealer."""
    holding, go = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with db.transaction(cause()) as tx:
            await append(tx, SignedIn(site=SITE, account="slow", by="link"))
            holding.set()
            await go.wait()

    task = asyncio.create_task(slow())
    await holding.wait()
    await happen(db, "fast")
    assert await seal(db) is None
    go.set()
    await task
    block = await seal(db)
    assert block is not None
    assert block.events == 2
    assert (await verdict(db)).broken is None


async def test_two_sealers_make_one_chain(db: Database) -> None:
    for number in range(20):
        await happen(db, f"a{number}")
    blocks = await asyncio.gather(*(seal(db) for _ in range(4)))
    assert sum(block.events for block in blocks if block is not None) == 20
    assert (await verdict(db)).broken is None


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (
            "update mes.event set payload = payload || '{\"account\": \"x\"}' where aggregate = 'a1'",
            "content",
        ),
        ("update mes.event set actor = 'person:E-1002' where aggregate = 'a1'", "content"),
        ("update mes.event set at = at - interval '1 day' where aggregate = 'a1'", "content"),
        ("delete from mes.event where aggregate = 'a1'", "count"),
        ("update mes.audit_block set previous = hash where number = 2", "chain"),
    ],
)
async def test_a_change_is_noticed(db: Database, database_url: str, sql: str, reason: str) -> None:
    await happen(db, "a0")
    await seal(db)
    await happen(db, "a1")
    await seal(db)
    await tamper(database_url, sql)
    found = await verdict(db)
    assert (found.broken, found.reason, found.blocks) == (2, reason, 1)


async def test_our_own_processes_cannot_change_what_happened(db: Database) -> None:
    await happen(db)
    await seal(db)
    for sql in ("update mes.event set actor = 'x'", "delete from mes.event", "delete from mes.audit_block"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with db.transaction(cause()) as tx:
                await tx.conn.execute(sql.encode())


async def test_the_age_of_what_is_not_sealed_is_known(db: Database) -> None:
    async with db.read() as tx:
        assert await audit.unsealed_s(tx) == 0.0
    await happen(db)
    await asyncio.sleep(0.05)
    async with db.read() as tx:
        assert await audit.unsealed_s(tx) >= 0.05
    await seal(db)
    async with db.read() as tx:
        assert await audit.unsealed_s(tx) == 0.0
