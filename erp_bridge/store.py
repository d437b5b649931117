# ruff: noqa: S608 - only lists of columns are put into the text
"""Tables of the bridge: schema `erp`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from erp_bridge.adapter import ErpRecordNotKept, LedgerLine, StockLine
from erp_bridge.documents import Document, to_json
from mes.kernel.db import Tx
from mes.kernel.outbox import COLUMNS as EVENT_COLUMNS
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


async def add(tx: Tx, document: Document, cause: StoredEvent) -> None:
    """Put `document` at the end of its lane, once."""
    await tx.execute(
        "insert into erp.lane (lane, site) values (%(lane)s, %(site)s) on conflict do nothing",
        {"lane": document.lane, "site": cause.site},
    )
    await tx.execute(
        """
        insert into erp.document (key, lane, noun, event_id, subject, site, scope, work_order,
                                  reverses, body, event_time, posting_date, recorded_at)
        values (%(key)s, %(lane)s, %(noun)s, %(event_id)s, %(subject)s, %(site)s, %(scope)s,
                %(work_order)s, %(reverses)s, %(body)s, %(event_time)s, %(posting_date)s,
                %(recorded_at)s)
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
        },
    )
    if document.subject != OPENING:
        await tx.execute(
            "insert into erp.subject (subject, site) values (%(subject)s, %(site)s) on conflict (subject)"
            " do update set agreed_at = null, reopened = subject.reopened + 1",
            {"subject": document.subject, "site": cause.site},
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


async def documents(tx: Tx, work_order: str | None, state: str | None, limit: int) -> list[DocumentRow]:
    """Return documents, newest first."""
    return await tx.fetch_all(
        DocumentRow,
        f"""
        select {COLUMNS} from erp.document
        where (%(work_order)s::text is null or work_order = %(work_order)s)
          and (%(state)s::text is null or state = %(state)s)
        order by id desc limit %(limit)s
        """,
        {"work_order": work_order, "state": state, "limit": limit},
    )


async def put_back(tx: Tx, row: int) -> bool:
    """Queue a dead document again; False when it is not dead."""
    changed = await tx.execute(
        "update erp.document set state = 'retry', next_at = null where id = %(id)s and state = 'dead'",
        {"id": row},
    )
    return changed == 1


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


@dataclass(frozen=True, slots=True)
class Counts:
    """Figures of the ledger; the lag is that of the last 15 minutes, in seconds."""

    applied: int
    open: int
    open_lanes: int
    dead: int
    oldest_open_s: float
    lag_p50_s: float | None
    lag_p95_s: float | None


async def counts(tx: Tx) -> Counts:
    """Return how the ledger stands."""
    row = await tx.fetch_one(
        Counts,
        """
        select count(*) filter (where state = 'applied') as applied,
               count(*) filter (where state in ('pending', 'sending', 'retry')) as open,
               count(distinct lane) filter (where state in ('pending', 'sending', 'retry', 'dead'))
                   as open_lanes,
               count(*) filter (where state = 'dead') as dead,
               coalesce(extract(epoch from clock_timestamp() - min(recorded_at)
                   filter (where state in ('pending', 'sending', 'retry')))::float8, 0) as oldest_open_s,
               percentile_cont(0.5) within group (order by extract(epoch from applied_at - recorded_at))
                   filter (where applied_at > now() - interval '15 minutes') as lag_p50_s,
               percentile_cont(0.95) within group (order by extract(epoch from applied_at - recorded_at))
                   filter (where applied_at > now() - interval '15 minutes') as lag_p95_s
        from erp.document
        """,
    )
    assert row is not None  # noqa: S101 - an aggregate always has a row
    return row


# What came from the ERP


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
) -> None:
    """Remember a record's version, and why the plant refused it if it did."""
    await tx.execute(
        """
        insert into erp.inbox (site, stream, key, hash, body, code, detail)
        values (%(site)s, %(stream)s, %(key)s, %(hash)s, %(body)s, %(code)s, %(detail)s)
        on conflict (stream, key) do update
        set hash = excluded.hash, body = excluded.body, code = excluded.code,
            detail = excluded.detail, received_at = now()
        """,
        {
            "site": tx.site,
            "stream": stream,
            "key": key,
            "hash": version,
            "body": Jsonb(body),
            "code": code,
            "detail": detail,
        },
    )


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record of the ERP that the plant could not take."""

    stream: str
    key: str
    code: str
    detail: str | None
    received_at: datetime


async def refusals(tx: Tx, limit: int = 100) -> list[Refusal]:
    """Return the records that the plant could not take, newest first."""
    return await tx.fetch_all(
        Refusal,
        "select stream, key, code, detail, received_at from erp.inbox where code is not null"
        " order by received_at desc limit %(limit)s",
        {"limit": limit},
    )


@dataclass(frozen=True, slots=True)
class RefusedBody:
    """A record that the plant could not take, whole."""

    stream: str
    key: str
    hash: str
    body: dict[str, Any]


async def refused_bodies(tx: Tx) -> list[RefusedBody]:
    """Return the records that were understood and that the plant could not take, oldest first."""
    return await tx.fetch_all(
        RefusedBody,
        "select stream, key, hash, body from erp.inbox where code is not null and body <> '{}'"
        " order by received_at limit 200",
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


# The link


@dataclass(frozen=True, slots=True)
class LinkRow:
    """The ERP as the bridge last saw it."""

    erp: str
    name: str
    reachable: bool
    detail: str
    latency_ms: float
    at: datetime


async def put_link(tx: Tx, erp: str, name: str, *, reachable: bool, detail: str, ms: float) -> None:
    """Note whether the ERP answers."""
    await tx.execute(
        """
        insert into erp.link (erp, site, name, reachable, detail, latency_ms)
        values (%(erp)s, %(site)s, %(name)s, %(reachable)s, %(detail)s, %(ms)s)
        on conflict (erp) do update set name = excluded.name, reachable = excluded.reachable,
            detail = excluded.detail, latency_ms = excluded.latency_ms, at = now()
        """,
        {
            "erp": erp,
            "site": tx.site,
            "name": name,
            "reachable": reachable,
            "detail": detail,
            "ms": ms,
        },
    )


async def link(tx: Tx, erp: str) -> LinkRow | None:
    """Return the ERP as the bridge last saw it."""
    return await tx.fetch_one(
        LinkRow,
        "select erp, name, reachable, detail, latency_ms, at from erp.link where erp = %(erp)s",
        {"erp": erp},
    )


# The mirror of the ERP's books


REOPEN = """
    update erp.subject s set agreed_at = null, reopened = s.reopened + 1
    from changed join erp.document d on d.erp_ref @> array[changed.ref] where s.subject = d.subject
"""
"""What changed in the ERP is compared again."""


async def mirror_ledger(tx: Tx, lines: Sequence[LedgerLine]) -> None:
    """Keep lines of the ERP's ledger."""
    each = {line.id: line for line in lines}.values()
    await tx.execute(
        f"""
        with changed as (
            insert into erp.mirror_ledger (id, site, account, amount, ref)
            select id, %(site)s, account, amount, ref
            from unnest(%(id)s::bigint[], %(account)s::text[], %(amount)s::numeric[], %(ref)s::text[])
                 as line (id, account, amount, ref)
            on conflict (id) do update set account = excluded.account, amount = excluded.amount,
                ref = excluded.ref
            where (mirror_ledger.account, mirror_ledger.amount, mirror_ledger.ref)
                  is distinct from (excluded.account, excluded.amount, excluded.ref)
            returning ref
        )
        {REOPEN}
        """,
        {
            "site": tx.site,
            "id": [line.id for line in each],
            "account": [line.account for line in each],
            "amount": [line.amount for line in each],
            "ref": [line.ref for line in each],
        },
    )


async def mirror_stock(tx: Tx, lines: Sequence[StockLine]) -> None:
    """Keep movements of the ERP's stock."""
    each = {line.id: line for line in lines}.values()
    await tx.execute(
        f"""
        with changed as (
            insert into erp.mirror_stock (id, site, ref, work_order, material, lot, quantity)
            select id, %(site)s, ref, work_order, material, lot, quantity
            from unnest(%(id)s::bigint[], %(ref)s::text[], %(work_order)s::text[], %(material)s::text[],
                        %(lot)s::text[], %(quantity)s::numeric[])
                 as line (id, ref, work_order, material, lot, quantity)
            on conflict (id) do update set work_order = excluded.work_order,
                material = excluded.material, lot = excluded.lot, quantity = excluded.quantity
            where (mirror_stock.work_order, mirror_stock.material, mirror_stock.lot, mirror_stock.quantity)
                  is distinct from
                  (excluded.work_order, excluded.material, excluded.lot, excluded.quantity)
            returning ref
        )
        {REOPEN}
        """,
        {
            "site": tx.site,
            "id": [line.id for line in each],
            "ref": [line.ref for line in each],
            "work_order": [line.work_order for line in each],
            "material": [line.material for line in each],
            "lot": [line.lot for line in each],
            "quantity": [line.quantity for line in each],
        },
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing on which plant and ERP do not agree.

    Args:
        kind: `quantity` or `value`.
        what: Material and lot, or account.
        mine: The plant's figure.
        theirs: The ERP's.
        subject: The event it is about, or the ERP's record that no event explains.
    """

    kind: str
    work_order: str
    what: str
    mine: Decimal
    theirs: Decimal
    subject: str


ENTRIES = "compare/entries"
"""Cursor: the cost entries up to this number are all in `erp.subject`."""
LEDGER_BEGIN = "compare/ledger"
"""Cursor: the ERP's lines up to this one were there before the bridge came."""
PLANTS_OWN = "wip"
"""The account on which nobody but the plant posts."""

OPEN = f"""
    open as (
        select subject, reopened from erp.subject where agreed_at is null
        union all
        select e.cause_event::text, 0 from mes.cost_entry e
        where e.number > coalesce((select value::bigint from erp.cursor where name = '{ENTRIES}'), 0)
          and not e.simulated and e.kind <> 'receipt'
          and not exists (select from erp.subject s
                          where s.subject = e.cause_event::text and (s.costed or s.agreed_at is null))
    ), state as (
        select open.subject, open.reopened, e.entry, coalesce(e.kind = 'receipt', false) as receipt,
               coalesce(e.work_order, d.work_order, '') as work_order,
               coalesce(d.under_way, false) as moves,
               least(d.since, e.booked_at) as since,
               greatest(d.done_at, e.booked_at) < clock_timestamp() - make_interval(secs => %(grace)s)
                   as seen,
               case when e.entry is not null then exists (
                   select from mes.event v left join mes.consumer_cursor c on c.consumer = 'bridge'
                   where v.aggregate = e.entry::text and v.type = 'CostBooked'
                     and coalesce((v.xid, v.id) > (c.xid, c.id), true)
               ) else exists (
                   select from erp.document o join mes.event v using (event_id)
                   left join mes.consumer_cursor c on c.consumer = 'costing'
                   where o.subject = open.subject
                     and (coalesce((v.xid, v.id) > (c.xid, c.id), true)
                          or exists (select from mes.cost_waiting w where w.event_id = o.event_id))
               ) end as costs
        from open
        left join mes.cost_entry e on e.cause_event = open.subject::uuid
        left join lateral (
            select bool_or(state in ('pending', 'sending', 'retry')) and not bool_or(state = 'dead')
                       as under_way,
                   max(coalesce(applied_at, created_at)) as done_at, min(recorded_at) as since,
                   max(work_order) as work_order
            from erp.document where subject = open.subject having count(*) > 0
        ) d on true
    ), values_of as (
        select subject, account, sum(mine) as mine, sum(theirs) as theirs from (
            select state.subject, l.account, l.debit - l.credit as mine, 0::numeric as theirs
            from state join mes.cost_line l using (entry) where not state.receipt
            union all
            select state.subject, m.account, 0, m.amount
            from state join erp.document d using (subject) cross join unnest(d.erp_ref) as r (ref)
            join erp.mirror_ledger m on m.ref = r.ref
            where not state.receipt and d.noun in ('MaterialActual', 'CostPosting')
        ) both_books group by subject, account
    ), quantities_of as (
        select subject, material, sum(mine) as mine, sum(theirs) as theirs from (
            select state.subject, d.body ->> 'material' as material,
                   (d.body ->> 'quantity')::numeric
                   * case when d.body ->> 'use' in ('Returned', 'Produced', 'Scrapped') then 1 else -1 end
                       as mine, 0::numeric as theirs
            from state join erp.document d using (subject) where d.noun = 'MaterialActual'
            union all
            select state.subject, m.material, 0, m.quantity
            from state join erp.document d using (subject) cross join unnest(d.erp_ref) as r (ref)
            join erp.mirror_stock m on m.ref = r.ref where d.noun = 'MaterialActual'
        ) both_stocks group by subject, material
    )
"""
"""Events on which the books have not agreed yet.

`moves`: documents of it are on their way; a dead one is not. `costs`: its cost entry, or the document
of that entry, is still to be made by a process that has not come so far. `seen`: the mirror had time.
"""


async def value_differences(tx: Tx, grace_s: float) -> list[Difference]:
    """Compare, event by event, the plant's cost entries with the ERP's ledger lines.

    What is still on its way is not compared; what was lost stays a difference for ever.
    """
    return await tx.fetch_all(
        Difference,
        f"""
        with {OPEN}
        select 'value' as kind, state.work_order, v.account as what, v.mine, v.theirs, v.subject
        from state join values_of v using (subject)
        where v.mine <> v.theirs and state.seen and not state.moves and not state.costs
        order by v.subject, v.account limit 500
        """,
        {"grace": grace_s},
    )


async def quantity_differences(tx: Tx, grace_s: float) -> list[Difference]:
    """Compare, event by event, what the plant moved with the ERP's movements of stock."""
    return await tx.fetch_all(
        Difference,
        f"""
        with {OPEN}
        select 'quantity' as kind, state.work_order, q.material as what, q.mine, q.theirs, q.subject
        from state join quantities_of q using (subject)
        where q.mine <> q.theirs and state.seen and not state.moves
        order by q.subject limit 500
        """,
        {"grace": grace_s},
    )


ANSWER_OPEN = """
    coalesce((select min(sent_at) from erp.document where state = 'sending'), 'infinity')
"""
"""What the ERP shows since then may be of a document whose answer is still to come."""


async def unexplained_stock(tx: Tx, grace_s: float) -> list[Difference]:
    """Return movements of the ERP on our orders that no document of ours made."""
    return await tx.fetch_all(
        Difference,
        f"""
        select 'quantity' as kind, m.work_order, m.material as what, 0::numeric as mine,
               m.quantity as theirs, m.ref as subject
        from erp.mirror_stock m
        where m.work_order <> '' and m.quantity <> 0
          and m.seen_at < clock_timestamp() - make_interval(secs => %(grace)s)
          and m.seen_at < {ANSWER_OPEN}
          and not exists (select from erp.document d where d.erp_ref @> array[m.ref])
        order by m.id limit 500
        """,
        {"grace": grace_s},
    )


async def unexplained_values(tx: Tx, grace_s: float) -> list[Difference]:
    """Return entries of the ERP on work in process that no document of ours made: all their lines.

    Receipts and shipments are the ERP's own business; work in process is the plant's alone.
    """
    return await tx.fetch_all(
        Difference,
        f"""
        with stranger as (
            select distinct w.ref from erp.mirror_ledger w
            where w.account = %(own)s and w.amount <> 0
              and w.id > coalesce((select value::bigint from erp.cursor where name = %(begin)s), -1)
              and w.seen_at < clock_timestamp() - make_interval(secs => %(grace)s)
              and w.seen_at < {ANSWER_OPEN}
              and not exists (select from erp.document d where d.erp_ref @> array[w.ref])
        )
        select 'value' as kind, '' as work_order, m.account as what, 0::numeric as mine,
               sum(m.amount) as theirs, m.ref as subject
        from stranger join erp.mirror_ledger m using (ref)
        group by m.ref, m.account having sum(m.amount) <> 0 order by m.ref, m.account limit 500
        """,
        {"own": PLANTS_OWN, "begin": LEDGER_BEGIN, "grace": grace_s},
    )


async def begin_ledger(tx: Tx) -> None:
    """Note, the first time, where the ERP's ledger ended before the bridge came."""
    await tx.execute(
        "insert into erp.cursor (name, site, value)"
        " select %(name)s, %(site)s, coalesce(max(id), 0)::text from erp.mirror_ledger"
        " on conflict (name) do nothing",
        {"name": LEDGER_BEGIN, "site": tx.site},
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the comparison is.

    Args:
        judged: Events compared, those agreed on before included.
        waiting: Events that are still on their way.
        late: Those of them that wait for longer than they should.
        value: What the books differ by on account of the waiting ones.
    """

    judged: int
    waiting: int
    late: int
    value: Decimal


async def progress(tx: Tx, grace_s: float, overdue_s: float) -> Progress:
    """Return how many events are compared and how many wait."""
    row = await tx.fetch_one(
        Progress,
        f"""
        with {OPEN}, judged as (
            select *, seen and not moves and not costs as compared from state
        )
        select (select count(*) from erp.subject where agreed_at is not null)
               - (select count(*) from open join erp.subject s using (subject) where s.agreed_at is not null)
               + count(*) filter (where compared) as judged,
               count(*) filter (where not compared) as waiting,
               count(*) filter (where not compared
                   and since < clock_timestamp() - make_interval(secs => %(overdue)s)) as late,
               coalesce((select sum(abs(v.mine - v.theirs)) from values_of v
                         join judged j using (subject) where not j.compared), 0) as value
        from judged
        """,
        {"grace": grace_s, "overdue": overdue_s},
    )
    assert row is not None  # noqa: S101 - an aggregate always has a row
    return row


async def agree(tx: Tx, grace_s: float) -> int:
    """Note what both books agree on; return how many events that were."""
    await tx.execute(
        """
        insert into erp.subject (subject, site, costed)
        select cause_event::text, site, true from mes.cost_entry
        where number > coalesce((select value::bigint from erp.cursor where name = %(entries)s), 0)
          and not simulated and kind <> 'receipt'
        on conflict (subject) do update set costed = true, agreed_at = null, reopened = subject.reopened + 1
        where not subject.costed
        """,
        {"entries": ENTRIES},
    )
    reached = await tx.value(
        "select max(number) from mes.cost_entry where booked_at < now() - interval '10 minutes'"
        " and number > coalesce((select value::bigint from erp.cursor where name = %(entries)s), 0)",
        {"entries": ENTRIES},
    )
    if reached is not None:
        await move_cursor(tx, ENTRIES, str(reached))
    return await tx.execute(
        f"""
        with {OPEN}
        update erp.subject s set agreed_at = now() from state
        where s.subject = state.subject and s.reopened = state.reopened and s.agreed_at is null
          and state.seen and not state.moves and not state.costs
          and not exists (select from values_of v where v.subject = s.subject and v.mine <> v.theirs)
          and not exists (select from quantities_of q where q.subject = s.subject and q.mine <> q.theirs)
        """,
        {"grace": grace_s},
    )


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account in both books, over the events compared: debit less credit."""

    account: str
    mine: Decimal
    theirs: Decimal


async def account_totals(tx: Tx, grace_s: float) -> list[AccountRow]:
    """Return both books' sums by account: of the last two days' events, and of all that are compared."""
    return await tx.fetch_all(
        AccountRow,
        f"""
        with {OPEN}, agreed as (
            select subject from erp.subject
            where agreed_at is not null and costed and since > now() - interval '2 days'
        ), both_books as (
            select v.account, v.mine, v.theirs from values_of v join state using (subject)
            where state.seen and not state.moves and not state.costs
            union all
            select l.account, l.debit - l.credit, l.debit - l.credit
            from agreed join mes.cost_entry e on e.cause_event = agreed.subject::uuid
            join mes.cost_line l using (entry)
        )
        select account, sum(mine) as mine, sum(theirs) as theirs from both_books
        group by account order by account
        """,
        {"grace": grace_s},
    )


async def put_comparison(tx: Tx, erp: str, outcome: dict[str, Any]) -> None:
    """Keep the newest comparison for the pages."""
    await tx.execute(
        "update erp.link set comparison = %(outcome)s where erp = %(erp)s",
        {"erp": erp, "outcome": Jsonb(outcome)},
    )


async def comparison(tx: Tx, erp: str) -> dict[str, Any] | None:
    """Return the newest comparison."""
    found: dict[str, Any] | None = await tx.value(
        "select comparison from erp.link where erp = %(erp)s", {"erp": erp}
    )
    return found


@dataclass(frozen=True, slots=True)
class OpenEntry:
    """A simulated balance that the ERP gets as its opening."""

    account: str
    amount: Decimal
    currency: str


async def simulated_balances(tx: Tx) -> list[OpenEntry]:
    """Return the balance of each account out of the simulated history."""
    return await tx.fetch_all(
        OpenEntry,
        "select account, sum(debit - credit) as amount, currency from mes.cost_account"
        " where simulated group by account, currency having sum(debit - credit) <> 0 order by account",
    )


async def costing_passed(tx: Tx, xid: str, event: str) -> bool:
    """Whether the cost sub-ledger has booked everything up to an event."""
    return bool(
        await tx.value(
            "select (xid, id) >= (%(xid)s::xid8, %(event)s::bigint) from mes.consumer_cursor"
            " where consumer = 'costing'",
            {"xid": xid, "event": event},
        )
    )


async def event_at(tx: Tx, xid: str, event: str) -> StoredEvent | None:
    """Return the event at a place in the outbox."""
    return await tx.fetch_one(
        StoredEvent,
        f"select {EVENT_COLUMNS} from mes.event where xid = %(xid)s::xid8 and id = %(event)s",
        {"xid": xid, "event": int(event)},
    )


async def wake(tx: Tx) -> None:
    """Wake the bridge when this transaction commits."""
    await tx.execute("select pg_notify('lineside_event', '')")
