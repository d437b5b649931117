"""What the board shows beside states and figures: running jobs, pieces, links and their faults."""

from dataclasses import dataclass
from decimal import Decimal

from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, JobOrderId, MaterialId
from mes.performance.model import EdgeFault, Window

CLOCK_S = 60
"""A machine's clock may be so far from the edge's, in seconds: what it dates is of the right job, mostly."""

MALFORMED = ("bad_entry", "not_json", "too_large", "wrong_type")
"""What can be wrong with a device's message in words of our own; a driver of others may say more."""


@dataclass(frozen=True, slots=True)
class TileRow:
    """What a board tile shows beside the figures."""

    equipment: EquipmentId
    job_order: JobOrderId | None
    material: MaterialId | None
    good: Decimal
    scrap: Decimal


async def tiles(tx: Tx, window: Window) -> dict[EquipmentId, TileRow]:
    """Return the running job of every unit and all its valid counts in the window.

    Scrap that people reported is scrap where the machine does not count it, as far as it has counted.
    """
    rows = await tx.fetch_all(
        TileRow,
        """
        select e.id as equipment, j.id as job_order, j.material,
               coalesce(c.good, 0) - least(r.scrap, coalesce(c.good, 0)) as good,
               coalesce(c.scrap, 0) + least(r.scrap, coalesce(c.good, 0)) as scrap
        from mes.equipment e
        left join mes.job_order j on j.equipment = e.id and j.status = 'Running' and not j.simulated
        left join lateral (
            select sum(delta) filter (where kind = 'good') as good,
                   sum(delta) filter (where kind = 'scrap') as scrap
            from mes.machine_count
            where equipment = e.id and at >= %(starts_at)s and at < %(ends_at)s
              and (not doubtful or coalesce(accepted, false))
        ) c on true
        cross join lateral (
            select coalesce(sum(scrap), 0) as scrap from mes.report told
            where equipment = e.id and at >= %(starts_at)s and at < %(ends_at)s
              and scrap > 0 and not scrap_counted
              and not exists (select from mes.report undone where undone.reverses = told.id)
        ) r
        where e.level = 'work_unit' and e.until is null
        """,
        {"starts_at": window.starts_at, "ends_at": window.ends_at},
    )
    return {row.equipment: row for row in rows}


async def finished(tx: Tx, window: Window) -> Decimal:
    """Return the good pieces reported on last operations in the window; what was reversed is none."""
    good: Decimal = await tx.value(
        """
        select coalesce(sum(r.good), 0) from mes.report r join mes.job_order j on j.id = r.job_order
        where j.last and r.at >= %(starts_at)s and r.at < %(ends_at)s
        """,
        {"starts_at": window.starts_at, "ends_at": window.ends_at},
    )
    return good


@dataclass(frozen=True, slots=True)
class EdgeLink:
    """What ingest last knew of an edge."""

    edge: str
    heard_s: float | None
    ingest_lag_s: float
    spool_depth: int


async def edge_links(tx: Tx) -> list[EdgeLink]:
    """Return every edge's link: seconds since it was heard, lag of its newest committed batch."""
    return await tx.fetch_all(
        EdgeLink,
        """
        select edge, extract(epoch from clock_timestamp() - at)::float8 as heard_s,
               ingest_lag_s, spool_depth
        from mes.edge_link order by edge
        """,
    )


async def edge_faults(tx: Tx) -> list[EdgeFault]:
    """Return what the edges say they cannot read, and what waits in quarantine, by edge."""
    return await tx.fetch_all(
        EdgeFault,
        """
        select l.edge, 'endpoint_down' as code, e.key as subject,
               coalesce(e.value ->> 'reason', '') as reason,
               to_timestamp((e.value ->> 'since')::float8 / 1000) as since
        from mes.edge_link l, jsonb_each(coalesce(l.detail -> 'endpoints', '{}')) e
        where e.value -> 'up' = 'false'
        union all
        select l.edge, 'clock_wrong', e.key, round((e.value ->> 'clock_behind_s')::numeric)::text, null
        from mes.edge_link l, jsonb_each(coalesce(l.detail -> 'endpoints', '{}')) e
        where e.value -> 'up' = 'true' and jsonb_typeof(e.value -> 'clock_behind_s') = 'number'
          and abs((e.value ->> 'clock_behind_s')::numeric) > %(clock_s)s
        union all
        select l.edge, 'tag_refused', r.key, r.value, null
        from mes.edge_link l, jsonb_each_text(coalesce(l.detail -> 'refused', '{}')) r
        union all
        select l.edge,
               case when split_part(m ->> 'reason', ' ', 1) = any(%(known)s)
                    then 'malformed_' || split_part(m ->> 'reason', ' ', 1) else 'malformed' end,
               m ->> 'source',
               case when split_part(m ->> 'reason', ' ', 1) = any(%(known)s)
                    then split_part(m ->> 'reason', ' ', 2) else m ->> 'reason' end,
               to_timestamp((m ->> 'since')::float8 / 1000)
        from mes.edge_link l, jsonb_array_elements(coalesce(l.detail -> 'malformed', '[]')) m
        union all
        select edge, 'quarantined', count(*)::text, min(error), min(received_at)
        from mes.edge_inbox where done_at is null and error is not null group by edge
        order by 1, 2, 3, 4
        """,
        {"clock_s": CLOCK_S, "known": list(MALFORMED)},
    )


@dataclass(frozen=True, slots=True)
class ConsumerLag:
    """How far a consumer of events is behind, in seconds."""

    consumer: str
    lag_s: float


async def consumer_lags(tx: Tx) -> list[ConsumerLag]:
    """Return the age of the oldest event that each consumer has not passed."""
    return await tx.fetch_all(
        ConsumerLag,
        """
        select c.consumer,
               coalesce(extract(epoch from clock_timestamp() - e.recorded_at), 0)::float8 as lag_s
        from mes.consumer_cursor c
        left join lateral (
            select recorded_at from mes.event where (xid, id) > (c.xid, c.id) order by xid, id limit 1
        ) e on true
        order by c.consumer
        """,
    )
