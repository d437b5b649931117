"""Migrations on a database that has data from before."""

import asyncio
from typing import LiteralString

import psycopg
from psycopg import sql

from mes.access import service as access
from mes.access.model import Caller, Grant, Role
from mes.execution import service as execution
from mes.execution.model import LotUse
from mes.kernel.commands import execute
from mes.kernel.db import Cause, Tx
from mes.kernel.ids import JobOrderId, LotNumber, PersonId
from mes.migrate import migrate
from tests.fixtures.floor import Floor

PLACED = ("setup_rule", "rate", "sign_on", "command", "job_component", "stock_movement", "genealogy_edge")
"""Tables that said no place before, of rows that are about one."""

COUNTED: LiteralString = "select scope, count(*) from {} group by 1 order by 1"


async def _work(floor: Floor) -> None:
    """Sign somebody on at a terminal, take a command there, and use a lot."""
    number = await floor.order(4)
    await floor.plan(number)
    somebody = Caller(account="a", grants=(Grant(Role.OPERATOR),), site="SUZ", session="s")
    person = PersonId("E-1001")
    await floor.do(lambda tx: access.sit_down(tx, somebody, "CNC-1", person))
    job = JobOrderId(f"{number}-10")
    cause = Cause(actor=f"person:{person}", at=floor.now, terminal="CNC-1", key="k-1")

    async def start(tx: Tx) -> None:
        await execution.start(tx, job)

    await execute(floor.db, cause, "start", {}, start)
    use = LotUse(job_order=job, lot=LotNumber("LOT-CAST-40-1"))
    await floor.do(lambda tx: execution.consume(tx, use), person, "CNC-1")


def _places(connection: psycopg.Connection) -> dict[str, list[tuple[str, int]]]:
    return {
        table: connection.execute(sql.SQL(COUNTED).format(sql.Identifier("mes", table))).fetchall()
        for table in PLACED
    }


async def test_rows_from_before_say_the_place_that_new_ones_say(floor: Floor) -> None:
    await _work(floor)
    with psycopg.connect(floor.db.url, autocommit=True) as connection:
        written = _places(connection)
        for table in PLACED:
            connection.execute(sql.SQL("alter table mes.{} drop scope").format(sql.Identifier(table)))
        connection.execute("update mes.alembic_version set version_num = 'mes_0011'")
        migrate(floor.db.url, floor.db.url)
        filled = _places(connection)
        migrate(floor.db.url, floor.db.url)
        assert _places(connection) == filled
    assert filled == written
    assert all(any(scope for scope, _ in rows) for rows in written.values()), written


async def test_a_migration_waits_for_whoever_has_the_table_and_lets_others_by(floor: Floor) -> None:
    """A reader that keeps its transaction open: the column comes once it has ended."""
    with psycopg.connect(floor.db.url, autocommit=True) as connection:
        connection.execute("alter table mes.promise drop scope")
        connection.execute("update mes.alembic_version set version_num = 'mes_0011'")
    async with floor.db.read() as tx:
        await tx.value("select count(*) from mes.promise")
        waiting = asyncio.create_task(asyncio.to_thread(migrate, floor.db.url, floor.db.url))
        await _blocked(floor.db.url)
    await waiting
    async with floor.db.read() as tx:
        assert await tx.value("select count(scope) from mes.promise") == 0


async def _blocked(url: str) -> None:
    """Return when a statement was given up for want of its lock."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while True:
            await asyncio.sleep(0.05)
            found = await connection.execute(
                "select 1 from pg_stat_activity where query like 'alter table mes.promise%'"
                " and state = 'idle' and datname = current_database()"
            )
            if await found.fetchone() is not None:
                return
