"""SQL of reports, material use and the intervals of work at the units."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from mes.execution.model import HelpCall, HelpNotCalled, Interval, MaterialActual, Report
from mes.kernel.db import Tx
from mes.kernel.errors import found
from mes.kernel.ids import (
    EquipmentId,
    JobOrderId,
    MaterialId,
    PersonId,
    WorkOrderNumber,
    uuid7,
)

CLOCKS_DIFFER = timedelta(seconds=5)
"""A reader's clock may be so far behind that of the terminal where the job was started."""

_REPORT = """
    select id, job_order, work_order, operation, equipment, person, good, scrap, uom, reason, serials,
           scrap_serials, at, reverses
    from mes.report
"""

_ACTUAL = """
    select id, job_order, work_order, operation, equipment, person, material, lot, quantity, uom, serial,
           movement, at, reverses
    from mes.material_actual
"""


async def insert_report(tx: Tx, report: Report, scope: str) -> None:
    """Add a report; the sums of the job and its order follow by themselves."""
    await tx.execute(
        """
        insert into mes.report (id, site, scope, job_order, work_order, operation, equipment, person,
            good, scrap, uom, reason, serials, scrap_serials, reverses, at, terminal, key, simulated)
        values (%(id)s, %(site)s, %(scope)s, %(job_order)s, %(work_order)s, %(operation)s, %(equipment)s,
            %(person)s, %(good)s, %(scrap)s, %(uom)s, %(reason)s, %(serials)s, %(scrap_serials)s,
            %(reverses)s, %(at)s, %(terminal)s, %(key)s, %(simulated)s)
        """,
        {
            **{name: getattr(report, name) for name in report.__slots__},
            "serials": list(report.serials),
            "scrap_serials": list(report.scrap_serials),
            "site": tx.site,
            "scope": scope,
            "terminal": tx.cause.terminal,
            "key": tx.cause.key,
            "simulated": tx.cause.simulated,
        },
    )


async def find_report(tx: Tx, report: UUID) -> Report | None:
    """Return a line of the report ledger."""
    return await tx.fetch_one(Report, f"{_REPORT} where id = %(id)s", {"id": report})


async def find_actual(tx: Tx, actual: UUID) -> MaterialActual | None:
    """Return a use of material."""
    return await tx.fetch_one(MaterialActual, f"{_ACTUAL} where id = %(id)s", {"id": actual})


async def is_reversed(tx: Tx, entry: UUID) -> bool:
    """Say whether a report or a use of material was undone."""
    found = await tx.value(
        """
        select exists (select 1 from mes.report where reverses = %(id)s)
            or exists (select 1 from mes.material_actual where reverses = %(id)s)
        """,
        {"id": entry},
    )
    return bool(found)


async def insert_actual(tx: Tx, actual: MaterialActual, scope: str, reason: str | None = None) -> None:
    """Add a use of material, or (negative) its return; the job's sum follows by itself."""
    await tx.execute(
        """
        insert into mes.material_actual (id, site, scope, job_order, work_order, operation, equipment,
            person, material, lot, quantity, uom, serial, movement, reverses, reason, at, terminal, key,
            simulated)
        values (%(id)s, %(site)s, %(scope)s, %(job_order)s, %(work_order)s, %(operation)s, %(equipment)s,
            %(person)s, %(material)s, %(lot)s, %(quantity)s, %(uom)s, %(serial)s, %(movement)s,
            %(reverses)s, %(reason)s, %(at)s, %(terminal)s, %(key)s, %(simulated)s)
        """,
        {
            **{name: getattr(actual, name) for name in actual.__slots__},
            "site": tx.site,
            "scope": scope,
            "reason": reason,
            "terminal": tx.cause.terminal,
            "key": tx.cause.key,
            "simulated": tx.cause.simulated,
        },
    )


async def open_machine(tx: Tx, job_order: str, equipment: str, scope: str) -> None:
    """Begin the interval of a unit on a job at `tx.now`."""
    await tx.execute(
        """
        insert into mes.equipment_actual (id, site, scope, job_order, equipment, started_at, simulated)
        values (%(id)s, %(site)s, %(scope)s, %(job_order)s, %(equipment)s, %(at)s, %(simulated)s)
        """,
        {
            "id": uuid7(),
            "site": tx.site,
            "scope": scope,
            "job_order": job_order,
            "equipment": equipment,
            "at": tx.now,
            "simulated": tx.cause.simulated,
        },
    )


async def close_machine(tx: Tx, job_order: str) -> list[Interval]:
    """End the open interval of a job's unit at `tx.now`, and return it."""
    return await tx.fetch_all(
        Interval,
        """
        update mes.equipment_actual set ended_at = greatest(started_at, %(at)s)
        where job_order = %(job_order)s and ended_at is null
        returning id, job_order, equipment as resource, equipment, started_at, ended_at
        """,
        {"job_order": job_order, "at": tx.now},
    )


async def open_labour(tx: Tx, job_order: str, person: str, equipment: str, scope: str) -> None:
    """Begin the interval of a person on a job at `tx.now`."""
    await tx.execute(
        """
        insert into mes.personnel_actual (id, site, scope, job_order, person, equipment, started_at,
                                          simulated)
        values (%(id)s, %(site)s, %(scope)s, %(job_order)s, %(person)s, %(equipment)s, %(at)s,
                %(simulated)s)
        """,
        {
            "id": uuid7(),
            "site": tx.site,
            "scope": scope,
            "job_order": job_order,
            "person": person,
            "equipment": equipment,
            "at": tx.now,
            "simulated": tx.cause.simulated,
        },
    )


async def works_on(tx: Tx, job_order: str, person: str) -> bool:
    """Say whether a person's time runs on a job, or ran on it at `tx.now`."""
    found = await tx.value(
        """
        select true from mes.personnel_actual
        where person = %(person)s and job_order = %(job_order)s
          and (ended_at is null or started_at <= %(at)s and ended_at > %(at)s)
        limit 1
        """,
        {"person": person, "job_order": job_order, "at": tx.now},
    )
    return bool(found)


async def close_labour(
    tx: Tx, *, job_order: str | None = None, person: str | None = None, begun_by: datetime | None = None
) -> list[Interval]:
    """End the open intervals on a job and those of a person at `tx.now`; return them.

    What was begun since by the same person or on the same job ended an interval before that: of
    acts that are told late, the later one may be known already.

    Args:
        begun_by: What began later goes on.
    """
    return await tx.fetch_all(
        Interval,
        """
        update mes.personnel_actual mine set ended_at = greatest(started_at, least(
            %(at)s,
            (select min(next.started_at) from mes.personnel_actual next
             where next.person = mine.person and next.started_at > mine.started_at
               and next.simulated = mine.simulated),
            (select min(next.started_at) from mes.personnel_actual next
             where next.job_order = mine.job_order and next.started_at > mine.started_at
               and next.simulated = mine.simulated)))
        where ended_at is null and simulated = %(simulated)s
          and (job_order = %(job_order)s::text or person = %(person)s::text)
          and (%(begun_by)s::timestamptz is null or started_at <= %(begun_by)s)
        returning id, job_order, person as resource, equipment, started_at, ended_at
        """,
        {
            "job_order": job_order,
            "person": person,
            "begun_by": begun_by,
            "at": tx.now,
            "simulated": tx.cause.simulated,
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLabour:
    """A person's time that runs on a job, and what the person did there last."""

    id: UUID
    job_order: JobOrderId
    person: PersonId
    equipment: EquipmentId
    started_at: datetime
    last_act: datetime


async def open_labour_before(tx: Tx, begun: datetime) -> list[OpenLabour]:
    """Return the time that runs since before a moment, the longest first."""
    return await tx.fetch_all(
        OpenLabour,
        """
        select a.id, a.job_order, a.person, a.equipment, a.started_at,
               greatest(a.started_at,
                        (select max(at) from mes.report r
                         where r.job_order = a.job_order and r.person = a.person),
                        (select max(at) from mes.material_actual m
                         where m.job_order = a.job_order and m.person = a.person)) as last_act
        from mes.personnel_actual a
        where a.ended_at is null and not a.simulated and a.started_at < %(begun)s order by a.started_at
        """,
        {"begun": begun},
    )


async def end_labour(tx: Tx, interval: UUID, ended_at: datetime) -> list[Interval]:
    """End one open interval, unless somebody has meanwhile; return it."""
    return await tx.fetch_all(
        Interval,
        """
        update mes.personnel_actual set ended_at = greatest(started_at, %(ended_at)s)
        where id = %(id)s and ended_at is null
        returning id, job_order, person as resource, equipment, started_at, ended_at
        """,
        {"id": interval, "ended_at": ended_at},
    )


async def feed_next(tx: Tx, work_order: str, operation: int) -> None:
    """Make the dispatched job of the next operation ready: a piece lies before it."""
    await tx.execute(
        """
        update mes.job_order set status = 'Ready'
        where work_order = %(work_order)s and from_operation = %(operation)s and status = 'Dispatched'
        """,
        {"work_order": work_order, "operation": operation},
    )


async def insert_stop_reason(  # noqa: PLR0917 - the columns of one row
    tx: Tx, stop: UUID, equipment: str, scope: str, interval: UUID | None, reason: str, person: str | None
) -> None:
    """Add what a person said of a stop."""
    await tx.execute(
        """
        insert into mes.stop_reason (id, site, scope, equipment, interval, reason, person, at, actor,
                                     simulated)
        values (%(id)s, %(site)s, %(scope)s, %(equipment)s, %(interval)s, %(reason)s, %(person)s, %(at)s,
                %(actor)s, %(simulated)s)
        """,
        {
            "id": stop,
            "site": tx.site,
            "scope": scope,
            "equipment": equipment,
            "interval": interval,
            "reason": reason,
            "person": person,
            "at": tx.now,
            "actor": tx.cause.actor,
            "simulated": tx.cause.simulated,
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentRow:
    """A line of a unit's last acts.

    Args:
        kind: `report` or `consumption`.
        undone: It was reversed.
    """

    id: UUID
    kind: str
    job_order: JobOrderId
    work_order: WorkOrderNumber
    person: PersonId
    at: datetime
    good: Decimal
    scrap: Decimal
    uom: str
    reason: str | None
    material: str | None
    lot: str | None
    quantity: Decimal | None
    undone: bool


async def recent(tx: Tx, equipment: EquipmentId, limit: int) -> list[RecentRow]:
    """Return the last reports and uses of material at a unit, the newest first."""
    return await tx.fetch_all(
        RecentRow,
        """
        (select r.id, 'report' as kind, r.job_order, r.work_order, r.person, r.at, r.good, r.scrap, r.uom,
                r.reason, null::text as material, null::text as lot, null::numeric as quantity,
                exists (select 1 from mes.report u where u.reverses = r.id) as undone
         from mes.report r where r.equipment = %(unit)s and r.reverses is null and not r.simulated
         order by r.at desc limit %(limit)s)
        union all
        (select a.id, 'consumption', a.job_order, a.work_order, a.person, a.at, 0, 0, a.uom, a.reason,
                a.material, a.lot, a.quantity,
                exists (select 1 from mes.material_actual u where u.reverses = a.id)
         from mes.material_actual a
         where a.equipment = %(unit)s and a.reverses is null and not a.simulated
         order by a.at desc limit %(limit)s)
        order by at desc limit %(limit)s
        """,
        {"unit": equipment, "limit": limit},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRow:
    """A unit, its last state, and the setup family of the job started on it last."""

    id: EquipmentId
    name: str
    work_center: str | None
    state: str | None
    since: datetime | None
    reason: str | None
    back_at: datetime | None
    family: str | None


async def find_unit(tx: Tx, equipment: str) -> UnitRow | None:
    """Return a work unit as its terminal shows it."""
    return await tx.fetch_one(
        UnitRow,
        """
        select e.id, e.name, e.work_center, s.state, s.since, s.reason, s.back_at,
               (select j.family from mes.job_order j
                where j.equipment = e.id and j.started_at is not null and not j.simulated
                order by j.started_at desc limit 1) as family
        from mes.equipment e left join mes.equipment_status s on s.equipment = e.id
        where e.id = %(id)s and e.level = 'work_unit' and e.until is null
        """,
        {"id": equipment},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """A job in a unit's queue.

    Args:
        arrived: Pieces that came from the operation before; the quantity at the first.
        expected: Pieces that come here in all, when nothing more is lost on the way.
        room: Good pieces that the first operation may still make; None for the others.
    """

    id: JobOrderId
    work_order: WorkOrderNumber
    operation: int
    from_operation: int
    last: bool
    name: str
    instructions: str
    material: str
    material_name: str
    family: str | None
    skill: str | None
    setup_s: Decimal
    run_s: Decimal
    quantity: Decimal
    good: Decimal
    scrap: Decimal
    uom: str
    digits: int
    status: str
    hold_reason: str | None
    planned_start: datetime | None
    planned_end: datetime | None
    started_at: datetime | None
    equipment: str | None
    customer: str | None
    due_at: datetime
    priority: int
    serial_from: int | None
    arrived: Decimal
    expected: Decimal
    room: Decimal | None


async def queue(tx: Tx, equipment: str, limit: int) -> list[QueueRow]:
    """Return the job that runs on a unit, then its queue in the plan's order."""
    return await tx.fetch_all(
        QueueRow,
        """
        select j.id, j.work_order, j.operation, j.from_operation, j.last, j.name, j.instructions,
               j.material, m.name as material_name, m.digits, j.family, j.skill, j.setup_s, j.run_s,
               j.quantity, j.good, j.scrap, j.uom, j.status, j.hold_reason, j.planned_start, j.planned_end,
               j.started_at, j.equipment, c.customer_name as customer, w.due_at, w.priority,
               j.serial_from, coalesce(b.arrived, j.quantity) as arrived,
               coalesce(f.good, j.quantity) - coalesce(b.lost, 0) as expected,
               case when j.from_operation = 0 then greatest(0,
                   trunc(w.quantity * (100 + coalesce(p.over_percent, 0)) / 100, m.digits)
                   + (w.scrap - j.scrap) - j.good) end as room
        from mes.job_order j
        join mes.work_order w on w.id = j.work_order
        join mes.material m on m.id = j.material
        left join mes.policy p on p.site = j.site
        left join mes.customer_order c on c.id = w.customer_order
        left join lateral (
            select o.good, o.operation from mes.job_order o
            where o.work_order = j.work_order and o.operation < j.operation
              and o.status in ('Completed', 'Cancelled', 'Aborted', 'Closed')
            order by o.operation desc limit 1) f on true
        left join lateral (
            select sum(o.good) filter (where o.operation = j.from_operation) as arrived,
                   sum(o.scrap) filter (where o.operation > coalesce(f.operation, 0)) as lost
            from mes.job_order o where o.work_order = j.work_order and o.operation < j.operation) b on true
        where j.equipment = %(unit)s and not j.simulated
          and j.status in ('Dispatched', 'Ready', 'Running', 'Held', 'Suspended')
        order by j.status = 'Running' desc, j.sequence nulls last, j.planned_start nulls last, j.id
        limit %(limit)s
        """,
        {"unit": equipment, "limit": limit},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalPart:
    """A component of a job in the queue."""

    job_order: JobOrderId
    material: str
    name: str
    required: Decimal
    consumed: Decimal
    uom: str


async def terminal_parts(tx: Tx, jobs: list[JobOrderId]) -> list[TerminalPart]:
    """Return what some jobs take."""
    return await tx.fetch_all(
        TerminalPart,
        """
        select c.job_order, c.material, m.name, c.required, c.consumed, c.uom
        from mes.job_component c join mes.material m on m.id = c.material
        where c.job_order = any(%(jobs)s) order by c.material
        """,
        {"jobs": jobs},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalLot:
    """A lot that may be used.

    Args:
        code: What means this lot and no other.
    """

    lot: str
    code: str
    material: str
    on_hand: Decimal
    expires_at: datetime | None
    reserved_for: str | None


async def terminal_lots(
    tx: Tx, materials: list[str], orders: list[WorkOrderNumber], each: int, at: datetime
) -> list[TerminalLot]:
    """Return the lots to use next: first to expire, first out.

    Args:
        each: So many at most of a material that are free, and as many that are reserved for an order.
    """
    return await tx.fetch_all(
        TerminalLot,
        """
        select l.id as lot, l.material, l.on_hand, l.expires_at, l.reserved_for,
               case when exists (
                   select from mes.lot o
                   where upper(normalize(coalesce(o.number, o.id), nfkc))
                         = upper(normalize(coalesce(l.number, l.id), nfkc))
                     and coalesce(o.number, o.id) = coalesce(l.number, l.id)
                     and o.id <> l.id and not o.simulated)
               then coalesce(l.number, l.id) || '@' || l.material else l.id end as code
        from unnest(%(materials)s::text[]) as wanted (material)
        cross join unnest(array_append(%(orders)s::text[], null)) as kept (work_order)
        cross join lateral (
            select * from mes.lot l
            where l.material = wanted.material and l.on_hand > 0 and l.status = 'available'
              and not l.simulated and (l.expires_at is null or l.expires_at > %(at)s)
              and l.reserved_for is not distinct from kept.work_order
            order by l.expires_at nulls last, l.received_at, l.id
            limit %(limit)s) l
        order by l.reserved_for nulls last, l.expires_at nulls last, l.received_at, l.id
        """,
        {"materials": materials, "orders": orders, "limit": each, "at": at},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalSerial:
    """A piece in work, or a number that waits for one."""

    serial: str
    work_order: WorkOrderNumber
    status: str
    last_operation: int


async def terminal_serials(tx: Tx, orders: list[WorkOrderNumber]) -> list[TerminalSerial]:
    """Return the serial numbers in use of some orders, in order."""
    return await tx.fetch_all(
        TerminalSerial,
        """
        select serial, work_order, status, last_operation from mes.serial_unit
        where work_order = any(%(orders)s) and status in ('reserved', 'assigned')
        order by work_order, position
        """,
        {"orders": orders},
    )


_CALL = """
    select c.id, c.equipment, c.job_order, c.person, p.name as person_name, c.called_at as since,
           coalesce(a.name, split_part(c.answered_by, ':', 2)) as answered_by, c.answered_at,
           c.withdrawn
    from mes.help_call c
    join mes.person p on p.id = c.person
    left join mes.person a on c.answered_by = 'person:' || a.id
"""


async def insert_call(  # noqa: PLR0917 - the columns of one row
    tx: Tx, call: UUID, equipment: str, scope: str, person: str, job: str | None
) -> HelpCall:
    """Open a call for help at a unit, and return it."""
    await tx.execute(
        """
        insert into mes.help_call (id, site, scope, equipment, job_order, person, called_at)
        values (%(id)s, %(site)s, %(scope)s, %(equipment)s, %(job)s, %(person)s, %(at)s)
        """,
        {
            "id": call,
            "site": tx.site,
            "scope": scope,
            "equipment": equipment,
            "job": job,
            "person": person,
            "at": tx.now,
        },
    )
    return await get_call(tx, call)


async def get_call(tx: Tx, call: UUID) -> HelpCall:
    """Return a call for help, open or over."""
    return found(await _call(tx, call), HelpNotCalled, call=call)


async def _call(tx: Tx, call: UUID | None) -> HelpCall | None:
    return await tx.fetch_one(HelpCall, f"{_CALL} where c.id = %(id)s", {"id": call})


async def call_at(tx: Tx, equipment: str, at: datetime) -> HelpCall | None:
    """Return the unit's call that is open, or was at `at`: what a terminal tells late may be over."""
    return await tx.fetch_one(
        HelpCall,
        f"""{_CALL} where c.equipment = %(equipment)s
            and (c.answered_at is null or (c.called_at <= %(at)s and c.answered_at > %(at)s))
            order by c.called_at desc limit 1""",
        {"equipment": equipment, "at": at},
    )


async def latest_call(tx: Tx, equipment: str, answered_after: datetime) -> HelpCall | None:
    """Return the unit's open call, or the last one that was answered after a moment."""
    return await tx.fetch_one(
        HelpCall,
        f"""{_CALL} where c.equipment = %(equipment)s
            and (c.answered_at is null or (c.answered_at > %(after)s and not c.withdrawn))
            order by c.called_at desc limit 1""",
        {"equipment": equipment, "after": answered_after},
    )


async def open_calls(tx: Tx) -> list[HelpCall]:
    """Return the calls that nobody has answered, the oldest first."""
    return await tx.fetch_all(HelpCall, f"{_CALL} where c.answered_at is null order by c.called_at")


async def answer_call(tx: Tx, equipment: str) -> HelpCall | None:
    """End the unit's open call at `tx.now`, and return it; None where none is open."""
    call = await tx.value(
        """
        update mes.help_call set answered_by = %(actor)s, answered_at = greatest(called_at, %(at)s)
        where equipment = %(equipment)s and answered_at is null returning id
        """,
        {"equipment": equipment, "actor": tx.cause.actor, "at": tx.now},
    )
    return await _call(tx, call)


async def withdraw_call(tx: Tx, call: UUID) -> bool:
    """End a call at `tx.now` because nobody needs to come; False where it is over already."""
    changed = await tx.execute(
        """
        update mes.help_call
        set withdrawn = true, answered_by = %(actor)s, answered_at = greatest(called_at, %(at)s)
        where id = %(id)s and answered_at is null
        """,
        {"id": call, "actor": tx.cause.actor, "at": tx.now},
    )
    return changed == 1


async def job_there(tx: Tx, equipment: str, at: datetime) -> JobOrderId | None:
    """Return the job that ran on a unit at a moment, or begins within the clocks' difference after it."""
    found: JobOrderId | None = await tx.value(
        """
        select job_order from mes.equipment_actual
        where equipment = %(equipment)s and not simulated
          and started_at <= %(at)s::timestamptz + %(slack)s
          and (ended_at is null or ended_at > %(at)s)
        order by started_at <= %(at)s desc, started_at desc limit 1
        """,
        {"equipment": equipment, "at": at, "slack": CLOCKS_DIFFER},
    )
    return found


async def has_used(tx: Tx, job_order: str, lot: str) -> bool:
    """Say whether a job has material of a lot in it."""
    found = await tx.value(
        """
        select sum(quantity) > 0 from mes.material_actual
        where job_order = %(job_order)s and lot = %(lot)s
        """,
        {"job_order": job_order, "lot": lot},
    )
    return bool(found)


async def materials_at(tx: Tx, unit: str) -> list[MaterialId]:
    """Return what the jobs take that were at a unit at `tx.now`: running, planned there, or held."""
    found: list[MaterialId] | None = await tx.value(
        """
        select array_agg(distinct c.material)
        from mes.job_order j join mes.job_component c on c.job_order = j.id
        where j.equipment = %(unit)s and not j.simulated
          and (j.status in ('Dispatched', 'Ready', 'Running', 'Held', 'Suspended')
               or j.started_at <= %(at)s and j.completed_at > %(at)s)
        """,
        {"unit": unit, "at": tx.now},
    )
    return found or []


async def used_at(tx: Tx, unit: str, lot: str) -> bool:
    """Say whether anything of a lot was ever used at a unit."""
    found = await tx.value(
        """
        select exists (select from mes.material_actual
                       where lot = %(lot)s and equipment = %(unit)s and not simulated)
        """,
        {"unit": unit, "lot": lot},
    )
    return bool(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineScan:
    """The last code that a unit's own scanner read.

    Args:
        text: What it says; empty where that is a badge.
        outcome: None while nobody has looked at it.
        refusal: Code and values of why it was not understood.
        noted: Somebody has seen that it was not.
    """

    id: int
    reader: str
    at: datetime
    text: str
    lot: str | None
    serial: str | None
    outcome: str | None
    job_order: str | None
    refusal: dict[str, Any] | None
    noted: bool


async def last_scan(tx: Tx, equipment: str, after: datetime) -> MachineScan | None:
    """Return the last code that the scanner of a unit read after a moment."""
    return await tx.fetch_one(
        MachineScan,
        """
        select id, reader, at, case when fields ? 'person' then '' else payload end as text,
               fields ->> 'lot' as lot, fields ->> 'serial' as serial, outcome, job_order, refusal,
               noted_at is not null as noted
        from mes.scan where equipment = %(equipment)s and at > %(after)s
        order by at desc, id desc limit 1
        """,
        {"equipment": equipment, "after": after},
    )


@dataclass(frozen=True, slots=True)
class Use:
    """Work that needs a place or a person.

    Args:
        what: The place or the person.
        why: Status of the job, `locked` to the place by a planner, or `works` for a person on it.
    """

    what: str
    job_order: JobOrderId
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {self.job_order} ({self.why})"


async def uses(tx: Tx, *, units: Sequence[str], centers: Sequence[str], people: Sequence[str]) -> list[Use]:
    """Return the jobs begun on or fixed to units, those that are not over of work centres, and who works."""
    return await tx.fetch_all(
        Use,
        """
        select equipment as what, id as job_order,
               case when status in ('Running', 'Held', 'Suspended') then status else 'locked' end as why
        from mes.job_order
        where equipment = any(%(units)s::text[]) and not simulated
          and (status in ('Running', 'Held', 'Suspended')
               or locked and status in ('Waiting', 'Pending', 'Dispatched', 'Ready'))
        union
        select work_center, id, status from mes.job_order
        where work_center = any(%(centers)s::text[]) and not simulated
          and status not in ('Completed', 'Cancelled', 'Aborted', 'Closed')
        union
        select person, job_order, 'works' from mes.personnel_actual
        where person = any(%(people)s::text[]) and ended_at is null and not simulated
        order by 1, 2, 3
        """,
        {"units": list(units), "centers": list(centers), "people": list(people)},
    )
