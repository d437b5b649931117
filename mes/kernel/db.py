"""PostgreSQL for every process: a pool, transactions that know their cause, rows as dataclasses."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from types import TracebackType
from typing import Any, LiteralString, Self, TypeVar
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from mes.kernel.errors import PlantError, unless_told_to_end
from mes.kernel.log import get_logger

logger = get_logger(__name__)

T = TypeVar("T")

SESSION_OPTIONS = (
    "-c timezone=UTC -c statement_timeout=30000 -c lock_timeout=5000"
    " -c idle_in_transaction_session_timeout=60000"
)
"""A session never waits for ever; without these a lost peer holds locks for hours."""

TCP_USER_TIMEOUT_MS = 5000
"""Keepalives do not help while data is in flight; this does (measured: hang > 40 s without)."""

ASKED_AFTER_S = 5.0
"""So long a session is waited for before the server is asked whether it is there."""
LONGEST_WAIT_S = 30.0
"""So long a session is waited for where the server is there: as long as a statement may take."""

GIVES_UP_S = 2.0
"""So long a pool tries for a lost session by itself; then the next who asks for one makes it try at once.

The waits between a pool's own tries double: after an hour without the database it would wait for another.
"""

APP_ROLE = "lineside_app"
READER_ROLE = "lineside_reader"

Params = Mapping[str, Any]
Pool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]


class DatabaseUnavailable(PlantError):
    """The database cannot be reached at the moment."""

    http_status = 503
    retryable = True
    remedy = "Nothing is lost. It is tried again by itself; if this stays, call the plant engineer."


class ValueNotStorable(PlantError):
    """A value has characters or a size that the database cannot keep."""

    http_status = 422
    remedy = "Scan or type it again; look for characters that cannot be seen, and for the size of the number."


class DatabaseBusy(PlantError):
    """The database has too much to do, or two changes to the same thing met."""

    http_status = 503
    retryable = True
    remedy = "It is tried again by itself."


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Who does something, when it happened, and by which command.

    Args:
        actor: `person:E-1001`, `account:admin`, `edge:edge-suz-1`, `device:PACK-1-SCAN`, `service:floor` or
            `erp`.
        at: Business time of the act, aware UTC: the device's time, or the past for history.
        terminal: Unit whose terminal was used.
        key: Idempotency key of the command.
        causation: Event that led to this.
        simulated: True only for history booked by the simulator.
    """

    actor: str
    at: datetime
    terminal: str | None = None
    key: str | None = None
    causation: UUID | None = None
    simulated: bool = False


class Tx:
    """One open transaction and its cause. Services never commit; the boundary does."""

    __slots__ = ("_cause", "conn", "site")

    def __init__(self, conn: psycopg.AsyncConnection[Any], cause: Cause | None, site: str) -> None:
        self.conn = conn
        self.site = site
        self._cause = cause

    @property
    def cause(self) -> Cause:
        """Who and why.

        Raises:
            RuntimeError: A reading transaction changes nothing and has no cause.
        """
        if self._cause is None:
            msg = "a reading transaction has no cause"
            raise RuntimeError(msg)
        return self._cause

    @property
    def now(self) -> datetime:
        """Business time of the act (not the time of booking)."""
        return self.cause.at

    def under(self, cause: Cause) -> "Tx":
        """Return this transaction as seen by another cause: another actor, another moment."""
        return Tx(self.conn, cause, self.site)

    async def fetch_one(
        self, row_type: type[T], sql: LiteralString, params: Params | None = None
    ) -> T | None:
        """Return the first row as `row_type`, or None."""
        async with self.conn.cursor(row_factory=class_row(row_type)) as cursor:
            await cursor.execute(sql, params)
            return await cursor.fetchone()

    async def fetch_all(self, row_type: type[T], sql: LiteralString, params: Params | None = None) -> list[T]:
        """Return all rows as `row_type`."""
        async with self.conn.cursor(row_factory=class_row(row_type)) as cursor:
            await cursor.execute(sql, params)
            return await cursor.fetchall()

    async def value(self, sql: LiteralString, params: Params | None = None) -> Any:
        """Return the first column of the first row, or None."""
        async with self.conn.cursor() as cursor:
            await cursor.execute(sql, params)
            row = await cursor.fetchone()
        return None if row is None else row[0]

    async def execute(self, sql: LiteralString, params: Params | None = None) -> int:
        """Run a statement and return how many rows it touched."""
        async with self.conn.cursor() as cursor:
            await cursor.execute(sql, params)
            return cursor.rowcount

    async def execute_many(self, sql: LiteralString, rows: list[Params]) -> None:
        """Run a statement once per row, pipelined."""
        async with self.conn.cursor() as cursor:
            await cursor.executemany(sql, rows)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Undo only what is inside when it raises."""
        async with self.conn.transaction():
            yield


class Database:
    """A pool of connections to one database.

    Sessions act as the role `lineside_app`, which cannot rewrite the append-only ledgers. Where
    readers are asked for, `read` has sessions of its own, as `lineside_reader`: it may select only.
    """

    def __init__(self, pool: Pool, url: str, site: str, readers: Pool | None = None) -> None:
        self._pool = pool
        self._readers = readers
        self._asked: asyncio.Task[bool] | None = None
        self.url = url
        self.site = site

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        name: str,
        site: str,
        min_size: int = 1,
        max_size: int = 8,
        readers: int = 0,
        as_owner: bool = False,
    ) -> Self:
        """Open the pool; it connects in the background and reconnects by itself.

        Args:
            url: `postgresql://…`.
            name: Shown in `pg_stat_activity`.
            site: Site code that every fact written here carries.
            readers: Most sessions that `read` has for itself; 0: it shares those of `transaction`.
            as_owner: Keep the login role, for migrations and partitions.
        """
        pool = _pool(url, name, None if as_owner else APP_ROLE, min_size, max_size)
        reading = _pool(url, name, READER_ROLE, min(min_size, readers), readers) if readers else None
        await pool.open()
        if reading is not None:
            await reading.open()
        return cls(pool, url, site, reading)

    async def close(self) -> None:
        """Give the connections back to the server."""
        await self._pool.close()
        if self._readers is not None:
            await self._readers.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @asynccontextmanager
    async def transaction(self, cause: Cause) -> AsyncIterator[Tx]:
        """Open a transaction that commits at the end of the block, or undoes everything.

        Raises:
            DatabaseUnavailable: The server cannot be reached, or the connection broke.
            DatabaseBusy: Deadlock, lock time-out or serialisation failure; a statement or the wait for a
                session took longer than 30 s.
        """
        async with translated(), self._session(self._pool) as conn, conn.transaction():
            yield Tx(conn, cause, self.site)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """Open a read-only transaction: one snapshot for all its statements.

        Raises:
            DatabaseUnavailable: The server cannot be reached, or the connection broke.
            DatabaseBusy: A statement or the wait for a session took longer than 30 s.
        """
        async with translated(), self._session(self._readers or self._pool) as conn:
            await conn.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
            await conn.set_read_only(True)
            try:
                async with conn.transaction():
                    yield Tx(conn, None, self.site)
            finally:
                if not conn.closed:
                    await conn.set_isolation_level(None)
                    await conn.set_read_only(None)

    @asynccontextmanager
    async def _session(self, pool: Pool) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        conn = await self._waited_for(pool)
        try:
            async with conn:
                yield conn
        finally:
            await pool.putconn(conn)

    async def _waited_for(self, pool: Pool) -> psycopg.AsyncConnection[Any]:
        """Return a session when one is free. Whoever waits for long waits on, as long as the server answers.

        On a busy machine all sessions are at work for longer, a new one takes its time, or this process does
        not get its turn: none of that says that the database is away.
        """
        give_up = monotonic() + LONGEST_WAIT_S
        while True:
            try:
                return await pool.getconn(ASKED_AFTER_S)
            except PoolTimeout as error:
                if not await self._answers():
                    raise
                if monotonic() >= give_up:
                    raise DatabaseBusy from error

    async def _answers(self) -> bool:
        """Ask the server whether it is there; all who wait ask together."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.create_task(_answers(self.url))
        return await asyncio.shield(self._asked)


async def _answers(url: str) -> bool:
    try:
        conn = await psycopg.AsyncConnection.connect(url, **session_settings("asks"))
    except psycopg.OperationalError:
        return False
    await conn.close()
    return True


def _pool(url: str, name: str, role: LiteralString | None, min_size: int, max_size: int) -> Pool:
    async def act_as(conn: psycopg.AsyncConnection[Any]) -> None:
        if role is not None:
            await _become(conn, role)

    return AsyncConnectionPool(
        url,
        min_size=min_size,
        max_size=max_size,
        open=False,
        reconnect_timeout=GIVES_UP_S,
        kwargs=session_settings(name),
        configure=act_as,
        check=AsyncConnectionPool.check_connection,
    )


def session_settings(name: str) -> dict[str, Any]:
    """Return the connection parameters every session uses."""
    return {
        "application_name": f"lineside-{name}",
        "connect_timeout": 5,
        "tcp_user_timeout": TCP_USER_TIMEOUT_MS,
        "options": SESSION_OPTIONS,
    }


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Turn the driver's connection errors into ones that a process can wait out."""
    try:
        yield
    except (
        psycopg.errors.DeadlockDetected,
        psycopg.errors.SerializationFailure,
        psycopg.errors.LockNotAvailable,
        psycopg.errors.QueryCanceled,
    ) as error:
        raise DatabaseBusy from error
    except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
        raise unless_told_to_end(DatabaseUnavailable()) from error
    except psycopg.InternalError as error:
        if error.sqlstate is not None:
            raise
        # the server ended amid its answer: psycopg got a last word behind it
        raise unless_told_to_end(DatabaseUnavailable()) from error
    except psycopg.DataError as error:
        raise ValueNotStorable from error


async def act_as_app(conn: psycopg.AsyncConnection[Any]) -> None:
    """Make a new session of a library's own pool act as `lineside_app`, as ours do."""
    await _become(conn, APP_ROLE)


async def _become(conn: psycopg.AsyncConnection[Any], role: LiteralString) -> None:
    cursor = await conn.execute(
        "select 1 from pg_roles where rolname = %(role)s and pg_has_role(current_user, oid, 'member')",
        {"role": role},
    )
    if await cursor.fetchone() is not None:
        await conn.execute("select set_config('role', %(role)s, false)", {"role": role})
    await conn.commit()


class Wakeup:
    """A listening session of its own: wakes a consumer when something was committed.

    It only wakes. What happened is read from the tables, so a lost notification costs a wait.
    """

    def __init__(self, url: str, channel: LiteralString) -> None:
        self._url = url
        self._channel = channel
        self._conn: psycopg.AsyncConnection[Any] | None = None

    async def wait(self, timeout_s: float) -> bool:
        """Return True as soon as a commit was announced, False after `timeout_s` without one."""
        try:
            if self._conn is None:
                self._conn = await self._listen()
                return True
            async for _ in self._conn.notifies(timeout=timeout_s, stop_after=1):
                return True
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            logger.info("wakeup.lost", channel=self._channel, reason=str(error).strip())
            await self.close()
            raise unless_told_to_end(DatabaseUnavailable()) from error
        return False

    async def close(self) -> None:
        """Stop listening."""
        if self._conn is not None:
            await self._conn.close()
            self._conn = None

    async def _listen(self) -> psycopg.AsyncConnection[Any]:
        conn = await psycopg.AsyncConnection.connect(self._url, autocommit=True, **session_settings("wakeup"))
        await conn.execute(psycopg.sql.SQL("listen {}").format(psycopg.sql.Identifier(self._channel)))
        return conn


@asynccontextmanager
async def wakeups(db: Database, channel: LiteralString) -> AsyncIterator[Wakeup]:
    """Listen on `channel` for as long as the block runs."""
    wakeup = Wakeup(db.url, channel)
    try:
        yield wakeup
    finally:
        await wakeup.close()
