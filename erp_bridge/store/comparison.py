# ruff: noqa: S608 - only lists of columns are put into the text
"""The plant's figures beside the ERP's, subject by subject."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg.types.json import Jsonb

from erp_bridge.store.mirror import LEDGER_BEGIN
from erp_bridge.store.records import move_cursor
from mes.kernel.db import Tx


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing on which plant and ERP do not agree.

    Args:
        kind: `quantity` or `value`.
        what: Material and lot, or account.
        mine: The plant's figure.
        theirs: The ERP's.
        subject: The event it is about, or the ERP's record that no event explains.
        why: `price` where the ERP valued the same quantity at another standard price that the material
            has or had: it was changed there while the order was at work.
    """

    kind: str
    work_order: str
    what: str
    mine: Decimal
    theirs: Decimal
    subject: str
    why: str = ""


ENTRIES = "compare/entries"
"""Cursor: the cost entries up to this number are all in `erp.subject`."""
PLANTS_OWN = "wip"
"""The account on which nobody but the plant posts."""
OPEN = """
    open as (
        select subject, reopened from erp.subject where agreed_at is null
        union all
        select e.cause_event::text, 0 from mes.cost_entry e
        where e.number > %(entries)s and not e.simulated and e.kind <> 'receipt'
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
            union all
            select state.subject, m.account, 0, m.amount
            from state join mes.event v on v.event_id = state.subject::uuid and v.type = 'LotCounted'
            join erp.mirror_ledger m on m.ref = v.payload ->> 'erp_ref'
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


async def _bounds(tx: Tx, grace_s: float) -> dict[str, Any]:
    """Return what bounds the open events: as a number the planner of the database knows how few there are."""
    entries = await tx.value(
        "select coalesce((select value::bigint from erp.cursor where name = %(entries)s), 0)",
        {"entries": ENTRIES},
    )
    return {"grace": grace_s, "entries": entries}


def _unexplained(differences: str) -> str:
    """Return the differences of a query of which nobody gave the reason."""
    return f"""
        select d.* from ({differences}) d where not exists (
            select from erp.explained x where x.subject = d.subject and x.kind = d.kind
                and x.what = d.what and x.amount = d.mine - d.theirs)
        order by d.subject, d.what limit 500
    """


BY_PRICE = """
    exists (select from values_of s where s.subject = v.subject and s.mine <> s.theirs
                and s.account in ('raw_material', 'finished_goods'))
    and not exists (select from quantities_of q where q.subject = v.subject and q.mine <> q.theirs)
    and coalesce((
        select bool_and(exists (select from mes.standard_price p where p.material = m.material
                                and abs(abs(m.quantity) * p.price - abs(l.amount)) <= %(half)s))
        from erp.document o cross join unnest(o.erp_ref) as r (ref)
        join erp.mirror_stock m on m.ref = r.ref
        join erp.mirror_ledger l on l.ref = r.ref and l.account in ('raw_material', 'finished_goods')
        where o.subject = v.subject), false)
"""
"""Whether the ERP valued each movement of an event at a standard price that its material has or had."""


async def value_differences(tx: Tx, grace_s: float, half: Decimal) -> list[Difference]:
    """Compare, event by event, the plant's cost entries with the ERP's ledger lines.

    What is still on its way is not compared; what was lost stays a difference until it is explained.

    Args:
        half: Of the currency's least amount: what rounding takes or gives.
    """
    differences = f"""
        select 'value' as kind, state.work_order, v.account as what, v.mine, v.theirs, v.subject,
               case when {BY_PRICE} then 'price' else '' end as why
        from state join values_of v using (subject)
        where v.mine <> v.theirs and state.seen and not state.moves and not state.costs
    """
    return await tx.fetch_all(
        Difference, f"with {OPEN} {_unexplained(differences)}", {**await _bounds(tx, grace_s), "half": half}
    )


async def quantity_differences(tx: Tx, grace_s: float) -> list[Difference]:
    """Compare, event by event, what the plant moved with the ERP's movements of stock."""
    differences = """
        select 'quantity' as kind, state.work_order, q.material as what, q.mine, q.theirs, q.subject
        from state join quantities_of q using (subject)
        where q.mine <> q.theirs and state.seen and not state.moves
    """
    return await tx.fetch_all(
        Difference, f"with {OPEN} {_unexplained(differences)}", await _bounds(tx, grace_s)
    )


ANSWER_OPEN = """
    coalesce((select min(sent_at) from erp.document where state = 'sending'), 'infinity')
"""
"""What the ERP shows since then may be of a document whose answer is still to come."""


async def unexplained_stock(tx: Tx, grace_s: float) -> list[Difference]:
    """Return movements of the ERP on our orders that no document of ours made."""
    differences = f"""
        select 'quantity' as kind, m.work_order, m.material as what, 0::numeric as mine,
               m.quantity as theirs, m.ref as subject
        from erp.mirror_stock m
        where not m.ours and m.work_order <> '' and m.quantity <> 0
          and m.seen_at < clock_timestamp() - make_interval(secs => %(grace)s)
          and m.seen_at < {ANSWER_OPEN}
          and not exists (select from erp.document d where d.erp_ref @> array[m.ref])
    """
    return await tx.fetch_all(Difference, _unexplained(differences), {"grace": grace_s})


async def unexplained_values(tx: Tx, grace_s: float) -> list[Difference]:
    """Return entries of the ERP on work in process that no document of ours made: all their lines.

    Receipts and shipments are the ERP's own business; work in process is the plant's alone.
    """
    differences = """
        select 'value' as kind, '' as work_order, m.account as what, 0::numeric as mine,
               sum(m.amount) as theirs, m.ref as subject
        from stranger join erp.mirror_ledger m using (ref)
        group by m.ref, m.account having sum(m.amount) <> 0
    """
    return await tx.fetch_all(
        Difference,
        f"""
        with stranger as (
            select distinct w.ref from erp.mirror_ledger w
            where not w.ours and w.account = '{PLANTS_OWN}' and w.amount <> 0
              and w.id > coalesce((select value::bigint from erp.cursor where name = %(begin)s), -1)
              and w.seen_at < clock_timestamp() - make_interval(secs => %(grace)s)
              and w.seen_at < {ANSWER_OPEN}
              and not exists (select from erp.document d where d.erp_ref @> array[w.ref])
              and not exists (select from mes.stock_receipt r where r.key = w.ref)
        )
        {_unexplained(differences)}
        """,
        {"begin": LEDGER_BEGIN, "grace": grace_s},
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
        select (select coalesce(sum(agreed), 0)::bigint from erp.kept_figures)
               - (select count(*) from open join erp.subject s using (subject) where s.agreed_at is not null)
               + count(*) filter (where compared) as judged,
               count(*) filter (where not compared) as waiting,
               count(*) filter (where not compared
                   and since < clock_timestamp() - make_interval(secs => %(overdue)s)) as late,
               coalesce((select sum(abs(v.mine - v.theirs)) from values_of v
                         join judged j using (subject) where not j.compared), 0) as value
        from judged
        """,
        {**await _bounds(tx, grace_s), "overdue": overdue_s},
    )
    assert row is not None  # noqa: S101 - an aggregate always has a row
    return row


KNOWN_STOCK = """
    update erp.mirror_stock m set ours = true
    where not m.ours and m.work_order <> '' and m.quantity <> 0
      and exists (select from erp.document d where d.erp_ref @> array[m.ref])
"""
KNOWN_VALUES = f"""
    update erp.mirror_ledger w set ours = true
    where not w.ours and w.account = '{PLANTS_OWN}' and w.amount <> 0
      and (w.id <= (select value::bigint from erp.cursor where name = %(begin)s)
           or exists (select from erp.document d where d.erp_ref @> array[w.ref])
           or exists (select from mes.stock_receipt r where r.key = w.ref))
"""


async def know_ours(tx: Tx) -> None:
    """Note which lines of the ERP somebody knows: they are not looked at again, unless they change."""
    await tx.execute(KNOWN_STOCK)
    await tx.execute(KNOWN_VALUES, {"begin": LEDGER_BEGIN})


async def agree(tx: Tx, grace_s: float) -> int:
    """Note what both books agree on; return how many events that were."""
    await know_ours(tx)
    bounds = await _bounds(tx, grace_s)
    await tx.execute(
        """
        insert into erp.subject (subject, site, scope, costed)
        select cause_event::text, site, scope, true from mes.cost_entry
        where number > %(entries)s and not simulated and kind <> 'receipt'
        on conflict (subject) do update set costed = true, agreed_at = null, reopened = subject.reopened + 1
        where not subject.costed
        """,
        bounds,
    )
    reached = await tx.value(
        "select max(number) from mes.cost_entry where booked_at < now() - interval '10 minutes'"
        " and number > %(entries)s",
        bounds,
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
        await _bounds(tx, grace_s),
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
        await _bounds(tx, grace_s),
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
