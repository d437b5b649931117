# ruff: noqa: S608 - only texts of our own are put together
"""What came from the ERP: how far each stream is read, and what could not be taken."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from erp_bridge.adapter import ErpRecordNotKept
from mes.kernel.db import Tx


async def cursor(tx: Tx, name: str) -> str:
    """Return where a reader of the ERP goes on; empty at first."""
    value = await tx.value("select value from erp.cursor where name = %(name)s", {"name": name})
    return "" if value is None else str(value)


async def move_cursor(tx: Tx, name: str, value: str) -> None:
    """Note how far a reader of the ERP has come."""
    await tx.execute(
        "insert into erp.cursor (name, site, value) values (%(name)s, %(site)s, %(value)s)"
        " on conflict (name) do update set value = excluded.value, moved_at = now()"
        " where erp.cursor.value <> excluded.value",
        {"name": name, "site": tx.site, "value": value},
    )


async def hashes(tx: Tx, stream: str, keys: Collection[str]) -> dict[str, str]:
    """Return the hash of the newest version of each record that was accepted or refused."""
    rows = await tx.fetch_all(
        HashRow,
        "select key, hash from erp.inbox where stream = %(stream)s and key = any(%(keys)s)",
        {"stream": stream, "keys": list(keys)},
    )
    return {row.key: row.hash for row in rows}


@dataclass(frozen=True, slots=True)
class HashRow:
    """Version of one record."""

    key: str
    hash: str


async def keep(
    tx: Tx,
    stream: str,
    key: str,
    *,
    version: str,
    body: dict[str, Any],
    code: str | None = None,
    detail: str | None = None,
    params: dict[str, Any] | None = None,
) -> None:
    """Remember a record's version, and why the plant refused it if it did.

    What is refused again for the same reason is still the record of the first time; what was left out comes
    back with another version.
    """
    await tx.execute(
        """
        insert into erp.inbox (site, stream, key, hash, body, code, detail, params)
        values (%(site)s, %(stream)s, %(key)s, %(hash)s, %(body)s, %(code)s, %(detail)s, %(params)s)
        on conflict (stream, key) do update
        set hash = excluded.hash, body = excluded.body, code = excluded.code,
            detail = excluded.detail, params = excluded.params, tried_at = now(),
            received_at = case when (inbox.hash, inbox.code) = (excluded.hash, excluded.code)
                               then inbox.received_at else now() end,
            left_out_at = case when inbox.hash = excluded.hash then inbox.left_out_at end,
            left_out_by = case when inbox.hash = excluded.hash then inbox.left_out_by end,
            left_out_reason = case when inbox.hash = excluded.hash then inbox.left_out_reason end
        """,
        {
            "site": tx.site,
            "stream": stream,
            "key": key,
            "hash": version,
            "body": Jsonb(body),
            "code": code,
            "detail": detail,
            "params": None if params is None else Jsonb(params),
        },
    )


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record of the ERP that the plant could not take.

    Args:
        version: Hash of what the ERP sent.
        params: Values that the refusal speaks of.
        left_out_by: Who said that the plant does without it, and why; none while it is tried again.
    """

    stream: str
    key: str
    version: str
    code: str
    detail: str | None
    params: dict[str, Any]
    received_at: datetime
    left_out_by: str | None
    left_out_reason: str | None


_REFUSAL = (
    "stream, key, hash as version, code, detail, coalesce(params, '{}') as params, received_at, left_out_by,"
    " left_out_reason"
)


async def refusals(tx: Tx, limit: int = 100, *, left_out: bool = False) -> list[Refusal]:
    """Return the records that the plant could not take, newest first.

    Args:
        left_out: Those that it does without, instead of those that wait.
    """
    return await tx.fetch_all(
        Refusal,
        f"select {_REFUSAL} from erp.inbox"
        " where code is not null and (left_out_at is not null) = %(left_out)s"
        " order by received_at desc limit %(limit)s",
        {"limit": limit, "left_out": left_out},
    )


async def leave_out(tx: Tx, stream: str, key: str, version: str, reason: str) -> Refusal | None:
    """Do without one version of a refused record; None when that does not wait."""
    return await tx.fetch_one(
        Refusal,
        f"""
        update erp.inbox set left_out_at = %(at)s, left_out_by = %(by)s, left_out_reason = %(reason)s
        where stream = %(stream)s and key = %(key)s and hash = %(version)s
          and code is not null and left_out_at is null
        returning {_REFUSAL}
        """,
        {
            "stream": stream,
            "key": key,
            "version": version,
            "reason": reason,
            "at": tx.now,
            "by": tx.cause.actor,
        },
    )


async def take_up(tx: Tx, stream: str, key: str) -> Refusal | None:
    """Try a record again that was left out; None when it was not."""
    return await tx.fetch_one(
        Refusal,
        f"""
        update erp.inbox set left_out_at = null, left_out_by = null, left_out_reason = null
        where stream = %(stream)s and key = %(key)s and left_out_at is not null
        returning {_REFUSAL}
        """,
        {"stream": stream, "key": key},
    )


@dataclass(frozen=True, slots=True)
class RefusedBody:
    """A record that the plant could not take, whole."""

    stream: str
    key: str
    hash: str
    body: dict[str, Any]


async def refused_bodies(tx: Tx) -> list[RefusedBody]:
    """Return the records that were understood and that the plant could not take, tried longest ago first."""
    return await tx.fetch_all(
        RefusedBody,
        "select stream, key, hash, body from erp.inbox"
        " where code is not null and left_out_at is null and body <> '{}'"
        " order by coalesce(tried_at, received_at) limit 200",
    )


async def odd_keys(tx: Tx, stream: str) -> set[str]:
    """Return the records of a stream that were not understood."""
    rows = await tx.fetch_all(
        HashRow,
        "select key, hash from erp.inbox where stream = %(stream)s and code is not null and body = '{}'",
        {"stream": stream},
    )
    return {row.key for row in rows}


async def forget(tx: Tx, stream: str, keys: Collection[str]) -> None:
    """Strike records off: they are mended or gone."""
    await tx.execute(
        "delete from erp.inbox where stream = %(stream)s and key = any(%(keys)s)",
        {"stream": stream, "keys": list(keys)},
    )


@asynccontextmanager
async def guarded(tx: Tx) -> AsyncIterator[None]:
    """Undo what is inside when it fails; a refusal by the database's own rules is `ErpRecordNotKept`."""
    try:
        async with tx.savepoint():
            yield
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise ErpRecordNotKept(reason=str(error).splitlines()[0]) from error
