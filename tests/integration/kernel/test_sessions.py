"""A slow plant waits; only a database that does not answer is told to be away."""

import asyncio
import time
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from psycopg_pool.base import AttemptWithBackoff

from mes.kernel import db as kernel
from mes.kernel.db import Database, DatabaseBusy, DatabaseUnavailable
from tests.fixtures.postgres import SITE, address, cause

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the server after a fifth of a second."""
    monkeypatch.setattr(kernel, "ASKED_AFTER_S", 0.2)


async def one_session(url: str) -> Database:
    return await Database.open(url, name="test", site=SITE, max_size=1)


async def hold(db: Database, ready: asyncio.Event, seconds: float) -> None:
    """Keep the only session for so long."""
    async with db.transaction(cause()) as tx:
        ready.set()
        await tx.value("select pg_sleep(%(s)s)", {"s": seconds})


async def read(db: Database) -> int:
    async with db.read() as tx:
        return int(await tx.value("select 1"))


async def test_who_waits_for_a_session_waits_as_long_as_the_others_work(database_url: str) -> None:
    async with await one_session(database_url) as db:
        ready = asyncio.Event()
        holding = asyncio.create_task(hold(db, ready, 1.5))
        await ready.wait()
        assert await asyncio.gather(*(read(db) for _ in range(5))) == [1] * 5
        await holding


async def test_a_process_that_does_not_get_its_turn_is_no_sign_of_a_lost_database(database_url: str) -> None:
    async with await Database.open(database_url, name="test", site=SITE, max_size=2) as db:
        reading = asyncio.create_task(read(db))
        await asyncio.sleep(0)
        time.sleep(0.5)  # noqa: ASYNC251 - as on a machine that is busy with other things
        assert await reading == 1


async def test_nobody_waits_for_ever(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "LONGEST_WAIT_S", 0.5)
    async with await one_session(database_url) as db:
        ready = asyncio.Event()
        holding = asyncio.create_task(hold(db, ready, 2.5))
        await ready.wait()
        with pytest.raises(DatabaseBusy):
            await read(db)
        await holding


async def test_a_statement_that_takes_too_long_does_not_say_that_the_database_is_away(db: Database) -> None:
    async def linger() -> None:
        async with db.transaction(cause()) as tx:
            await tx.execute("set local statement_timeout = 50")
            await tx.value("select pg_sleep(20)")

    with pytest.raises(DatabaseBusy):
        await linger()


async def test_a_database_that_does_not_answer_is_told_soon() -> None:
    async with await one_session(NOWHERE) as db:
        with pytest.raises(DatabaseUnavailable):
            await read(db)


async def test_a_database_that_was_away_for_long_is_used_as_soon_as_it_is_back(
    postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AttemptWithBackoff, "INITIAL_DELAY", 3600.0)  # what the waits have doubled to by then
    name = f"test_{uuid4().hex[:12]}"
    async with await one_session(address(postgres_server, name)) as db:
        with pytest.raises(DatabaseUnavailable):
            await read(db)
        with psycopg.connect(address(postgres_server, "postgres"), autocommit=True) as conn:
            conn.execute(SQL("create database {}").format(Identifier(name)))
        assert await read(db) == 1
    with psycopg.connect(address(postgres_server, "postgres"), autocommit=True) as conn:
        conn.execute(SQL("drop database {} with (force)").format(Identifier(name)))
