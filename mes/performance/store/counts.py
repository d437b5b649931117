"""Counts of machines: the job that each belongs to, and what a person decided of the doubtful."""

from datetime import datetime

from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, JobOrderId
from mes.performance.model import CountReading, DoubtfulCount, RunningJob
from mes.performance.store.sources import source_columns

GRACE_S = 60
"""A piece that leaves a unit so many seconds after its job was completed still belongs to the job."""


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
            **source_columns(reading.source),
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
