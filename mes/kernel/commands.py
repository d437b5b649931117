"""Idempotent commands: the same key gives the same reply, however often it arrives."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from mes.kernel.db import Cause, Database, Tx
from mes.kernel.errors import PlantError

Handler = Callable[[Tx], Awaitable[Any]]

KEPT = timedelta(days=90)
"""Whoever repeats a command has been waiting for its reply; no device waits so long."""
FORGET_AT_ONCE = 5000


class IdempotencyKeyMissing(PlantError):
    """A command came without its Idempotency-Key."""

    http_status = 400
    remedy = "Send a UUID made on the device, the same one for every retry."


class IdempotencyKeyReused(PlantError):
    """This Idempotency-Key was used before for another command."""

    http_status = 409
    remedy = "Make a new key for a new command; repeat a command unchanged under its old key."


@dataclass(frozen=True, slots=True)
class Reply:
    """What the command answered, now or the first time.

    Args:
        status: HTTP status.
        body: JSON value.
        replayed: True when the command had been carried out before.
    """

    status: int
    body: Any
    replayed: bool


@dataclass(frozen=True, slots=True)
class _Stored:
    kind: str
    body_hash: str
    status: int | None
    reply: Any


async def execute(db: Database, cause: Cause, kind: str, body: Mapping[str, Any], handler: Handler) -> Reply:
    """Carry out `handler` once per key and store its reply in the same transaction.

    A refusal (PlantError) undoes the facts and is remembered too, so that a retry gets the same
    answer; a retryable error is not remembered.

    Args:
        cause: Must carry the idempotency key.
        kind: Name of the command, such as `execution.report`.
        body: The command as sent, JSON values; another body under the same key is refused.
        handler: Does the work and returns the reply's JSON value.

    Raises:
        IdempotencyKeyMissing: `cause.key` is None.
        IdempotencyKeyReused: The key belongs to another command.
        PlantError: A retryable refusal of the handler.
    """
    if cause.key is None:
        raise IdempotencyKeyMissing
    digest = _digest(kind, body)
    async with db.transaction(cause) as tx:
        stored = await _claim(tx, kind, digest)
        if stored is not None:
            return _again(cause.key, stored, kind, digest)
        reply = await _carry_out(tx, handler)
        await tx.execute(
            "update mes.command set status = %(status)s, reply = %(reply)s where key = %(key)s",
            {"status": reply.status, "reply": Jsonb(reply.body), "key": cause.key},
        )
        return reply


async def answered(tx: Tx, key: str, kind: str, body: Mapping[str, Any]) -> Reply | None:
    """Return the reply that a command got under this key, or None where it is new.

    Raises:
        IdempotencyKeyReused: The key belongs to another command.
    """
    stored = await _stored(tx, key)
    return None if stored is None else _again(key, stored, kind, _digest(kind, body))


async def forget(tx: Tx) -> int:
    """Delete the replies to commands of long ago, which nobody repeats any more.

    Returns:
        How many went, at most `FORGET_AT_ONCE`.
    """
    return await tx.execute(
        """
        delete from mes.command where key in (
            select key from mes.command where stored_at < %(before)s
            order by stored_at limit %(limit)s for update skip locked)
        """,
        {"before": tx.now - KEPT, "limit": FORGET_AT_ONCE},
    )


def _again(key: str, stored: _Stored, kind: str, digest: str) -> Reply:
    if (stored.kind, stored.body_hash) != (kind, digest):
        raise IdempotencyKeyReused(key=key)
    return Reply(stored.status or 200, stored.reply, replayed=True)


async def _stored(tx: Tx, key: str | None) -> _Stored | None:
    return await tx.fetch_one(
        _Stored,
        "select kind, body_hash, status, reply from mes.command where key = %(key)s",
        {"key": key},
    )


async def _claim(tx: Tx, kind: str, digest: str) -> _Stored | None:
    claimed = await tx.execute(
        """
        insert into mes.command (key, kind, body_hash, site, scope, actor, terminal, at)
        values (%(key)s, %(kind)s, %(hash)s, %(site)s,
                coalesce((select scope from mes.terminal where terminal = %(terminal)s), ''),
                %(actor)s, %(terminal)s, %(at)s)
        on conflict (key) do nothing
        """,
        {
            "key": tx.cause.key,
            "kind": kind,
            "hash": digest,
            "site": tx.site,
            "actor": tx.cause.actor,
            "terminal": tx.cause.terminal,
            "at": tx.cause.at,
        },
    )
    return None if claimed else await _stored(tx, tx.cause.key)


async def _carry_out(tx: Tx, handler: Handler) -> Reply:
    try:
        async with tx.savepoint():
            return Reply(200, await handler(tx), replayed=False)
    except PlantError as refusal:
        if refusal.retryable:
            raise
        return Reply(refusal.http_status, refusal.as_json(), replayed=False)


def _digest(kind: str, body: Mapping[str, Any]) -> str:
    text = json.dumps([kind, body], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
