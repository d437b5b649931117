"""The intervals, counts and reports that the figures of a unit are made of, each with where it is from."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, JobOrderId, MaterialId
from mes.performance.model import (
    TIME_KINDS,
    CountEvidence,
    CountKind,
    IntervalEvidence,
    ScrapEvidence,
    Window,
)
from mes.performance.store.sources import read_source


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
    tx: Tx, equipment: EquipmentId, window: Window, limit: int
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
            source=read_source(row.edge, row.epoch, row.seq, row.idx),
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
    tx: Tx, equipment: EquipmentId, window: Window, limit: int
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
            source=read_source(row.edge, row.epoch, row.seq, row.idx),
        )
        for row in rows
    )


async def number_of_counts(tx: Tx, equipment: EquipmentId, window: Window) -> int:
    """Return how many counts the unit has in the window."""
    number: int = await tx.value(
        """
        select count(*) from mes.machine_count
        where equipment = %(equipment)s and at >= %(starts_at)s and at < %(ends_at)s
        """,
        {"equipment": equipment, "starts_at": window.starts_at, "ends_at": window.ends_at},
    )
    return number


async def scrap_evidence(
    tx: Tx, equipment: EquipmentId, window: Window, limit: int
) -> tuple[ScrapEvidence, ...]:
    """Return the latest `limit` reports of scrap at the unit in the window, oldest first."""
    rows = await tx.fetch_all(
        ScrapEvidence,
        """
        select * from (
            select r.id as report, r.at, r.scrap as quantity, r.reason, r.job_order, j.material as item,
                   not coalesce(r.scrap_counted, true) as in_figure
            from mes.report r join mes.job_order j on j.id = r.job_order
            where r.equipment = %(equipment)s and r.at >= %(starts_at)s and r.at < %(ends_at)s
              and r.scrap > 0 and not exists (select from mes.report undone where undone.reverses = r.id)
            order by r.at desc limit %(limit)s
        ) latest order by at
        """,
        {"equipment": equipment, "limit": limit, "starts_at": window.starts_at, "ends_at": window.ends_at},
    )
    return tuple(rows)
