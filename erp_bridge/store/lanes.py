# ruff: noqa: S608 - only lists of columns are put into the text
"""Documents for the ERP, in lanes: one after the other for each work order."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from erp_bridge.documents import Document, to_json
from mes.kernel.db import Tx
from mes.kernel.outbox import StoredEvent

OPENING = "opening"
"""Subject of the entry that brings the history into the books: no event of the plant."""
LEASE_S = 90
"""A lane whose worker died elsewhere is taken over after so many seconds: no call to an ERP lasts longer."""


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One document as the ledger has it."""

    id: int
    key: str
    lane: str
    noun: str
    subject: str
    work_order: str | None
    reverses: str | None
    body: dict[str, Any]
    event_time: datetime
    posting_date: date
    recorded_at: datetime
    state: str
    attempts: int
    next_at: datetime | None
    sent_at: datetime | None
    applied_at: datetime | None
    erp_ref: list[str]
    code: str | None
    detail: str | None


COLUMNS = (
    "id, key, lane, noun, subject, work_order, reverses, body, event_time, posting_date,"
    " recorded_at, state, attempts, next_at, sent_at, applied_at, erp_ref, code, detail"
)


RESTORED = "restored"
"""Cursor: when the plant was put back to a backup; what happened before, the ERP may have already."""


async def add(tx: Tx, document: Document, cause: StoredEvent, *, probe: bool = False) -> None:
    """Put `document` at the end of its lane, once.

    Args:
        probe: The ERP may have it already: it is asked before it gets it.
    """
    await tx.execute(
        "insert into erp.lane (lane, site) values (%(lane)s, %(site)s) on conflict do nothing",
        {"lane": document.lane, "site": cause.site},
    )
    await tx.execute(
        """
        insert into erp.document (key, lane, noun, event_id, subject, site, scope, work_order,
                                  reverses, body, event_time, posting_date, recorded_at, state, sent_at)
        values (%(key)s, %(lane)s, %(noun)s, %(event_id)s, %(subject)s, %(site)s, %(scope)s,
                %(work_order)s, %(reverses)s, %(body)s, %(event_time)s, %(posting_date)s,
                %(recorded_at)s, %(state)s, %(sent_at)s)
        on conflict (key) do nothing
        """,
        {
            "key": document.key,
            "lane": document.lane,
            "noun": document.noun,
            "event_id": cause.event_id,
            "subject": document.subject,
            "site": cause.site,
            "scope": cause.scope,
            "work_order": document.work_order,
            "reverses": document.reverses,
            "body": Jsonb(to_json(document)),
            "event_time": document.event_time,
            "posting_date": document.posting_date,
            "recorded_at": cause.recorded_at,
            "state": "sending" if probe else "pending",
            "sent_at": document.event_time if probe else None,
        },
    )
    if document.subject != OPENING:
        await tx.execute(
            "insert into erp.subject (subject, site, scope) values (%(subject)s, %(site)s, %(scope)s)"
            " on conflict (subject) do update set agreed_at = null, reopened = subject.reopened + 1",
            {"subject": document.subject, "site": cause.site, "scope": cause.scope},
        )


async def claim(tx: Tx, worker: str, limit: int) -> list[DocumentRow]:
    """Lease lanes that have something to do now and return the documents at their heads.

    Of each lane the leading documents come, in order, up to `limit` in all. A dead document
    blocks its lane. What the worker leased before stays its own, under the epoch that `leases` tells.
    """
    return await tx.fetch_all(
        DocumentRow,
        f"""
        with head as (
            select distinct on (lane) lane, state, next_at from erp.document
            where state in ('pending', 'sending', 'retry', 'dead') order by lane, id
        ), free as (
            select lane.lane from erp.lane join head using (lane)
            where head.state <> 'dead' and (head.next_at is null or head.next_at <= now())
              and (lane.lease_until is null or lane.lease_until < now() or lane.worker = %(worker)s)
            limit %(limit)s for update of lane skip locked
        ), leased as (
            update erp.lane set worker = %(worker)s,
                                epoch = epoch + (worker is distinct from %(worker)s)::int,
                                lease_until = now() + make_interval(secs => {LEASE_S})
            where lane in (select lane from free) returning lane
        ), queue as (
            select {COLUMNS}, bool_and(state <> 'dead') over (partition by lane order by id) as clear
            from erp.document
            where lane in (select lane from leased)
              and state in ('pending', 'sending', 'retry', 'dead')
        )
        select {COLUMNS} from queue where clear order by id limit %(limit)s
        """,
        {"worker": worker, "limit": limit},
    )


@dataclass(frozen=True, slots=True)
class Lease:
    """A lane that a worker holds."""

    lane: str
    epoch: int


async def leases(tx: Tx, worker: str, lanes: Collection[str]) -> dict[str, int]:
    """Return the epochs of the lanes that the worker holds, and keep others from taking them meanwhile."""
    rows = await tx.fetch_all(
        Lease,
        "select lane, epoch from erp.lane where worker = %(worker)s and lane = any(%(lanes)s)"
        " order by lane for no key update",
        {"worker": worker, "lanes": list(lanes)},
    )
    return {row.lane: row.epoch for row in rows}


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker that holds lanes."""

    worker: str


async def workers(tx: Tx) -> list[str]:
    """Return the workers that hold lanes."""
    rows = await tx.fetch_all(
        WorkerRow, "select distinct worker from erp.lane where worker is not null order by worker"
    )
    return [row.worker for row in rows]


async def bury(tx: Tx, worker: str) -> None:
    """Give back what a dead worker held."""
    await tx.execute(
        "update erp.lane set worker = null, lease_until = null where worker = %(worker)s", {"worker": worker}
    )


async def mark_sending(tx: Tx, ids: Collection[int]) -> None:
    """Say that the call is about to be made: from here on the outcome is unknown."""
    await tx.execute(
        "update erp.document set state = 'sending', attempts = attempts + 1, sent_at = now()"
        " where id = any(%(ids)s)",
        {"ids": list(ids)},
    )


async def mark_applied(tx: Tx, refs: Mapping[int, Sequence[str]]) -> None:
    """Note what the ERP booked."""
    await tx.execute_many(
        "update erp.document set state = 'applied', erp_ref = %(ref)s, applied_at = clock_timestamp(),"
        " code = null, detail = null, next_at = null where id = %(id)s",
        [{"id": key, "ref": list(ref)} for key, ref in refs.items()],
    )


async def mark_retry(tx: Tx, row: int, after_s: float, code: str, detail: str) -> None:
    """Try again later: nothing was booked."""
    await tx.execute(
        "update erp.document set state = 'retry', code = %(code)s, detail = %(detail)s,"
        " next_at = now() + make_interval(secs => %(after)s) where id = %(id)s",
        {"id": row, "after": after_s, "code": code, "detail": detail},
    )


async def mark_unknown(tx: Tx, row: int, after_s: float, code: str, detail: str) -> None:
    """Look into it later: it may be booked."""
    await tx.execute(
        "update erp.document set code = %(code)s, detail = %(detail)s,"
        " next_at = now() + make_interval(secs => %(after)s) where id = %(id)s and state = 'sending'",
        {"id": row, "after": after_s, "code": code, "detail": detail},
    )


async def move(tx: Tx, row: int, document: Document) -> None:
    """Let it be booked on another day."""
    await tx.execute(
        "update erp.document set posting_date = %(day)s, body = %(body)s where id = %(id)s",
        {"id": row, "day": document.posting_date, "body": Jsonb(to_json(document))},
    )


async def mark_held(tx: Tx, row: int) -> None:
    """Put it back into its lane: it was not tried."""
    await tx.execute(
        "update erp.document set state = 'pending' where id = %(id)s and state = 'sending'", {"id": row}
    )


async def mark_dead(tx: Tx, row: int, code: str, detail: str) -> None:
    """Put it on the repair desk."""
    await tx.execute(
        "update erp.document set state = 'dead', code = %(code)s, detail = %(detail)s,"
        " next_at = null where id = %(id)s",
        {"id": row, "code": code, "detail": detail},
    )


async def release_lanes(tx: Tx, worker: str, lanes: Collection[str]) -> None:
    """Give leases back."""
    await tx.execute(
        "update erp.lane set worker = null, lease_until = null"
        " where worker = %(worker)s and lane = any(%(lanes)s)",
        {"worker": worker, "lanes": list(lanes)},
    )


async def known_refs(tx: Tx, lanes: Collection[str]) -> dict[str, set[str]]:
    """Return what the ledger holds as booked, by lane."""
    rows = await tx.fetch_all(
        RefRow,
        "select lane, unnest(erp_ref) as ref from erp.document where lane = any(%(lanes)s)",
        {"lanes": list(lanes)},
    )
    refs: dict[str, set[str]] = {lane: set() for lane in lanes}
    for row in rows:
        refs[row.lane].add(row.ref)
    return refs


@dataclass(frozen=True, slots=True)
class RefRow:
    """One booked record."""

    lane: str
    ref: str


async def wait_s(tx: Tx) -> float | None:
    """Return the seconds until the next postponed document is due; None for none."""
    seconds = await tx.value(
        "select extract(epoch from min(next_at) - now())::float8 from erp.document"
        " where state in ('sending', 'retry') and next_at is not null"
    )
    return None if seconds is None else float(seconds)


async def document(tx: Tx, row: int) -> DocumentRow | None:
    """Return one document."""
    return await tx.fetch_one(
        DocumentRow, f"select {COLUMNS} from erp.document where id = %(id)s", {"id": row}
    )


async def documents(
    tx: Tx, work_order: str | None, state: str | None, limit: int, *, noun: str | None = None
) -> list[DocumentRow]:
    """Return documents, newest first."""
    return await tx.fetch_all(
        DocumentRow,
        f"""
        select {COLUMNS} from erp.document
        where (%(work_order)s::text is null or work_order = %(work_order)s)
          and (%(state)s::text is null or state = %(state)s)
          and (%(noun)s::text is null or noun = %(noun)s)
        order by id desc limit %(limit)s
        """,
        {"work_order": work_order, "state": state, "noun": noun, "limit": limit},
    )


AGAIN: LiteralString = """
    state = case when recorded_at <= (select value::timestamptz from erp.cursor where name = 'restored')
                 then 'sending' else 'retry' end, next_at = null
"""
"""A document that was dead in a backup may have arrived since then."""


async def put_back(tx: Tx, row: int) -> bool:
    """Queue a dead document again; False when it is not dead."""
    changed = await tx.execute(
        f"update erp.document set {AGAIN} where id = %(id)s and state = 'dead'", {"id": row}
    )
    return changed == 1


async def put_all_back(tx: Tx, code: str) -> int:
    """Queue all dead documents of one code again; return how many they were."""
    return await tx.execute(
        f"update erp.document set {AGAIN} where code = %(code)s and state = 'dead'", {"code": code}
    )


async def skip(tx: Tx, row: int, reason: str) -> bool:
    """Leave a dead document out for good; reconciliation shows what is missing."""
    changed = await tx.execute(
        "update erp.document set state = 'skipped', detail = %(reason)s where id = %(id)s and state = 'dead'",
        {"id": row, "reason": reason},
    )
    return changed == 1


@dataclass(frozen=True, slots=True)
class LaneRow:
    """A lane with open documents.

    Args:
        waiting_s: Age of its oldest open document.
        code: Why its head is dead, when it is.
    """

    lane: str
    open: int
    head: int
    state: str
    attempts: int
    waiting_s: float
    code: str | None
    detail: str | None


async def lanes(tx: Tx, limit: int) -> list[LaneRow]:
    """Return the lanes with open documents, the longest waiting first."""
    return await tx.fetch_all(
        LaneRow,
        """
        with open as (
            select *, count(*) over (partition by lane) as n,
                   row_number() over (partition by lane order by id) as place
            from erp.document where state in ('pending', 'sending', 'retry', 'dead')
        )
        select lane, n as open, id as head, state, attempts,
               extract(epoch from clock_timestamp() - recorded_at)::float8 as waiting_s, code, detail
        from open where place = 1 order by recorded_at limit %(limit)s
        """,
        {"limit": limit},
    )


async def wake(tx: Tx) -> None:
    """Wake the bridge when this transaction commits."""
    await tx.execute("select pg_notify('lineside_event', '')")
