# ruff: noqa: S608 - only lists of columns are put into the text
"""Tables of the bridge: schema `erp`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from psycopg.types.json import Jsonb

from erp_bridge.adapter import LedgerLine, StockLine
from erp_bridge.documents import Document, to_json
from mes.kernel.db import Tx
from mes.kernel.outbox import COLUMNS as EVENT_COLUMNS
from mes.kernel.outbox import StoredEvent

LEASE_S = 30
"""A lane whose worker died is taken over after so many seconds."""


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


async def claim(tx: Tx, worker: str, limit: int) -> list[DocumentRow]:
    """Lease lanes that have something to do now and return the documents at their heads.

    Of each lane the leading documents come, in order, up to `limit` in all. A dead document
    blocks its lane.
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
            update erp.lane set worker = %(worker)s, epoch = epoch + 1,
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
    """Return the records that the plant could not take, oldest first."""
    return await tx.fetch_all(
        RefusedBody,
        "select stream, key, hash, body from erp.inbox where code is not null order by received_at limit 200",
    )


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


async def mirror_ledger(tx: Tx, lines: Sequence[LedgerLine]) -> None:
    """Keep lines of the ERP's ledger."""
    await tx.execute_many(
        """
        insert into erp.mirror_ledger (id, site, account, amount, ref)
        values (%(id)s, %(site)s, %(account)s, %(amount)s, %(ref)s)
        on conflict (id) do update set account = excluded.account, amount = excluded.amount,
            ref = excluded.ref
        where (mirror_ledger.account, mirror_ledger.amount, mirror_ledger.ref)
              is distinct from (excluded.account, excluded.amount, excluded.ref)
        """,
        [
            {"id": x.id, "site": tx.site, "account": x.account, "amount": x.amount, "ref": x.ref}
            for x in lines
        ],
    )


async def mirror_stock(tx: Tx, lines: Sequence[StockLine]) -> None:
    """Keep movements of the ERP's stock."""
    await tx.execute_many(
        """
        insert into erp.mirror_stock (id, site, ref, work_order, material, lot, quantity)
        values (%(id)s, %(site)s, %(ref)s, %(work_order)s, %(material)s, %(lot)s, %(quantity)s)
        on conflict (id) do update set work_order = excluded.work_order,
            material = excluded.material, lot = excluded.lot, quantity = excluded.quantity
        where (mirror_stock.work_order, mirror_stock.material, mirror_stock.lot, mirror_stock.quantity)
              is distinct from
              (excluded.work_order, excluded.material, excluded.lot, excluded.quantity)
        """,
        [
            {
                "id": x.id,
                "site": tx.site,
                "ref": x.ref,
                "work_order": x.work_order,
                "material": x.material,
                "lot": x.lot,
                "quantity": x.quantity,
            }
            for x in lines
        ],
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


JUDGED = """
    judged as (
        select subject from erp.document
        where recorded_at > now() - interval '2 days' and subject <> 'opening'
        group by subject
        having (bool_and(state in ('applied', 'skipped'))
                and coalesce(max(applied_at), max(created_at))
                    < clock_timestamp() - make_interval(secs => %(grace)s))
            or (not bool_and(state in ('applied', 'skipped'))
                and min(recorded_at) < clock_timestamp() - make_interval(secs => %(overdue)s))
    ), mine as (
        select e.cause_event::text as subject, coalesce(e.work_order, '') as work_order, l.account,
               sum(l.debit - l.credit) as amount
        from mes.cost_entry e join mes.cost_line l using (entry)
        where not e.simulated and e.kind <> 'receipt'
          and e.cause_event::text in (select subject from judged)
        group by 1, 2, 3
    ), theirs as (
        select d.subject, coalesce(d.work_order, '') as work_order, m.account, sum(m.amount) as amount
        from judged join erp.document d using (subject) cross join unnest(d.erp_ref) as r(ref)
        join erp.mirror_ledger m on m.ref = r.ref
        where d.noun in ('MaterialActual', 'CostPosting')
          and not exists (select from mes.cost_entry e
                          where e.cause_event::text = d.subject and e.kind = 'receipt')
        group by 1, 2, 3
    )
"""


async def value_differences(tx: Tx, grace_s: float, overdue_s: float) -> list[Difference]:
    """Compare, event by event, the plant's cost entries with the ERP's ledger lines.

    An event counts once the ERP has all its documents and the mirror had `grace_s` seconds to
    see them, or when it is overdue by `overdue_s`.
    """
    return await tx.fetch_all(
        Difference,
        f"""
        with {JUDGED}
        , compared as (
            select coalesce(mine.work_order, theirs.work_order) as work_order, account as what,
                   coalesce(mine.amount, 0) as mine, coalesce(theirs.amount, 0) as theirs,
                   subject, mine.subject is not null as costed
            from mine full join theirs using (subject, account)
        )
        select 'value' as kind, c.work_order, c.what, c.mine, c.theirs, c.subject from compared c
        where c.mine <> c.theirs
          and not exists (
              select from mes.cost_entry e where e.cause_event::text = c.subject
              and e.booked_at > clock_timestamp() - make_interval(secs => %(grace)s))
          and (c.costed or exists (
              select from erp.document d where d.subject = c.subject
              and d.recorded_at < clock_timestamp() - make_interval(secs => %(overdue)s)))
        order by subject, what limit 500
        """,
        {"grace": grace_s, "overdue": overdue_s},
    )


async def quantity_differences(tx: Tx, grace_s: float, overdue_s: float) -> list[Difference]:
    """Compare, event by event, what the plant moved with the ERP's movements of stock."""
    return await tx.fetch_all(
        Difference,
        f"""
        with {JUDGED}, moved as (
            select d.subject, coalesce(d.work_order, '') as work_order, d.body ->> 'material' as material,
                   sum((d.body ->> 'quantity')::numeric
                       * case when d.body ->> 'use' in ('Returned', 'Produced', 'Scrapped') then 1
                              else -1 end) as quantity
            from erp.document d
            where d.noun = 'MaterialActual' and d.subject in (select subject from judged)
            group by 1, 2, 3
        ), booked as (
            select d.subject, m.material, sum(m.quantity) as quantity
            from erp.document d cross join unnest(d.erp_ref) as r(ref)
            join erp.mirror_stock m on m.ref = r.ref
            where d.noun = 'MaterialActual' and d.subject in (select subject from judged)
            group by 1, 2
        )
        select 'quantity' as kind, moved.work_order, material as what,
               coalesce(moved.quantity, 0) as mine, coalesce(booked.quantity, 0) as theirs, subject
        from moved left join booked using (subject, material)
        where coalesce(moved.quantity, 0) <> coalesce(booked.quantity, 0)
        order by subject limit 500
        """,
        {"grace": grace_s, "overdue": overdue_s},
    )


async def unexplained(tx: Tx, grace_s: float) -> list[Difference]:
    """Return movements of the ERP on our orders that no document of ours made."""
    return await tx.fetch_all(
        Difference,
        """
        select 'quantity' as kind, m.work_order, m.material as what, 0::numeric as mine,
               m.quantity as theirs, m.ref as subject
        from erp.mirror_stock m
        where m.work_order <> '' and m.quantity <> 0
          and m.seen_at < now() - make_interval(secs => %(grace)s)
          and not exists (select from erp.document d where d.erp_ref @> array[m.ref])
        order by m.id limit 500
        """,
        {"grace": grace_s},
    )


async def judged(tx: Tx, grace_s: float, overdue_s: float) -> int:
    """Return how many events are compared."""
    return int(
        await tx.value(f"with {JUDGED} select count(*) from judged", {"grace": grace_s, "overdue": overdue_s})
    )


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account in both books, over the events compared: debit less credit."""

    account: str
    mine: Decimal
    theirs: Decimal


async def account_totals(tx: Tx, grace_s: float, overdue_s: float) -> list[AccountRow]:
    """Return both books' sums by account."""
    return await tx.fetch_all(
        AccountRow,
        f"""
        with {JUDGED}, both_books as (
            select account, amount as mine, 0::numeric as theirs from mine
            union all select account, 0, amount from theirs
        )
        select account, sum(mine) as mine, sum(theirs) as theirs from both_books
        group by account order by account
        """,
        {"grace": grace_s, "overdue": overdue_s},
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


async def work_order_of(tx: Tx, erp_ref: str) -> str | None:
    """Return the work order that was made of a production of the ERP."""
    found = await tx.value(
        "select work_order from erp.document where noun = 'OperationsRequestAccepted'"
        " and body ->> 'erp_ref' = %(erp_ref)s limit 1",
        {"erp_ref": erp_ref},
    )
    return None if found is None else str(found)


async def wake(tx: Tx) -> None:
    """Wake the bridge when this transaction commits."""
    await tx.execute("select pg_notify('lineside_event', '')")
