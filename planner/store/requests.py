"""SQL of wishes for a plan."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from mes.kernel.db import Tx
from mes.kernel.ids import uuid7
from planner.store.plans import lock_plans

LEASE_S = 15
"""A worker that has not renewed its lease for so long is taken for dead."""


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody or something wants a new plan.

    Args:
        reason: Code of what happened, such as `machine`.
        move: Look for a plan that moves published work, even when no order is late.
        attempts: How often a worker has begun to answer it.
    """

    id: UUID
    reason: str
    params: dict[str, Any]
    move: bool
    requested_at: datetime
    requested_by: str
    attempts: int


_REQUEST: LiteralString = "id, reason, params, move, requested_at, requested_by, attempts"


async def add_request(tx: Tx, reason: str, params: dict[str, Any], *, move: bool) -> UUID:
    """Ask for a new plan; wakes the worker at commit."""
    request = uuid7()
    await tx.execute(
        """
        with asked as (
            insert into planner.request (id, site, reason, params, move, requested_at, requested_by)
            values (%(id)s, %(site)s, %(reason)s, %(params)s, %(move)s, clock_timestamp(), %(by)s)
            returning id
        )
        select pg_notify('lineside_event', 'planner') from asked
        """,
        {
            "id": request,
            "site": tx.site,
            "reason": reason,
            "params": Jsonb(params),
            "move": move,
            "by": tx.cause.actor,
        },
    )
    return request


@dataclass(frozen=True, slots=True)
class Queue:
    """Who waits for a plan.

    Args:
        age_s: For how long, by the database's clock.
        urgent: Something broke, or a person waits.
    """

    age_s: float
    urgent: bool


async def queue(tx: Tx) -> Queue | None:
    """Return for how long somebody has waited for a plan, or None."""
    return await tx.fetch_one(
        Queue,
        """
        select extract(epoch from clock_timestamp() - min(requested_at))::float8 as age_s,
               bool_or(move) as urgent
        from planner.request where site = %(site)s and done_at is null having count(*) > 0
        """,
        {"site": tx.site},
    )


async def claim(tx: Tx, worker: str) -> list[Request]:
    """Take all open requests of the site, unless another living worker has one of them.

    A worker takes back at once what it held itself before it was killed.
    """
    await lock_plans(tx)
    busy = await tx.value(
        """
        select true from planner.request
        where site = %(site)s and done_at is null and worker <> %(worker)s and lease_until > clock_timestamp()
        limit 1
        """,
        {"site": tx.site, "worker": worker},
    )
    if busy:
        return []
    return await tx.fetch_all(
        Request,
        f"""
        update planner.request
        set worker = %(worker)s, attempts = attempts + 1,
            lease_until = clock_timestamp() + make_interval(secs => {LEASE_S})
        where site = %(site)s and done_at is null
        returning {_REQUEST}
        """,  # noqa: S608 - a number and a list of columns of ours
        {"site": tx.site, "worker": worker},
    )


async def renew(tx: Tx, worker: str, requests: list[UUID]) -> None:
    """Tell the other workers that this one is alive."""
    await tx.execute(
        f"""
        update planner.request set lease_until = clock_timestamp() + make_interval(secs => {LEASE_S})
        where id = any(%(requests)s) and worker = %(worker)s and done_at is null
        """,  # noqa: S608 - a number of ours
        {"requests": requests, "worker": worker},
    )


async def finish(
    tx: Tx, worker: str, requests: list[UUID], outcome: str, error: dict[str, Any] | None = None
) -> bool:
    """Close requests; False when another worker has taken them over meanwhile."""
    closed = await tx.execute(
        """
        update planner.request set done_at = clock_timestamp(), outcome = %(outcome)s, error = %(error)s
        where id = any(%(requests)s) and worker = %(worker)s and done_at is null
        """,
        {
            "requests": requests,
            "worker": worker,
            "outcome": outcome,
            "error": None if error is None else Jsonb(error),
        },
    )
    return closed == len(requests)


async def waiting(tx: Tx) -> int:
    """Return how many requests are open."""
    return int(
        await tx.value(
            "select count(*) from planner.request where site = %(site)s and done_at is null",
            {"site": tx.site},
        )
    )
