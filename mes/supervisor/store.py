"""What the supervisor asks of PostgreSQL: does it answer, is our database there, and the past in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from mes.kernel.db import Tx

CONNECT_TIMEOUT_S = 3


async def answers(url: str) -> bool:
    """Return whether `SELECT 1` is answered."""
    try:
        async with await psycopg.AsyncConnection.connect(
            url, connect_timeout=CONNECT_TIMEOUT_S, application_name="lineside-supervisor"
        ) as connection:
            await connection.execute("select 1")
    except psycopg.OperationalError:
        return False
    return True


async def plant_defined(url: str, site: str) -> bool:
    """Return whether the database holds the plant of `site`; so too while it cannot be asked."""
    try:
        async with await psycopg.AsyncConnection.connect(
            url, connect_timeout=CONNECT_TIMEOUT_S, application_name="lineside-supervisor"
        ) as connection:
            found = await connection.execute("select from mes.policy where site = %s", [site])
            return await found.fetchone() is not None
    except psycopg.OperationalError:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedBatch:
    """What an edge sent and nobody could read, or part of it."""

    id: int
    edge: str
    stream: str
    seq: int | None
    reason: str
    at: datetime


async def quarantined_batches(url: str, limit: int = 500) -> list[QuarantinedBatch]:
    """Return what ingest could not read, oldest first.

    Args:
        url: The historian's database.
    """
    async with await psycopg.AsyncConnection.connect(
        url, connect_timeout=CONNECT_TIMEOUT_S, application_name="lineside-cli"
    ) as connection:
        cursor = connection.cursor(row_factory=class_row(QuarantinedBatch))
        await cursor.execute(
            """
            select id, edge, stream, seq, reason, at from historian.quarantine
            where resolved_at is null order by id limit %s
            """,
            [limit],
        )
        return await cursor.fetchall()


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is connected to a database.

    Args:
        program: As it calls itself.
        place: Address that it comes from.
        ours: A process of Lineside.
    """

    database: str
    pid: int
    program: str
    place: str
    ours: bool


async def other_sessions(url: str) -> list[Session]:
    """Return who else is connected to a database; of other roles PostgreSQL tells no address."""
    async with await psycopg.AsyncConnection.connect(
        url, connect_timeout=CONNECT_TIMEOUT_S, application_name="lineside-cli"
    ) as connection:
        cursor = connection.cursor(row_factory=class_row(Session))
        await cursor.execute(
            """
            select datname as database, pid, coalesce(nullif(application_name, ''), usename, '?') as program,
                   coalesce(host(client_addr), 'this machine') as place,
                   application_name like 'lineside-%' as ours
            from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()
              and (backend_type = 'client backend' or backend_type is null)
            order by program, pid
            """
        )
        return await cursor.fetchall()


async def make_database(admin_url: str, name: str, owner: str, password: str) -> None:
    """Make the role `owner` with `password` and its database `name` where they are missing.

    Args:
        admin_url: The server's `postgres` database, as its superuser.
        name: Database to make.
        owner: Login role; it may make roles, since migrations make the application's.
        password: Set at each start: the secret file is the truth.
    """
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
        role = sql.Identifier(owner)
        found = await connection.execute("select 1 from pg_roles where rolname = %s", [owner])
        if await found.fetchone() is None:
            await connection.execute(sql.SQL("create role {} login createrole").format(role))
        await connection.execute(sql.SQL("alter role {} password {}").format(role, sql.Literal(password)))
        found = await connection.execute("select 1 from pg_database where datname = %s", [name])
        if await found.fetchone() is None:
            await connection.execute(
                sql.SQL("create database {} owner {}").format(sql.Identifier(name), role)
            )


async def history_begun(tx: Tx) -> bool:
    """Return whether the demo plant's past has its materials and people."""
    begun: bool = await tx.value("select exists (select from mes.lot where purchase = 'HIST')")
    return begun


async def order_booked(tx: Tx, erp_ref: str) -> bool:
    """Return whether an order of the past is in the books; each is booked whole or not at all."""
    booked: bool = await tx.value(
        "select exists (select from mes.work_order where erp_ref = %(ref)s)", {"ref": erp_ref}
    )
    return booked


async def history_booked(tx: Tx) -> bool:
    """Return whether the demo plant's past is complete."""
    booked: bool = await tx.value("select exists (select from mes.event where type = 'HistoryBooked')")
    return booked
