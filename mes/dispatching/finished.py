"""What the newest finished job orders took, against their standard: the pace and the yield of a work centre.

Times are those that are booked of a job order (`mes.dispatching.busy`), stops and small waits in it included,
against the planned run time of all that was made (ISO 22400: PRI x PQ) and the standard of its set-up.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from mes.dispatching import store
from mes.dispatching.busy import worked
from mes.dispatching.model import PlanFinished
from mes.dispatching.store import FinishedJob
from mes.kernel.db import Tx
from mes.kernel.ids import JobOrderId
from mes.resources import service as resources
from mes.resources.model import AS_ROUTED, SetupRule

REACH = timedelta(days=90)
"""What was finished longer ago says little of the floor of today."""
NEWEST = 100
"""Job orders of a work centre: their mean is known to a tenth of their spread."""

Rules = Mapping[tuple[str, str], Mapping[str | None, int]]
"""(Work centre, family) -> family before, None for any other -> seconds of set-up."""


async def finished_jobs(tx: Tx, at: datetime) -> tuple[PlanFinished, ...]:
    """Return what the newest finished job orders of each work centre took; history left out."""
    jobs = await store.finished_jobs(tx, at - REACH, NEWEST)
    busy = await _busy(tx, [job.id for job in jobs if job.alone])
    rules = rules_of(await resources.setups(tx))
    return tuple(
        PlanFinished(
            job_order=job.id,
            work_center=job.work_center,
            planned_s=_run_s(job) * (job.good + job.scrap) + standard_setup_s(rules, job),
            busy_s=busy.get(job.id),
            good=job.good,
            scrap=job.scrap,
        )
        for job in jobs
    )


def _run_s(job: FinishedJob) -> Decimal:
    """Seconds of a piece on its unit: a slow machine that keeps its own time is no slow floor."""
    return job.run_s * job.time_percent / AS_ROUTED


async def _busy(tx: Tx, jobs: list[JobOrderId]) -> dict[JobOrderId, Decimal]:
    """Return the seconds that units worked on job orders."""
    found: dict[JobOrderId, Decimal] = defaultdict(Decimal)
    stays = await store.stays(tx, jobs)
    for one, lasted in zip(stays, await worked(tx, stays), strict=True):
        found[one.job_order] += Decimal(str(lasted.total_seconds()))
    return dict(found)


def rules_of(setups: Iterable[SetupRule]) -> Rules:
    """Return the set-up rules by what they change to."""
    found: dict[tuple[str, str], dict[str | None, int]] = defaultdict(dict)
    for rule in setups:
        if rule.to_family is not None:
            found[rule.work_center, rule.to_family][rule.from_family] = rule.seconds
    return found


def standard_setup_s(rules: Rules, job: FinishedJob) -> Decimal:
    """The standard of the set-up before a job: the work master's where no rule names the family."""
    if job.family is None or job.family == job.family_before:
        return Decimal(0)
    known = rules.get((job.work_center, job.family))
    if known is None:
        return job.setup_s
    return Decimal(known.get(job.family_before, known.get(None, 0)))
