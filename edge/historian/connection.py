"""A database connection that comes back, and the transaction that stores a batch with its cursor."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql

from edge.rows import Take
from mes.kernel.errors import unless_told_to_end
from mes.kernel.topics import Stream

AWAY = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)
"""What psycopg raises when the database is gone, busy or full, or ends amid an answer: the same may succeed
later."""


class CursorMoved(RuntimeError):
    """Another ingest has advanced this cursor: nothing was stored, begin again from the database."""


class StoreAway(ConnectionError):
    """The database does not answer; the same batches are to be stored when it does."""


class BatchRefused(ValueError):
    """The database refuses what is in a batch."""


class Store(ABC):
    """A database connection that is made when it is needed and made again when it broke.

    Args:
        url: PostgreSQL URL.
        name: Shown in `pg_stat_activity`.
    """

    cursor_table: ClassVar[LiteralString]
    stream: ClassVar[Stream]

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._connection: psycopg.AsyncConnection | None = None
        self._turn = asyncio.Lock()

    async def connection(self) -> psycopg.AsyncConnection:
        """Return the open connection.

        Raises:
            StoreAway: The database does not answer.
        """
        if self._connection is None or self._connection.broken or self._connection.closed:
            try:
                self._connection = await psycopg.AsyncConnection.connect(
                    self._url,
                    autocommit=True,
                    application_name=self._name,
                    connect_timeout=5,
                    tcp_user_timeout=10_000,
                    options="-c statement_timeout=30s -c lock_timeout=10s -c timezone=UTC",
                    prepare_threshold=None,
                )
            except AWAY as error:
                raise unless_told_to_end(StoreAway(str(error))) from error
        return self._connection

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()

    async def cursors(self) -> dict[tuple[str, UUID], int]:
        """Return the committed number of each recent epoch, by edge.

        Raises:
            StoreAway: The database does not answer.
        """
        query = sql.SQL("select edge, epoch, seq from {} where stream = %s order by at desc limit 400")
        rows = await self._rows(query.format(self._cursors), (self.stream.value,))
        return {(edge, epoch): seq for edge, epoch, seq in rows}

    async def cursor(self, edge: str, epoch: UUID) -> int:
        """Return the committed number of one epoch, 0 for an unknown one."""
        query = sql.SQL("select seq from {} where (edge, epoch, stream) = (%s, %s, %s)")
        rows = await self._rows(query.format(self._cursors), (edge, epoch, self.stream.value))
        return int(rows[0][0]) if rows else 0

    @property
    def _cursors(self) -> sql.SQL:
        return sql.SQL(self.cursor_table)

    async def _rows(
        self, query: sql.Composed | LiteralString, params: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        try:
            async with self._turn:
                connection = await self.connection()
                return await (await connection.execute(query, params)).fetchall()
        except AWAY as error:
            raise unless_told_to_end(StoreAway(str(error))) from error

    async def commit(self, takes: Sequence[Take]) -> int:
        """Store `takes` and advance their cursors in one transaction.

        Returns:
            How many samples were stored.

        Raises:
            StoreAway: The database does not answer; nothing was stored.
            CursorMoved: Another ingest was faster; nothing was stored.
            BatchRefused: The database refuses the contents; nothing was stored.
        """
        try:
            async with self._turn:
                connection = await self.connection()
                async with connection.transaction():
                    await self._advance(connection, takes)
                    stored = await self._write(connection, takes)
                self._committed()
                return stored
        except AWAY as error:
            raise unless_told_to_end(StoreAway(str(error))) from error
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise BatchRefused(str(error)) from error

    @abstractmethod
    async def _write(self, connection: psycopg.AsyncConnection, takes: Sequence[Take]) -> int:
        """Store `takes`; return how many samples they had."""

    def _committed(self) -> None:  # noqa: B027
        """Called after each commit."""

    async def _advance(self, connection: psycopg.AsyncConnection, takes: Sequence[Take]) -> None:
        """Move each cursor from where this ingest believes it is, or refuse."""
        moves: dict[tuple[str, UUID], tuple[int, int]] = {}
        for take in takes:
            key = (take.edge, take.message.epoch)
            moves[key] = (moves.get(key, (take.before, 0))[0], take.seq)
        first = sql.SQL(
            """insert into {table} as c (edge, epoch, stream, seq)
               values (%(edge)s, %(epoch)s, %(stream)s, %(after)s)
               on conflict (edge, epoch, stream) do update set seq = excluded.seq, at = now()
               where c.seq = %(before)s"""
        ).format(table=self._cursors)
        later = sql.SQL(
            """update {table} set seq = %(after)s, at = now()
               where (edge, epoch, stream, seq) = (%(edge)s, %(epoch)s, %(stream)s, %(before)s)"""
        ).format(table=self._cursors)
        for (edge, epoch), (before, after) in sorted(moves.items(), key=str):
            params = {"edge": edge, "epoch": epoch, "stream": self.stream.value}
            done = await connection.execute(
                later if before else first, {**params, "before": before, "after": after}
            )
            if done.rowcount != 1:
                raise CursorMoved(f"{edge} {epoch}")
