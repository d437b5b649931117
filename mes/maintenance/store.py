"""SQL of maintenance."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, MaintenanceNumber
from mes.maintenance.model import Maintenance, MaintenanceDraft

_MAINTENANCE = """
    select m.id, m.scope, m.equipment, m.rule, m.name, m.minutes, m.earliest, m.latest, m.weight, m.status,
           m.planned_start, m.planned_end, m.started_at, m.ended_at, coalesce(m.ended_by, m.started_by) as by,
           m.reason
    from mes.maintenance m
"""
_OPEN = "m.status in ('planned', 'running')"


async def open_maintenance(tx: Tx) -> list[Maintenance]:
    """Return what is planned or runs, the first limit first."""
    return await tx.fetch_all(
        Maintenance,
        f"{_MAINTENANCE} where m.site = %(site)s and {_OPEN} order by m.latest, m.id",
        {"site": tx.site},
    )


async def maintenance_since(tx: Tx, since: datetime) -> list[Maintenance]:
    """Return what is planned or runs, and what ended since then."""
    return await tx.fetch_all(
        Maintenance,
        f"""
        {_MAINTENANCE} where m.site = %(site)s and ({_OPEN} or m.ended_at >= %(since)s)
        order by m.latest, m.id
        """,
        {"site": tx.site, "since": since},
    )


async def lock_maintenance(tx: Tx, number: str) -> Maintenance | None:
    """Return one; nobody else changes it until the transaction ends."""
    return await tx.fetch_one(
        Maintenance,
        f"{_MAINTENANCE} where m.site = %(site)s and m.id = %(number)s for no key update",
        {"site": tx.site, "number": number},
    )


@dataclass(frozen=True, slots=True)
class LastOfRule:
    """The last time that what a rule wants was done or cancelled."""

    rule: str
    ended_at: datetime
    latest: datetime
    done: bool


async def last_of_rules(tx: Tx) -> dict[str, LastOfRule]:
    """Return for each rule of which something is over when that was."""
    rows = await tx.fetch_all(
        LastOfRule,
        """
        select distinct on (rule) rule, ended_at, latest, status = 'done' as done
        from mes.maintenance where site = %(site)s and rule is not null and ended_at is not null
        order by rule, ended_at desc, latest desc
        """,
        {"site": tx.site},
    )
    return {row.rule: row for row in rows}


async def running_on(tx: Tx, equipment: EquipmentId) -> bool:
    """Say whether a unit is being maintained."""
    return bool(
        await tx.value(
            "select exists (select from mes.maintenance where equipment = %(unit)s and status = 'running')",
            {"unit": equipment},
        )
    )


async def insert_maintenance(
    tx: Tx, draft: MaintenanceDraft, scope: str, rule: str | None
) -> MaintenanceNumber:
    """Add maintenance under the next number."""
    place: int = await tx.value("select nextval('mes.maintenance_number')")
    number = MaintenanceNumber(f"MT-{place:06}")
    await tx.execute(
        """
        insert into mes.maintenance (id, site, scope, equipment, rule, name, minutes, earliest, latest,
                                     weight, planned_at, planned_by)
        values (%(number)s, %(site)s, %(scope)s,
                %(equipment)s, %(rule)s, %(name)s, %(minutes)s, %(earliest)s, %(latest)s, %(weight)s,
                %(at)s, %(by)s)
        """,
        {
            "number": number,
            "site": tx.site,
            "scope": scope,
            "rule": rule,
            "at": tx.now,
            "by": tx.cause.actor,
            **{name: getattr(draft, name) for name in draft.__slots__},
        },
    )
    return number


async def change_maintenance(tx: Tx, number: MaintenanceNumber, draft: MaintenanceDraft, scope: str) -> None:
    """Let planned maintenance be what a rule wants now."""
    await tx.execute(
        """
        update mes.maintenance set scope = %(scope)s, equipment = %(equipment)s, name = %(name)s,
            minutes = %(minutes)s, earliest = %(earliest)s, latest = %(latest)s, weight = %(weight)s
        where id = %(number)s
        """,
        {
            "number": number,
            "scope": scope,
            **{name: getattr(draft, name) for name in draft.__slots__},
        },
    )


async def begin_maintenance(tx: Tx, number: MaintenanceNumber) -> None:
    """Note that it runs since `tx.now`."""
    await tx.execute(
        """
        update mes.maintenance set status = 'running', started_at = %(at)s, started_by = %(by)s
        where id = %(number)s
        """,
        {"number": number, "at": tx.now, "by": tx.cause.actor},
    )


async def end_maintenance(tx: Tx, number: MaintenanceNumber, status: str, reason: str = "") -> None:
    """Note that it is over since `tx.now`."""
    await tx.execute(
        """
        update mes.maintenance
        set status = %(status)s, ended_at = %(at)s, ended_by = %(by)s, reason = %(reason)s
        where id = %(number)s
        """,
        {"number": number, "status": status, "at": tx.now, "by": tx.cause.actor, "reason": reason},
    )


async def place_maintenance(tx: Tx, places: Mapping[str, tuple[datetime, datetime]]) -> None:
    """Note where the plan in force has what is planned; other numbers are passed over."""
    await tx.execute(
        """
        update mes.maintenance m set planned_start = p.starts_at, planned_end = p.ends_at
        from unnest(%(numbers)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
            as p (id, starts_at, ends_at)
        where m.id = p.id and m.site = %(site)s and m.status = 'planned'
        """,
        {
            "site": tx.site,
            "numbers": list(places),
            "starts": [start for start, _ in places.values()],
            "ends": [end for _, end in places.values()],
        },
    )
