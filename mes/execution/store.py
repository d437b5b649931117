"""SQL of reports, material use and the intervals of work at the units."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from mes.execution.model import Interval, MaterialActual, Report
from mes.kernel.db import Tx
from mes.kernel.ids import (
    EquipmentId,
    JobOrderId,
    PersonId,
    WorkOrderNumber,
    uuid7,
)

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
    """Say whether a person's time runs on a job."""
    found = await tx.value(
        """
        select true from mes.personnel_actual
        where person = %(person)s and job_order = %(job_order)s and ended_at is null
        """,
        {"person": person, "job_order": job_order},
    )
    return bool(found)


async def close_labour(tx: Tx, *, job_order: str | None = None, person: str | None = None) -> list[Interval]:
    """End the open intervals of a job's people, or of one person, at `tx.now`; return them."""
    return await tx.fetch_all(
        Interval,
        """
        update mes.personnel_actual set ended_at = greatest(started_at, %(at)s)
        where ended_at is null and simulated = %(simulated)s
          and (%(job_order)s::text is null or job_order = %(job_order)s)
          and (%(person)s::text is null or person = %(person)s)
        returning id, job_order, person as resource, equipment, started_at, ended_at
        """,
        {
            "job_order": job_order,
            "person": person,
            "at": tx.now,
            "simulated": tx.cause.simulated,
        },
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
