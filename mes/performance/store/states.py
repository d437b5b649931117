# ruff: noqa: S608 - only texts of our own are put together
"""Intervals of machine states, and the reasons that machines themselves give."""

from datetime import datetime
from uuid import UUID

from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId
from mes.performance.model import StateInterval, StateReading
from mes.performance.store.sources import source_columns


async def lock_states(tx: Tx, equipment: EquipmentId) -> None:
    """Let nobody else change the unit's intervals until the transaction ends."""
    await tx.execute(
        "select pg_advisory_xact_lock(hashtextextended('mes.equipment_state:' || %(equipment)s, 0))",
        {"equipment": equipment},
    )


async def interval_at(tx: Tx, equipment: EquipmentId, at: datetime) -> StateInterval | None:
    """Return the unit's interval that covers `at`."""
    return await tx.fetch_one(
        StateInterval,
        """
        select id, equipment, state, reason, started_at, ended_at, edge is not null as read
        from mes.equipment_state
        where equipment = %(equipment)s and started_at <= %(at)s
        order by started_at desc limit 1
        """,
        {"equipment": equipment, "at": at},
    )


async def interval(tx: Tx, interval: UUID) -> StateInterval | None:
    """Return one interval."""
    return await tx.fetch_one(
        StateInterval,
        """
        select id, equipment, state, reason, started_at, ended_at, edge is not null as read
        from mes.equipment_state
        where id = %(id)s
        """,
        {"id": interval},
    )


async def told_next(tx: Tx, equipment: EquipmentId, after: datetime) -> datetime | None:
    """Return when the first interval after a moment begins that does not follow from unseen time."""
    start: datetime | None = await tx.value(
        f"select min(started_at) from ({_FOLLOWING}) one where told", {"equipment": equipment, "after": after}
    )
    return start


async def assumed(tx: Tx, equipment: EquipmentId, after: datetime) -> list[StateInterval]:
    """Return the states after a moment that were taken to go on after unseen time, up to the next told."""
    return await tx.fetch_all(
        StateInterval,
        f"""
        with following as ({_FOLLOWING})
        select id, equipment, state, reason, started_at, ended_at, edge is not null as read from following
        where state <> 'Undefined'
          and started_at < coalesce((select min(started_at) from following where told), 'infinity')
        order by started_at
        """,
        {"equipment": equipment, "after": after},
    )


_FOLLOWING = """
    select * from (
        select *, edge is not null
                  or state <> 'Undefined' and lag(state) over (order by started_at)
                     is distinct from 'Undefined' as told
        from mes.equipment_state
        where equipment = %(equipment)s and started_at >= coalesce(
            (select max(started_at) from mes.equipment_state
             where equipment = %(equipment)s and started_at <= %(after)s), '-infinity')
    ) one where started_at > %(after)s
"""
"""What nobody told is unseen time, or the state of before that is taken to go on after it."""


async def first_start(tx: Tx, equipment: EquipmentId) -> datetime | None:
    """Return when the unit's first interval begins."""
    start: datetime | None = await tx.value(
        "select min(started_at) from mes.equipment_state where equipment = %(equipment)s",
        {"equipment": equipment},
    )
    return start


async def insert_interval(
    tx: Tx, interval: UUID, scope: str, reading: StateReading, ended_at: datetime | None
) -> None:
    """Add an interval."""
    source = reading.source
    await tx.execute(
        """
        insert into mes.equipment_state (id, site, scope, equipment, state, reason, started_at, ended_at,
                                         edge, epoch, seq, idx, simulated)
        values (%(id)s, %(site)s, %(scope)s, %(equipment)s, %(state)s, %(reason)s, %(at)s, %(ended_at)s,
                %(edge)s, %(epoch)s, %(seq)s, %(idx)s, %(simulated)s)
        """,
        {
            "id": interval,
            "site": tx.site,
            "scope": scope,
            "equipment": reading.equipment,
            "state": reading.state,
            "reason": reading.reason,
            "at": reading.at,
            "ended_at": ended_at,
            "simulated": tx.cause.simulated,
            **source_columns(source),
        },
    )


async def end_interval(tx: Tx, interval: UUID, at: datetime) -> None:
    """Cut an interval off at `at`."""
    await tx.execute(
        "update mes.equipment_state set ended_at = %(at)s where id = %(id)s", {"id": interval, "at": at}
    )


async def replace_state(tx: Tx, interval: UUID, reading: StateReading) -> None:
    """Give an interval another state: two changes came with the same time, the later one holds."""
    await tx.execute(
        """
        update mes.equipment_state
        set state = %(state)s, reason = %(reason)s, person = null,
            edge = %(edge)s, epoch = %(epoch)s, seq = %(seq)s, idx = %(idx)s
        where id = %(id)s
        """,
        {"id": interval, "state": reading.state, "reason": reading.reason, **source_columns(reading.source)},
    )


async def explain_interval(tx: Tx, interval: UUID, reason: str, person: str | None) -> None:
    """Give an interval its reason."""
    await tx.execute(
        "update mes.equipment_state set reason = %(reason)s, person = %(person)s where id = %(id)s",
        {"id": interval, "reason": reason, "person": person},
    )


async def fault_of(tx: Tx, equipment: EquipmentId) -> str | None:
    """Return the reason that the machine itself gives at the moment."""
    reason: str | None = await tx.value(
        "select reason from mes.equipment_fault where equipment = %(equipment)s", {"equipment": equipment}
    )
    return reason


async def save_fault(tx: Tx, equipment: EquipmentId, reason: str, since: datetime) -> None:
    """Remember the machine's own reason; an empty one takes it back."""
    if reason:
        await tx.execute(
            """
            insert into mes.equipment_fault (equipment, site, scope, reason, since)
            values (%(equipment)s, %(site)s,
                    coalesce((select scope from mes.equipment where id = %(equipment)s), ''),
                    %(reason)s, %(since)s)
            on conflict (equipment) do update set reason = excluded.reason, since = excluded.since
            """,
            {"equipment": equipment, "site": tx.site, "reason": reason, "since": since},
        )
    else:
        await tx.execute(
            "delete from mes.equipment_fault where equipment = %(equipment)s", {"equipment": equipment}
        )
