"""Partitions of the historian's tables: a day each on PostgreSQL, chunks on TimescaleDB."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import LiteralString

import psycopg
from psycopg import sql

DAYS_AHEAD = 7
"""Partitions are made this far ahead."""


async def keep_partitions(connection: psycopg.AsyncConnection, table: LiteralString, keep_days: int) -> None:
    """Make the partitions of the coming days, and drop those older than `keep_days`.

    What came later than its day is in the default partition, and goes from there.
    """
    rows = await (
        await connection.execute(
            "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid"
            " where i.inhparent = format('historian.%%I', %s::text)::regclass",
            (table,),
        )
    ).fetchall()
    present = {row[0] for row in rows}
    today = datetime.now(UTC).date()
    for ahead in range(-1, DAYS_AHEAD + 1):
        day = today + timedelta(days=ahead)
        if f"{table}_{day:%Y%m%d}" not in present:
            await _make_partition(connection, table, day)
    oldest = f"{table}_{today - timedelta(days=keep_days):%Y%m%d}"
    for name in sorted(present):
        if len(name) == len(oldest) and name[-8:].isdigit() and name < oldest:
            await connection.execute(sql.SQL("drop table {}").format(sql.Identifier("historian", name)))
    late = sql.SQL("delete from {} where time < %s").format(sql.Identifier("historian", f"{table}_default"))
    await connection.execute(late, (datetime.combine(today - timedelta(days=keep_days), time(), UTC),))


async def _make_partition(connection: psycopg.AsyncConnection, table: LiteralString, day: date) -> None:
    """Make one day's partition, with the rows that came before it and went to the default one."""
    names = {
        "parent": sql.Identifier("historian", table),
        "fresh": sql.Identifier("historian", f"{table}_{day:%Y%m%d}"),
        "default": sql.Identifier("historian", f"{table}_default"),
        "start": sql.Literal(f"{day} 00:00+00"),
        "end": sql.Literal(f"{day + timedelta(days=1)} 00:00+00"),
    }
    async with connection.transaction():
        for statement in MAKE_PARTITION:
            await connection.execute(sql.SQL(statement).format(**names))


MAKE_PARTITION: tuple[LiteralString, ...] = (
    "lock table {parent} in share row exclusive mode",
    "create table {fresh} (like {parent} including defaults)",
    """with early as (delete from {default} where time >= {start} and time < {end} returning *)
       insert into {fresh} select * from early""",
    "alter table {parent} attach partition {fresh} for values from ({start}) to ({end})",
)


async def drop_old_chunks(connection: psycopg.AsyncConnection, keep_days: int) -> None:
    """Drop what is older than `keep_days`; TimescaleDB makes its chunks itself."""
    for table in ("historian.sample", "historian.sample_text"):
        await connection.execute(
            "select drop_chunks(%s::regclass, older_than => make_interval(days => %s))", (table, keep_days)
        )
