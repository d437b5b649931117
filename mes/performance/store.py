"""SQL of machine states, counts and the elements of their figures."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, JobOrderId, MaterialId
from mes.performance.iso22400 import Elements, Output, Times
from mes.performance.model import (
    TIME_KINDS,
    CountEvidence,
    CountKind,
    CountReading,
    DoubtfulCount,
    EdgeFault,
    IntervalEvidence,
    PlannedTime,
    RunningJob,
    Source,
    StateInterval,
    StateReading,
    UnitElements,
)
from mes.performance.model import Window as Stretch

GRACE_S = 60
"""A piece that leaves a unit so many seconds after its job was completed still belongs to the job."""


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
        select id, equipment, state, reason, started_at, ended_at from mes.equipment_state
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
        select id, equipment, state, reason, started_at, ended_at from mes.equipment_state
        where id = %(id)s
        """,
        {"id": interval},
    )


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
            **_source(source),
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
        {"id": interval, "state": reading.state, "reason": reading.reason, **_source(reading.source)},
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
            insert into mes.equipment_fault (equipment, site, reason, since)
            values (%(equipment)s, %(site)s, %(reason)s, %(since)s)
            on conflict (equipment) do update set reason = excluded.reason, since = excluded.since
            """,
            {"equipment": equipment, "site": tx.site, "reason": reason, "since": since},
        )
    else:
        await tx.execute(
            "delete from mes.equipment_fault where equipment = %(equipment)s", {"equipment": equipment}
        )


async def job_at(tx: Tx, equipment: EquipmentId, at: datetime) -> RunningJob | None:
    """Return the job that ran on the unit at `at`, or ended just before."""
    return await tx.fetch_one(
        RunningJob,
        """
        select j.id as job_order, j.material, j.run_s
        from mes.equipment_actual a join mes.job_order j on j.id = a.job_order
        where a.equipment = %(equipment)s and a.started_at <= %(at)s
          and (a.ended_at is null or a.ended_at >= %(at)s - make_interval(secs => %(grace)s))
          and a.simulated = %(simulated)s
        order by a.started_at desc limit 1
        """,
        {"equipment": equipment, "at": at, "grace": GRACE_S, "simulated": tx.cause.simulated},
    )


async def insert_count(tx: Tx, scope: str, reading: CountReading, job: RunningJob | None) -> None:
    """Add a count."""
    await tx.execute(
        """
        insert into mes.machine_count (site, scope, equipment, at, kind, delta, raw, job_order, item, run_s,
                                       doubtful, edge, epoch, seq, idx, simulated)
        values (%(site)s, %(scope)s, %(equipment)s, %(at)s, %(kind)s, %(delta)s, %(raw)s, %(job_order)s,
                %(item)s, %(run_s)s, %(doubtful)s, %(edge)s, %(epoch)s, %(seq)s, %(idx)s, %(simulated)s)
        """,
        {
            "site": tx.site,
            "scope": scope,
            "equipment": reading.equipment,
            "at": reading.at,
            "kind": reading.kind.value,
            "delta": reading.delta,
            "raw": reading.raw,
            "job_order": None if job is None else job.job_order,
            "item": None if job is None else job.material,
            "run_s": None if job is None else job.run_s,
            "doubtful": reading.doubtful,
            "simulated": tx.cause.simulated,
            **_source(reading.source),
        },
    )


async def attribute_counts(tx: Tx, job_order: JobOrderId) -> int:
    """Give the job those counts without one that its intervals cover; return how many.

    A terminal that was offline tells late that a job had started.
    """
    return await tx.execute(
        """
        update mes.machine_count c set job_order = j.id, item = j.material, run_s = j.run_s
        from mes.equipment_actual a join mes.job_order j on j.id = a.job_order
        where a.job_order = %(job_order)s and c.equipment = a.equipment and c.job_order is null
          and c.at >= a.started_at and (a.ended_at is null or c.at < a.ended_at)
          and c.simulated = a.simulated
        """,
        {"job_order": job_order},
    )


async def doubtful_counts(tx: Tx) -> list[DoubtfulCount]:
    """Return the counts that wait for a decision, oldest first."""
    return await tx.fetch_all(
        DoubtfulCount,
        """
        select id, equipment, kind, delta, raw, at, job_order from mes.machine_count
        where doubtful and accepted is null order by id
        """,
    )


async def decide_count(tx: Tx, count: int, *, accepted: bool) -> DoubtfulCount | None:
    """Decide a waiting count; None when it does not wait."""
    return await tx.fetch_one(
        DoubtfulCount,
        """
        update mes.machine_count
        set accepted = %(accepted)s, decided_by = %(actor)s, decided_at = %(at)s
        where id = %(id)s and doubtful and accepted is null
        returning id, equipment, kind, delta, raw, at, job_order
        """,
        {"id": count, "accepted": accepted, "actor": tx.cause.actor, "at": tx.now},
    )


@dataclass(frozen=True, slots=True)
class _TimesRow:
    equipment: EquipmentId
    pot: Decimal
    pdot: Decimal
    apt: Decimal
    aust: Decimal
    adet: Decimal
    unknown: Decimal


@dataclass(frozen=True, slots=True)
class _OutputRow:
    equipment: EquipmentId
    item: MaterialId | None
    run_s: Decimal | None
    good: Decimal
    scrap: Decimal
    waiting: Decimal


async def elements(
    tx: Tx, planned: Sequence[PlannedTime], window: Stretch
) -> dict[EquipmentId, UnitElements]:
    """Return the elements of several units in one window, in two statements.

    Intervals are clipped to the window and to planned work; counts outside planned work are in no
    figure, because their time is not either.
    """
    params = _planned(planned, window)
    times = {row.equipment: row for row in await tx.fetch_all(_TimesRow, _TIMES_SQL, params)}
    outputs = await tx.fetch_all(_OutputRow, _OUTPUT_SQL, params)
    return {
        unit: _unit(row, [output for output in outputs if output.equipment == unit])
        for unit, row in times.items()
    }


_TIMES_SQL = """
with unit as (
    select equipment, work::tstzmultirange as work, rest::tstzmultirange as rest
    from unnest(%(units)s::text[], %(work)s::text[], %(rest)s::text[]) u (equipment, work, rest)
), state as (
    select s.equipment, k.kind,
           range_agg(tstzrange(greatest(s.started_at, %(starts_at)s::timestamptz),
                               least(s.ended_at, %(ends_at)s::timestamptz))) as ranges
    from mes.equipment_state s
    join unnest(%(states)s::text[], %(kinds)s::text[]) k (state, kind) on k.state = s.state
    where s.equipment = any(%(units)s::text[])
      and s.started_at < %(ends_at)s and coalesce(s.ended_at, 'infinity') > %(starts_at)s
    group by s.equipment, k.kind
), run as (
    select a.equipment, a.started_at,
           coalesce(lead(a.started_at) over (partition by a.job_order order by a.started_at),
                    case when j.completed_at is not null then greatest(j.completed_at, a.ended_at)
                         when j.status in ('Running', 'Held', 'Suspended') then 'infinity'
                         else a.ended_at end) as ended_at
    from mes.equipment_actual a
    join mes.job_order j on j.id = a.job_order
    where (j.completed_at is null or j.completed_at > %(starts_at)s)
      and exists (
        select from mes.equipment_actual here
        where here.job_order = a.job_order and here.equipment = any(%(units)s::text[])
          and here.started_at < %(ends_at)s)
), loaded as (
    select equipment,
           range_agg(tstzrange(greatest(started_at, %(starts_at)s::timestamptz),
                               least(ended_at, %(ends_at)s::timestamptz))) as ranges
    from run
    where started_at < %(ends_at)s and ended_at > %(starts_at)s
    group by equipment
), part as (
    select u.equipment, u.work, u.rest,
           coalesce(l.ranges, '{}') * u.work as busy,
           coalesce(p.ranges, '{}') as production,
           coalesce(s.ranges, '{}') as setup,
           coalesce(d.ranges, '{}') as delay
    from unit u
    left join loaded l on l.equipment = u.equipment
    left join state p on p.equipment = u.equipment and p.kind = 'production'
    left join state s on s.equipment = u.equipment and s.kind = 'setup'
    left join state d on d.equipment = u.equipment and d.kind = 'delay'
), cut as (
    select equipment, work + rest as planned, rest,
           busy * production as apt, busy * setup as aust, busy * delay as adet,
           work - (production + setup + delay) as unknown
    from part
)
select equipment,
       (select coalesce(sum(extract(epoch from upper(r) - lower(r))), 0) from unnest(planned) r) as pot,
       (select coalesce(sum(extract(epoch from upper(r) - lower(r))), 0) from unnest(rest) r) as pdot,
       (select coalesce(sum(extract(epoch from upper(r) - lower(r))), 0) from unnest(apt) r) as apt,
       (select coalesce(sum(extract(epoch from upper(r) - lower(r))), 0) from unnest(aust) r) as aust,
       (select coalesce(sum(extract(epoch from upper(r) - lower(r))), 0) from unnest(adet) r) as adet,
       (select coalesce(sum(extract(epoch from upper(r) - lower(r))), 0) from unnest(unknown) r) as unknown
from cut
"""

_OUTPUT_SQL = """
with unit as (
    select equipment, work::tstzmultirange as work
    from unnest(%(units)s::text[], %(work)s::text[]) u (equipment, work)
)
select c.equipment, c.item, c.run_s,
       coalesce(sum(c.delta) filter (where c.kind = 'good' and c.valid), 0) as good,
       coalesce(sum(c.delta) filter (where c.kind = 'scrap' and c.valid), 0) as scrap,
       coalesce(sum(c.delta) filter (where c.accepted is null and c.doubtful), 0) as waiting
from unit u
join lateral (
    select equipment, item, run_s, kind, delta, doubtful, accepted,
           not doubtful or coalesce(accepted, false) as valid
    from mes.machine_count
    where equipment = u.equipment and at >= %(starts_at)s and at < %(ends_at)s and at <@ u.work
) c on true
group by c.equipment, c.item, c.run_s
"""


def _planned(planned: Sequence[PlannedTime], window: Stretch) -> dict[str, object]:
    return {
        "units": [one.equipment for one in planned],
        "work": [_multirange(one.work) for one in planned],
        "rest": [_multirange(one.rest) for one in planned],
        "states": list(TIME_KINDS),
        "kinds": [kind.value for kind in TIME_KINDS.values()],
        "starts_at": window.starts_at,
        "ends_at": window.ends_at,
    }


def _multirange(stretches: Collection[Stretch]) -> str:
    inner = ",".join(f"[{one.starts_at.isoformat()},{one.ends_at.isoformat()})" for one in stretches)
    return "{" + inner + "}"


def _unit(times: _TimesRow, outputs: list[_OutputRow]) -> UnitElements:
    made = tuple(
        Output(pri=row.run_s, produced=row.good + row.scrap, good=row.good, scrap=row.scrap)
        for row in outputs
        if row.run_s is not None
    )
    lost = [row.good + row.scrap for row in outputs if row.run_s is None]
    return UnitElements(
        equipment=times.equipment,
        elements=Elements(
            Times(
                pot=times.pot,
                pdot=times.pdot,
                apt=times.apt,
                aust=times.aust,
                adet=times.adet,
                unknown=times.unknown,
            ),
            made,
        ),
        unattributed=sum(lost, Decimal(0)),
        waiting=sum((row.waiting for row in outputs), Decimal(0)),
    )


@dataclass(frozen=True, slots=True)
class ItemRow:
    """What was counted of one item in a window."""

    item: MaterialId
    run_s: Decimal
    good: Decimal
    scrap: Decimal


async def items(tx: Tx, planned: PlannedTime, window: Stretch) -> list[ItemRow]:
    """Return what a unit made in the window, by item and standard time."""
    rows = await tx.fetch_all(_OutputRow, _OUTPUT_SQL, _planned([planned], window))
    return [
        ItemRow(row.item, row.run_s, row.good, row.scrap)
        for row in rows
        if row.item is not None and row.run_s is not None
    ]


@dataclass(frozen=True, slots=True)
class _IntervalRow:
    id: UUID
    state: str
    reason: str | None
    starts_at: datetime
    ends_at: datetime
    seconds: Decimal
    edge: str | None
    epoch: UUID | None
    seq: int | None
    idx: int | None


async def interval_evidence(
    tx: Tx, equipment: EquipmentId, window: Stretch, limit: int
) -> tuple[IntervalEvidence, ...]:
    """Return the unit's intervals clipped to the window, oldest first; the latest `limit` of them."""
    rows = await tx.fetch_all(
        _IntervalRow,
        """
        select * from (
            select id, state, reason, greatest(started_at, %(starts_at)s::timestamptz) as starts_at,
                   least(ended_at, %(ends_at)s::timestamptz) as ends_at,
                   extract(epoch from least(ended_at, %(ends_at)s::timestamptz)
                                    - greatest(started_at, %(starts_at)s::timestamptz)) as seconds,
                   edge, epoch, seq, idx
            from mes.equipment_state
            where equipment = %(equipment)s and started_at < %(ends_at)s
              and coalesce(ended_at, 'infinity') > %(starts_at)s
            order by started_at desc limit %(limit)s
        ) latest order by starts_at
        """,
        {"equipment": equipment, "limit": limit, "starts_at": window.starts_at, "ends_at": window.ends_at},
    )
    return tuple(
        IntervalEvidence(
            id=row.id,
            state=row.state,
            kind=TIME_KINDS[row.state],
            reason=row.reason,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            seconds=row.seconds,
            source=_read_source(row.edge, row.epoch, row.seq, row.idx),
        )
        for row in rows
    )


@dataclass(frozen=True, slots=True)
class _CountRow:
    id: int
    kind: CountKind
    delta: Decimal
    raw: Decimal | None
    at: datetime
    job_order: JobOrderId | None
    item: MaterialId | None
    run_s: Decimal | None
    doubtful: bool
    accepted: bool | None
    edge: str | None
    epoch: UUID | None
    seq: int | None
    idx: int | None


async def count_evidence(
    tx: Tx, equipment: EquipmentId, window: Stretch, limit: int
) -> tuple[CountEvidence, ...]:
    """Return the unit's latest `limit` counts of the window, oldest first."""
    rows = await tx.fetch_all(
        _CountRow,
        """
        select * from (
            select id, kind, delta, raw, at, job_order, item, run_s, doubtful, accepted,
                   edge, epoch, seq, idx
            from mes.machine_count
            where equipment = %(equipment)s and at >= %(starts_at)s and at < %(ends_at)s
            order by at desc, id desc limit %(limit)s
        ) latest order by at, id
        """,
        {"equipment": equipment, "limit": limit, "starts_at": window.starts_at, "ends_at": window.ends_at},
    )
    return tuple(
        CountEvidence(
            id=row.id,
            kind=CountKind(row.kind),
            delta=row.delta,
            raw=row.raw,
            at=row.at,
            job_order=row.job_order,
            item=row.item,
            run_s=row.run_s,
            doubtful=row.doubtful,
            accepted=row.accepted,
            source=_read_source(row.edge, row.epoch, row.seq, row.idx),
        )
        for row in rows
    )


async def number_of_counts(tx: Tx, equipment: EquipmentId, window: Stretch) -> int:
    """Return how many counts the unit has in the window."""
    number: int = await tx.value(
        """
        select count(*) from mes.machine_count
        where equipment = %(equipment)s and at >= %(starts_at)s and at < %(ends_at)s
        """,
        {"equipment": equipment, "starts_at": window.starts_at, "ends_at": window.ends_at},
    )
    return number


@dataclass(frozen=True, slots=True)
class TileRow:
    """What a board tile shows beside the figures."""

    equipment: EquipmentId
    job_order: JobOrderId | None
    material: MaterialId | None
    good: Decimal
    scrap: Decimal


async def tiles(tx: Tx, window: Stretch) -> dict[EquipmentId, TileRow]:
    """Return the running job of every unit and all its valid counts in the window."""
    rows = await tx.fetch_all(
        TileRow,
        """
        select e.id as equipment, j.id as job_order, j.material,
               coalesce(c.good, 0) as good, coalesce(c.scrap, 0) as scrap
        from mes.equipment e
        left join mes.job_order j on j.equipment = e.id and j.status = 'Running' and not j.simulated
        left join lateral (
            select sum(delta) filter (where kind = 'good') as good,
                   sum(delta) filter (where kind = 'scrap') as scrap
            from mes.machine_count
            where equipment = e.id and at >= %(starts_at)s and at < %(ends_at)s
              and (not doubtful or coalesce(accepted, false))
        ) c on true
        where e.level = 'work_unit'
        """,
        {"starts_at": window.starts_at, "ends_at": window.ends_at},
    )
    return {row.equipment: row for row in rows}


async def finished(tx: Tx, window: Stretch) -> Decimal:
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
        select l.edge, 'tag_refused', r.key, r.value, null
        from mes.edge_link l, jsonb_each_text(coalesce(l.detail -> 'refused', '{}')) r
        union all
        select edge, 'quarantined', count(*)::text, min(error), min(received_at)
        from mes.edge_inbox where done_at is null and error is not null group by edge
        order by 1, 2, 3
        """,
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


def _source(source: Source | None) -> dict[str, object]:
    if source is None:
        return {"edge": None, "epoch": None, "seq": None, "idx": None}
    return {"edge": source.edge, "epoch": source.epoch, "seq": source.seq, "idx": source.index}


def _read_source(edge: str | None, epoch: UUID | None, seq: int | None, index: int | None) -> Source | None:
    if edge is None or epoch is None or seq is None or index is None:
        return None
    return Source(edge, epoch, seq, index)
