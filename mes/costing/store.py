"""SQL of the cost sub-ledger: entries, lines, running sums, events that wait for a price."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from psycopg.types.json import Jsonb

from mes.costing.model import Account, Balance, CostEntry, CostLine, EntryKind, Lines
from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, LotNumber, MaterialId, WorkOrderNumber
from mes.kernel.outbox import COLUMNS, EventRow, StoredEvent
from mes.kernel.quantity import plain_money


async def insert_entry(tx: Tx, entry: CostEntry) -> bool:
    """Add an entry with its lines and move the accounts; False when its event was booked before."""
    return bool(
        await tx.value(
            _INSERT_ENTRY,
            {
                "entry": entry.entry,
                "site": tx.site,
                "scope": entry.scope,
                "kind": entry.kind.value,
                "work_order": entry.work_order,
                "cause_event": entry.cause_event,
                "reverses": entry.reverses,
                "subject": entry.subject,
                "at": entry.at,
                "simulated": entry.simulated,
                "lines": Jsonb([_as_json(line) for line in entry.lines]),
            },
        )
    )


_INSERT_ENTRY = """
with entry as (
    insert into mes.cost_entry (entry, site, scope, kind, work_order, cause_event, reverses, subject, at,
                                simulated)
    values (%(entry)s, %(site)s, %(scope)s, %(kind)s, %(work_order)s, %(cause_event)s, %(reverses)s,
            %(subject)s, %(at)s, %(simulated)s)
    on conflict (cause_event) do nothing
    returning entry, work_order, simulated
), line as (
    insert into mes.cost_line (entry, n, account, debit, credit, currency, quantity, uom, work_center,
                               cost_center, material, lot, work_order, simulated)
    select e.entry, l.n, l.account, l.debit, l.credit, l.currency, l.quantity, l.uom, l.work_center,
           l.cost_center, l.material, l.lot, e.work_order, e.simulated
    from entry e, rows from (jsonb_to_recordset(%(lines)s) as (
        account text, debit numeric, credit numeric, currency text, quantity numeric, uom text,
        work_center text, cost_center text, material text, lot text
    )) with ordinality as l (account, debit, credit, currency, quantity, uom, work_center, cost_center,
                             material, lot, n)
    returning account, currency, simulated, debit, credit
), account as (
    insert into mes.cost_account as a (account, currency, simulated, debit, credit)
    select account, currency, simulated, sum(debit), sum(credit) from line
    group by account, currency, simulated order by account
    on conflict (account, currency, simulated) do update
    set debit = a.debit + excluded.debit, credit = a.credit + excluded.credit
)
select count(*) from entry
"""


def _as_json(line: CostLine) -> dict[str, str | None]:
    return {
        "account": line.account.value,
        "debit": str(line.debit),
        "credit": str(line.credit),
        "currency": line.currency,
        "quantity": None if line.quantity is None else str(line.quantity),
        "uom": line.uom,
        "work_center": line.work_center,
        "cost_center": line.cost_center,
        "material": line.material,
        "lot": line.lot,
    }


@dataclass(frozen=True, slots=True)
class _EntryRow:
    entry: UUID
    kind: str
    work_order: WorkOrderNumber | None
    cause_event: UUID
    at: datetime
    scope: str
    subject: UUID | None
    reverses: UUID | None
    simulated: bool


@dataclass(frozen=True, slots=True)
class _LineRow:
    entry: UUID
    account: str
    debit: Decimal
    credit: Decimal
    currency: str
    quantity: Decimal | None
    uom: str | None
    work_center: EquipmentId | None
    cost_center: str | None
    material: MaterialId | None
    lot: LotNumber | None


_ENTRY = (
    "select entry, kind, work_order, cause_event, at, scope, subject, reverses, simulated from mes.cost_entry"
)


async def entries_of_order(tx: Tx, work_order: str) -> list[CostEntry]:
    """Return an order's entries in the order of their booking."""
    rows = await tx.fetch_all(
        _EntryRow,
        f"{_ENTRY} where work_order = %(work_order)s order by number",
        {"work_order": work_order},
    )
    return await _with_lines(tx, rows)


async def entries_of_subject(tx: Tx, subject: UUID) -> list[CostEntry]:
    """Return the entries of a report or material actual that nobody has reversed."""
    rows = await tx.fetch_all(
        _EntryRow,
        f"""
        {_ENTRY} e where subject = %(subject)s and reverses is null
          and not exists (select from mes.cost_entry r where r.reverses = e.entry)
        order by number
        """,
        {"subject": subject},
    )
    return await _with_lines(tx, rows)


async def entry_of_event(tx: Tx, event: UUID) -> CostEntry | None:
    """Return the entry that an event led to."""
    rows = await tx.fetch_all(_EntryRow, f"{_ENTRY} where cause_event = %(event)s", {"event": event})
    found = await _with_lines(tx, rows)
    return found[0] if found else None


async def _with_lines(tx: Tx, rows: list[_EntryRow]) -> list[CostEntry]:
    lines = await tx.fetch_all(
        _LineRow,
        """
        select entry, account, debit, credit, currency, quantity, uom, work_center, cost_center, material,
               lot
        from mes.cost_line where entry = any(%(entries)s) order by entry, n
        """,
        {"entries": [row.entry for row in rows]},
    )
    return [_entry(row, tuple(_line(line) for line in lines if line.entry == row.entry)) for row in rows]


def _entry(row: _EntryRow, lines: Lines) -> CostEntry:
    return CostEntry(
        entry=row.entry,
        kind=EntryKind(row.kind),
        work_order=row.work_order,
        cause_event=row.cause_event,
        at=row.at,
        lines=lines,
        scope=row.scope,
        subject=row.subject,
        reverses=row.reverses,
        simulated=row.simulated,
    )


def _line(row: _LineRow) -> CostLine:
    return CostLine(
        account=Account(row.account),
        debit=plain_money(row.debit, row.currency),
        credit=plain_money(row.credit, row.currency),
        currency=row.currency,
        quantity=row.quantity,
        uom=row.uom,
        work_center=row.work_center,
        cost_center=row.cost_center,
        material=row.material,
        lot=row.lot,
    )


@dataclass(frozen=True, slots=True)
class _BalanceRow:
    account: str
    currency: str
    debit: Decimal
    credit: Decimal


async def balances(tx: Tx, work_order: str | None, *, simulated: bool) -> list[Balance]:
    """Return the sum of every account, of one order or of all."""
    if work_order is None:
        rows = await tx.fetch_all(
            _BalanceRow,
            """
            select account, currency, debit, credit from mes.cost_account
            where simulated = %(simulated)s order by account, currency
            """,
            {"simulated": simulated},
        )
    else:
        rows = await tx.fetch_all(
            _BalanceRow,
            """
            select account, currency, sum(debit) as debit, sum(credit) as credit from mes.cost_line
            where work_order = %(work_order)s group by account, currency order by account, currency
            """,
            {"work_order": work_order},
        )
    return [
        Balance(
            Account(row.account),
            row.currency,
            plain_money(row.debit, row.currency),
            plain_money(row.credit, row.currency),
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class OrderRow:
    """What costing needs to know of a work order."""

    id: WorkOrderNumber
    material: MaterialId
    uom: str
    work_master: str
    work_master_version: int
    good: Decimal
    scrap: Decimal
    standards_at: datetime


async def order_of(tx: Tx, work_order: str) -> OrderRow | None:
    """Return a work order; its standards are those of the moment of its release."""
    return await tx.fetch_one(
        OrderRow,
        """
        select id, material, uom, work_master, work_master_version, good, scrap,
               coalesce(released_at, received_at) as standards_at
        from mes.work_order where id = %(work_order)s
        """,
        {"work_order": work_order},
    )


async def is_closed(tx: Tx, work_order: str) -> bool:
    """Say whether the order's variances were settled."""
    return bool(
        await tx.value(
            """
            select exists (select from mes.cost_entry
                           where work_order = %(work_order)s and kind = 'close')
            """,
            {"work_order": work_order},
        )
    )


@dataclass(frozen=True, slots=True)
class SpentRow:
    """What lies in an order's WIP account from entries of one kind, by material."""

    kind: str
    material: MaterialId | None
    amount: Decimal


async def spent(tx: Tx, work_order: str) -> list[SpentRow]:
    """Return the order's WIP account by kind of entry; a reversal counts for what it reverses."""
    return await tx.fetch_all(
        SpentRow,
        """
        select coalesce(o.kind, e.kind) as kind, l.material, sum(l.debit - l.credit) as amount
        from mes.cost_line l
        join mes.cost_entry e on e.entry = l.entry
        left join mes.cost_entry o on o.entry = e.reverses
        where l.work_order = %(work_order)s and l.account = 'wip'
        group by 1, 2
        """,
        {"work_order": work_order},
    )


async def wait_for_price(tx: Tx, event: UUID, error: str) -> bool:
    """Set an event aside that cannot be costed yet; return whether it is the first time."""
    attempts: int = await tx.value(
        """
        insert into mes.cost_waiting as w (event_id, site, scope, error)
        values (%(event)s, %(site)s,
                coalesce((select scope from mes.event where event_id = %(event)s), ''), %(error)s)
        on conflict (event_id) do update
        set error = excluded.error, attempts = w.attempts + 1, tried_at = clock_timestamp()
        returning attempts
        """,
        {"event": event, "site": tx.site, "error": error},
    )
    return attempts == 1


async def stop_waiting(tx: Tx, event: UUID) -> None:
    """Note that an event was costed at last."""
    await tx.execute("delete from mes.cost_waiting where event_id = %(event)s", {"event": event})


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that could not be costed, and why."""

    event_id: UUID
    error: str
    attempts: int
    tried_at: datetime


async def waiting(tx: Tx) -> list[Waiting]:
    """Return the events that wait for their price, oldest first."""
    return await tx.fetch_all(
        Waiting, "select event_id, error, attempts, tried_at from mes.cost_waiting order by tried_at"
    )


async def events(tx: Tx, some: Collection[UUID]) -> list[StoredEvent]:
    """Return stored events by their ids, in the order of their booking."""
    return await tx.fetch_all(
        EventRow,
        f"select {COLUMNS} from mes.event where event_id = any(%(some)s) order by event.xid, event.id",  # noqa: S608 - ours
        {"some": list(some)},
    )
