"""Events reach every consumer once, in an order that no late commit can slip behind."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar

import psycopg
import pytest

from mes.kernel import outbox
from mes.kernel.db import Database, ValueNotStorable
from tests.fixtures.postgres import cause


@outbox.event
@dataclass(frozen=True, kw_only=True)
class BellRung(outbox.Event):
    """A bell was rung (exists in tests only)."""

    aggregate_field: ClassVar[str] = "bell"
    bell: str
    weight: Decimal = Decimal(0)
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)


async def ring(db: Database, bell: str) -> None:
    async with db.transaction(cause()) as tx:
        await outbox.append(tx, BellRung(site="SUZ", bell=bell, weight=Decimal("1.50")))


async def test_an_event_comes_back_as_it_was_appended(db: Database) -> None:
    """Decimals keep their digits and times stay aware."""
    await ring(db, "A")
    async with db.transaction(cause()) as tx:
        (stored,) = await outbox.consume(tx, "reader")
    assert stored.event == BellRung(site="SUZ", bell="A", weight=Decimal("1.50"))
    assert stored.aggregate == "A"
    assert str(stored.event.weight) == "1.50"


async def test_a_cursor_moves_only_when_its_transaction_commits(db: Database) -> None:
    """A consumer that fails reads the same events again."""
    await ring(db, "A")
    with pytest.raises(ValueNotStorable):
        await _read_and_stumble(db)
    async with db.transaction(cause()) as tx:
        assert len(await outbox.consume(tx, "reader")) == 1
    async with db.transaction(cause()) as tx:
        assert await outbox.consume(tx, "reader") == []


async def _read_and_stumble(db: Database) -> None:
    async with db.transaction(cause()) as tx:
        await outbox.consume(tx, "reader")
        await tx.value("select 1 / 0")


async def test_a_late_commit_is_not_skipped(db: Database) -> None:
    """An event whose transaction began early and ended late is still read."""
    async with db.transaction(cause()) as early:
        await outbox.append(early, BellRung(site="SUZ", bell="early"))
        await ring(db, "late")
        async with db.transaction(cause()) as tx:
            assert await outbox.consume(tx, "reader") == []
    async with db.transaction(cause()) as tx:
        bells = [stored.aggregate for stored in await outbox.consume(tx, "reader")]
    assert sorted(bells) == ["early", "late"]


async def test_parallel_writers_lose_no_event(db: Database) -> None:
    """Eight writers and a reader that never waits: every event is read exactly once."""
    writing = [asyncio.create_task(_ring_often(db, writer)) for writer in range(8)]
    seen: list[str] = []
    while not all(task.done() for task in writing):
        seen += await _read(db)
    for task in writing:
        await task
    while read := await _read(db):
        seen += read
    assert sorted(seen) == sorted(f"{writer}-{n}" for writer in range(8) for n in range(25))


async def _ring_often(db: Database, writer: int) -> None:
    for n in range(25):
        await ring(db, f"{writer}-{n}")


async def _read(db: Database) -> list[str]:
    async with db.transaction(cause()) as tx:
        return [stored.aggregate for stored in await outbox.consume(tx, "reader", {"BellRung"}, 7)]


async def test_a_consumer_of_other_types_passes_by(db: Database) -> None:
    """Events that a consumer does not want do not hold its cursor back."""
    await ring(db, "A")
    async with db.transaction(cause()) as tx:
        assert await outbox.consume(tx, "reader", {"SomethingElse"}) == []
        assert await outbox.consume(tx, "reader") == []


async def test_a_commit_wakes_the_listener(db: Database) -> None:
    """Nobody polls: a listener wakes when an event was committed."""
    async with outbox.event_wakeups(db) as wakeup:
        await wakeup.wait(0.1)
        waiting = asyncio.create_task(wakeup.wait(30.0))
        await ring(db, "A")
        assert await waiting is True


async def test_who_holds_the_cursors_back_is_seen(database_url: str, db: Database) -> None:
    """An open transaction that wrote something is told with its session, to a reading role too."""
    async with await Database.open(database_url, name="test", site="SUZ", readers=2) as reading:
        async with reading.read() as tx:
            assert await outbox.held_back(tx) == outbox.HeldBack(0.0, None)
        async with db.transaction(cause()) as writing:
            await outbox.append(writing, BellRung(site="SUZ", bell="A"))
            writer = await writing.value("select pg_backend_pid()")
            async with reading.read() as tx:
                found = await outbox.held_back(tx)
    assert found.pid == writer
    assert found.held_back_s > 0


async def test_a_page_can_only_read(database_url: str, db: Database) -> None:
    """Where readers are asked for, a read has a role that may select and nothing else."""
    async with await Database.open(database_url, name="test", site="SUZ", readers=2) as reading:
        async with reading.read() as tx:
            assert await tx.value("select current_user") == "lineside_reader"
            assert not await tx.value(
                """
                select bool_or(has_table_privilege(c.oid, 'insert, update, delete, truncate'))
                from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where n.nspname in ('mes', 'planner', 'erp', 'historian') and c.relkind in ('r', 'p')
                """
            )
        async with reading.transaction(cause()) as tx:
            assert await tx.value("select current_user") == "lineside_app"


async def test_an_event_cannot_be_rewritten(db: Database) -> None:
    """The application's role may add events, and neither change nor remove them."""
    await ring(db, "A")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with db.transaction(cause()) as tx:
            await tx.execute("update mes.event set site = 'X'")


async def test_events_go_on_where_the_numbers_of_the_cluster_are_behind(
    database_url: str, db: Database
) -> None:
    """A database that came from another cluster: what happens there is read after all that is stored."""
    await ring(db, "before")
    async with await Database.open(database_url, name="test", site="SUZ", as_owner=True) as owner:
        async with owner.transaction(cause()) as tx:
            await tx.execute("update mes.event set xid = '1000000000000'")
            await tx.execute(
                "insert into mes.consumer_cursor (consumer, xid) values ('reader', '1000000000007')"
            )
            assert await tx.value("select mes.continue_events()")
        async with owner.transaction(cause()) as tx:
            assert not await tx.value("select mes.continue_events()")
    await ring(db, "after")
    async with db.transaction(cause()) as tx:
        assert [stored.aggregate for stored in await outbox.consume(tx, "reader")] == ["after"]
        assert [stored.aggregate for stored in await outbox.consume(tx, "new")] == ["before", "after"]
        latest = await outbox.latest(tx)
    await ring(db, "then")
    async with db.transaction(cause()) as tx:
        events, _ = await outbox.read_after(tx, latest)
        assert [stored.aggregate for stored in events] == ["then"]
        assert [stored.aggregate for stored in await outbox.consume(tx, "reader")] == ["then"]


async def test_who_may_only_work_cannot_move_the_order_of_events(db: Database) -> None:
    for statement in ("select mes.continue_events()", "update mes.event_base set base = 7"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with db.transaction(cause()) as tx:
                await tx.execute(statement)


async def test_transaction_numbers_are_numbers_not_text(db: Database) -> None:
    """Transaction 10 comes after transaction 9, and a page that ends between them loses nothing."""
    for xid, bell in (("10", "second"), ("9", "first")):
        await ring(db, bell)
        async with db.transaction(cause()) as tx:
            await tx.execute(
                "insert into mes.event (xid, event_id, type, schema_version, site, scope, aggregate, payload,"
                " actor, at) select %(xid)s::xid8, gen_random_uuid(), type, 1, site, scope, aggregate,"
                " payload, actor, at from mes.event where aggregate = %(bell)s",
                {"xid": xid, "bell": bell},
            )
    seen: list[str] = []
    for _ in range(4):
        async with db.transaction(cause()) as tx:
            seen += [stored.aggregate for stored in await outbox.consume(tx, "reader", limit=1)]
    assert seen == ["first", "second", "second", "first"]
