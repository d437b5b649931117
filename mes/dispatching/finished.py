"""What the newest finished job orders took, against their standard: the pace and the yield of a work centre.

Times are those of ISO 22400: the actual unit busy time (AUBT) of a job order, stops and small waits in it
(ADET) included, planned breaks (PDOT) and the time between shifts left out, for a plan has no work there;
against the planned run time of all that was made (PRI x PQ) and the standard of its set-up.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from mes.dispatching import store
from mes.dispatching.model import PlanFinished
from mes.dispatching.store import BusyInterval, FinishedJob
from mes.kernel.db import Tx
from mes.kernel.ids import JobOrderId
from mes.resources import service as resources
from mes.resources.calendar import SiteCalendars, Span
from mes.resources.model import SetupRule

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
            planned_s=job.run_s * (job.good + job.scrap) + standard_setup_s(rules, job),
            busy_s=busy.get(job.id),
            good=job.good,
            scrap=job.scrap,
        )
        for job in jobs
    )


async def _busy(tx: Tx, jobs: list[JobOrderId]) -> dict[JobOrderId, Decimal]:
    """Return the seconds that units worked on job orders."""
    calendars = await resources.site_calendars(tx)
    labour: dict[JobOrderId, list[Span]] = defaultdict(list)
    for row in await store.labour(tx, jobs):
        labour[row.job_order].append((row.started_at, row.ended_at))
    found: dict[JobOrderId, Decimal] = defaultdict(Decimal)
    for one in await store.busy_intervals(tx, jobs):
        lasted = worked(calendars, one, labour[one.job_order])
        found[one.job_order] += Decimal(str(lasted.total_seconds()))
    return dict(found)


def worked(calendars: SiteCalendars, one: BusyInterval, labour: Sequence[Span]) -> timedelta:
    """Return how much of an interval its unit worked, by the unit's calendar.

    A job stays at its unit when people go home, so what is in no shift counts only as far as somebody was on
    the job then (overtime). A break that lies wholly in the interval is left out; in one in which it began or
    ended there was work. An interval without any working time (a day off, a break) is work throughout:
    somebody worked it. So is one of a unit without a calendar.

    Args:
        labour: When anybody was on the job; these do not overlap.
    """
    begin, end = one.started_at, one.ended_at
    lasted = end - begin
    if lasted < resources.SHORTEST_BREAK:
        return lasted
    if not any(window.kind == "work" for window in calendars.windows(one.calendar, begin, end)):
        return lasted
    idle = calendars.rest(one.calendar, begin, end)
    for span in calendars.closed(one.calendar, begin, end):
        idle += span[1] - span[0] - sum((_common(span, work) for work in labour), timedelta(0))
    return lasted - idle


def _common(one: Span, other: Span) -> timedelta:
    return max(timedelta(0), min(one[1], other[1]) - max(one[0], other[0]))


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
