"""SQL of the edge inbox, its quarantine, scans, gaps and edge configurations."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from mes.identification.model import Scan
from mes.intake.model import (
    EdgeConfig,
    GapValue,
    InboxRow,
    Quarantined,
    ReadingRefused,
    RefusedScan,
    ScanRead,
    ScanValue,
)
from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId
from mes.performance.model import Window

CONSUMER_LOCK = 0x4C53494E
"""Advisory lock key ("LSIN"): one consumer absorbs the inbox at a time."""


@asynccontextmanager
async def guarded(tx: Tx) -> AsyncIterator[None]:
    """Undo what is inside when it fails; a refusal by the database's own rules is a `ReadingRefused`."""
    try:
        async with tx.savepoint():
            yield
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise ReadingRefused(reason=str(error).splitlines()[0]) from error


async def become_consumer(tx: Tx) -> bool:
    """Say whether this transaction may absorb the inbox; nobody else may until it ends."""
    return bool(await tx.value("select pg_try_advisory_xact_lock(%(key)s)", {"key": CONSUMER_LOCK}))


async def waiting(tx: Tx, limit: int) -> list[InboxRow]:
    """Return the oldest rows that are neither done nor in quarantine, in order of arrival."""
    return await tx.fetch_all(
        InboxRow,
        """
        select id, edge, epoch, seq, idx, equipment, metric, kind, value, source_time, quality, received_at
        from mes.edge_inbox where done_at is null and error is null order by id limit %(limit)s
        """,
        {"limit": limit},
    )


async def mark_done(tx: Tx, rows: Sequence[int]) -> None:
    """Note that these rows are facts now."""
    await tx.execute(
        "update mes.edge_inbox set done_at = clock_timestamp(), error = null where id = any(%(rows)s)",
        {"rows": list(rows)},
    )


async def set_aside(tx: Tx, row: int, error: str) -> None:
    """Put a row into quarantine."""
    await tx.execute(
        "update mes.edge_inbox set error = %(error)s where id = %(row)s", {"row": row, "error": error}
    )


async def quarantined(tx: Tx, limit: int) -> list[Quarantined]:
    """Return what waits in quarantine, oldest first."""
    return await tx.fetch_all(
        Quarantined,
        """
        select id, edge, epoch, seq, idx, equipment, metric, kind, value, source_time, received_at, error
        from mes.edge_inbox where done_at is null and error is not null order by id limit %(limit)s
        """,
        {"limit": limit},
    )


async def let_out(tx: Tx, row: int | None) -> int:
    """Let one row, or all, out of quarantine to be tried again; return how many."""
    return await tx.execute(
        """
        update mes.edge_inbox set error = null
        where done_at is null and error is not null and (%(row)s::bigint is null or id = %(row)s)
        """,
        {"row": row},
    )


async def let_out_known(tx: Tx) -> int:
    """Let rows out that waited for their equipment, which is defined now; return how many."""
    return await tx.execute(
        """
        update mes.edge_inbox i set error = null from mes.equipment e
        where i.done_at is null and i.error like 'EquipmentUnknown:%' and e.id = i.equipment
        """
    )


async def forget(tx: Tx, before: datetime, limit: int) -> int:
    """Delete rows that are facts since long; return how many."""
    return await tx.execute(
        """
        delete from mes.edge_inbox
        where id in (select id from mes.edge_inbox
                     where done_at is not null and received_at < %(before)s limit %(limit)s)
        """,
        {"before": before, "limit": limit},
    )


async def insert_scan(
    tx: Tx, row: InboxRow, scope: str, value: ScanValue, *, scan: Scan | None, error: str | None
) -> None:
    """Add what a reader read."""
    await tx.execute(
        """
        insert into mes.scan (site, scope, reader, equipment, at, payload, symbology, form, fields, error,
                              edge, epoch, seq, idx)
        values (%(site)s, %(scope)s, %(reader)s, %(equipment)s, %(at)s, %(payload)s, %(symbology)s,
                %(form)s, %(fields)s, %(error)s, %(edge)s, %(epoch)s, %(seq)s, %(idx)s)
        """,
        {
            "site": tx.site,
            "scope": scope,
            "reader": value.reader or row.equipment,
            "equipment": row.equipment,
            "at": row.source_time,
            "payload": value.payload,
            "symbology": value.symbology,
            "form": None if scan is None else scan.form.value,
            "fields": Jsonb({} if scan is None else dict(scan.fields)),
            "error": error,
            "edge": row.edge,
            "epoch": row.epoch,
            "seq": row.seq,
            "idx": row.idx,
        },
    )


async def next_scan(tx: Tx) -> ScanRead | None:
    """Return the oldest scan that nobody has acted on, locked."""
    return await tx.fetch_one(
        ScanRead,
        """
        select id, equipment, reader, scope, at, payload, symbology, edge, epoch, seq, idx
        from mes.scan where judged_at is null order by id limit 1 for update skip locked
        """,
    )


async def judge_scan(
    tx: Tx, scan: int, outcome: str, job_order: str | None, refusal: dict[str, Any] | None
) -> None:
    """Note what a scan came to."""
    await tx.execute(
        """
        update mes.scan set judged_at = clock_timestamp(), outcome = %(outcome)s,
            job_order = %(job_order)s, refusal = %(refusal)s
        where id = %(id)s
        """,
        {
            "id": scan,
            "outcome": outcome,
            "job_order": job_order,
            "refusal": None if refusal is None else Jsonb(refusal),
        },
    )


_REFUSED = """
    select s.id, s.equipment, s.reader, s.at,
           case when s.fields ? 'person' then '' else s.payload end as text, s.refusal
    from mes.scan s where s.outcome = 'refused' and s.noted_at is null
"""


async def refused_scans(tx: Tx, limit: int) -> list[RefusedScan]:
    """Return the scans that came to nothing and that nobody has seen, the newest first."""
    return await tx.fetch_all(RefusedScan, f"{_REFUSED} order by s.id desc limit %(limit)s", {"limit": limit})


async def lock_refused(tx: Tx, scan: int) -> RefusedScan | None:
    """Return a scan that came to nothing and that nobody has seen, locked."""
    return await tx.fetch_one(RefusedScan, f"{_REFUSED} and s.id = %(id)s for update", {"id": scan})


async def note_scan(tx: Tx, scan: int) -> None:
    """Note that somebody has seen what a scan came to."""
    await tx.execute(
        "update mes.scan set noted_at = %(at)s, noted_by = %(actor)s where id = %(id)s",
        {"id": scan, "at": tx.now, "actor": tx.cause.actor},
    )


async def note_repaired(tx: Tx, equipment: str, scan: int, actor: str) -> None:
    """Note that what a unit's scanner read before was put right by a scan that was understood."""
    await tx.execute(
        """
        update mes.scan set noted_at = %(at)s, noted_by = %(actor)s
        where equipment = %(equipment)s and id < %(id)s and outcome = 'refused' and noted_at is null
        """,
        {"equipment": equipment, "id": scan, "at": tx.now, "actor": actor},
    )


async def units_of(tx: Tx, edge: str) -> tuple[EquipmentId, ...]:
    """Return the units that an edge reads by its newest configuration."""
    found = await tx.value(
        """
        select array_agg(distinct split_part(tag ->> 'name', '/', 1))
        from mes.edge_config c cross join jsonb_array_elements(c.config -> 'tags') tag
        where c.edge = %(edge)s and tag ->> 'name' is not null
          and c.version = (select max(version) from mes.edge_config where edge = %(edge)s)
        """,
        {"edge": edge},
    )
    return tuple(EquipmentId(unit) for unit in sorted(found or ()))


async def heard_until(
    tx: Tx, row: InboxRow, from_seq: int | None, units: Collection[EquipmentId]
) -> datetime | None:
    """Return when the machines of these units were heard of last, before what a gap of the row's epoch hides.

    Args:
        from_seq: First batch of the epoch that is hidden; None for all of them.
    """
    heard: datetime | None = await tx.value(
        """
        select max(told.at) from unnest(%(units)s::text[]) unit cross join lateral (
            (select started_at as at from mes.equipment_state
             where equipment = unit and edge is not null and started_at <= %(before)s
               and not (epoch = %(epoch)s and seq >= %(from_seq)s)
             order by started_at desc limit 1)
            union all
            (select at from mes.machine_count
             where equipment = unit and edge is not null and at <= %(before)s
               and not (epoch = %(epoch)s and seq >= %(from_seq)s)
             order by at desc limit 1)
        ) told
        """,
        {"units": list(units), "epoch": row.epoch, "from_seq": from_seq or 0, "before": row.source_time},
    )
    return heard


async def told_last(tx: Tx, units: Collection[EquipmentId]) -> datetime | None:
    """Return when the newest state begins that a machine of these units has told."""
    at: datetime | None = await tx.value(
        """
        select max(started_at) from mes.equipment_state where equipment = any(%(units)s) and edge is not null
        """,
        {"units": list(units)},
    )
    return at


async def insert_gap(tx: Tx, edge: str, equipment: str, gap: GapValue, window: Window) -> None:
    """Add a declared gap."""
    await tx.execute(
        """
        insert into mes.edge_gap (site, scope, edge, stream, equipment, from_at, to_at, from_seq, to_seq,
                                  reason)
        values (%(site)s, coalesce((select scope from mes.equipment where id = %(equipment)s), ''),
                %(edge)s, %(stream)s, %(equipment)s, %(from_at)s, %(to_at)s,
                %(from_seq)s, %(to_seq)s, %(reason)s)
        """,
        {
            "site": tx.site,
            "edge": edge,
            "stream": gap.stream,
            "equipment": equipment,
            "from_at": window.starts_at,
            "to_at": window.ends_at,
            "from_seq": gap.from_seq,
            "to_seq": gap.to_seq,
            "reason": gap.reason,
        },
    )


async def newest_config(tx: Tx, edge: str) -> EdgeConfig | None:
    """Return the edge's newest configuration."""
    return await tx.fetch_one(
        EdgeConfig,
        """
        select edge, version, config, acknowledged_at from mes.edge_config
        where edge = %(edge)s order by version desc limit 1
        """,
        {"edge": edge},
    )


async def lock_configs(tx: Tx, edge: str) -> None:
    """Let one transaction at a time number a configuration of this edge."""
    await tx.execute(
        "select pg_advisory_xact_lock(hashtextextended('edge_config/' || %(edge)s, 0))", {"edge": edge}
    )


async def insert_config(tx: Tx, edge: str, version: int, config: dict[str, Any]) -> None:
    """Add a configuration under its number."""
    await tx.execute(
        """
        insert into mes.edge_config (edge, version, config)
        values (%(edge)s, %(version)s, %(config)s)
        """,
        {"edge": edge, "version": version, "config": Jsonb(config)},
    )
