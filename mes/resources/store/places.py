"""SQL of the hierarchy of equipment, and what each unit does."""

from collections.abc import Collection
from datetime import datetime

from mes.kernel.db import Tx
from mes.resources.model import FAULT_STATES, STOP_STATES, Equipment, EquipmentStatus

_EQUIPMENT = """
    select id, level, name, scope, parent, work_center, cost_center, skill, calendar,
           assigns_serial, position, time_percent
    from mes.equipment
"""


async def find_equipment(tx: Tx, equipment: str) -> Equipment | None:
    """Return one node of the hierarchy."""
    return await tx.fetch_one(Equipment, f"{_EQUIPMENT} where id = %(id)s", {"id": equipment})


async def lock_equipment(tx: Tx, equipment: str) -> Equipment | None:
    """Return a unit and keep others from starting work on it until the transaction ends."""
    return await tx.fetch_one(
        Equipment, f"{_EQUIPMENT} where id = %(id)s and until is null for no key update", {"id": equipment}
    )


async def all_equipment(tx: Tx, level: str | None = None, *, retired: bool = False) -> list[Equipment]:
    """Return the site's hierarchy, or one level of it, in the plant's order.

    Args:
        retired: What is out of service too.
    """
    return await tx.fetch_all(
        Equipment,
        f"""
        {_EQUIPMENT} where site = %(site)s and (%(retired)s or until is null)
            and (%(level)s::text is null or level = %(level)s)
        order by position, id
        """,
        {"site": tx.site, "level": level, "retired": retired},
    )


async def save_equipment(tx: Tx, one: Equipment) -> bool:
    """Insert or change a node; return whether anything differed."""
    return bool(
        await tx.execute(
            """
            insert into mes.equipment as e (id, site, scope, level, name, parent, work_center,
                cost_center, skill, calendar, assigns_serial, position, time_percent)
            values (%(id)s, %(site)s, %(scope)s, %(level)s, %(name)s, %(parent)s, %(work_center)s,
                %(cost_center)s, %(skill)s, %(calendar)s, %(assigns_serial)s, %(position)s,
                %(time_percent)s)
            on conflict (id) do update set scope = excluded.scope, level = excluded.level,
                name = excluded.name, parent = excluded.parent, work_center = excluded.work_center,
                cost_center = excluded.cost_center, skill = excluded.skill,
                calendar = excluded.calendar, assigns_serial = excluded.assigns_serial,
                position = excluded.position, time_percent = excluded.time_percent, until = null
            where e.until is not null
               or (e.scope, e.level, e.name, e.parent, e.work_center, e.cost_center, e.skill,
                   e.calendar, e.assigns_serial, e.position, e.time_percent)
               is distinct from (excluded.scope, excluded.level, excluded.name, excluded.parent,
                   excluded.work_center, excluded.cost_center, excluded.skill, excluded.calendar,
                   excluded.assigns_serial, excluded.position, excluded.time_percent)
            """,
            {"site": tx.site, **{name: getattr(one, name) for name in one.__slots__}},
        )
    )


async def retired_at(tx: Tx, equipment: str) -> datetime | None:
    """Return since when a node is out of service; None while it is in service."""
    until: datetime | None = await tx.value(
        "select until from mes.equipment where id = %(id)s", {"id": equipment}
    )
    return until


async def retire_equipment(tx: Tx, kept: Collection[str]) -> list[Equipment]:
    """Take all that is in service and not kept out of it; return what was taken out."""
    return await tx.fetch_all(
        Equipment,
        """
        update mes.equipment set until = %(at)s
        where site = %(site)s and until is null and id <> all(%(kept)s::text[])
        returning id, level, name, scope, parent, work_center, cost_center, skill, calendar,
                  assigns_serial, position, time_percent
        """,
        {"site": tx.site, "kept": list(kept), "at": tx.now},
    )


async def all_status(tx: Tx) -> list[EquipmentStatus]:
    """Return what each unit does, as far as it ever told."""
    return await tx.fetch_all(
        EquipmentStatus,
        "select equipment, state, since, reason, back_at from mes.equipment_status where site = %(site)s",
        {"site": tx.site},
    )


async def save_status(tx: Tx, equipment: Equipment, state: str, since: datetime, reason: str | None) -> None:
    """Remember the state of a unit, unless a later one is known."""
    await tx.execute(
        """
        insert into mes.equipment_status as s (equipment, site, scope, state, since, reason)
        values (%(equipment)s, %(site)s, %(scope)s, %(state)s, %(since)s, %(reason)s)
        on conflict (equipment) do update
        set state = excluded.state, since = excluded.since, reason = excluded.reason,
            back_at = case when excluded.state = any(%(down)s) then s.back_at end
        where s.since <= excluded.since
        """,
        {
            "equipment": equipment.id,
            "site": tx.site,
            "scope": equipment.scope,
            "state": state,
            "since": since,
            "reason": reason,
            "down": sorted(FAULT_STATES | STOP_STATES),
        },
    )


async def save_back_at(tx: Tx, equipment: str, back_at: datetime | None) -> None:
    """Remember when a unit is expected to run again; forgotten when it does."""
    await tx.execute(
        "update mes.equipment_status set back_at = %(at)s where equipment = %(equipment)s",
        {"equipment": equipment, "at": back_at},
    )
