# ruff: noqa: S608 - only texts of our own are put together
"""The elements of the figures, from the facts themselves: intervals, counts, jobs, planned time."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from mes.kernel.db import Tx
from mes.performance.model import TIME_KINDS, Made, PlannedTime, Spent, Window

_PARTS = """
with part as materialized (
    select n, equipment, starts_at, ends_at, work::tstzmultirange as work, rest::tstzmultirange as rest
    from unnest(%(units)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
                %(work)s::text[], %(rest)s::text[])
         with ordinality u (equipment, starts_at, ends_at, work, rest, n)
)
"""

TIMES: Final = (
    _PARTS
    + """
, state as (
    select p.n,
           range_agg(s.range) filter (where k.kind = 'production') as production,
           range_agg(s.range) filter (where k.kind = 'setup') as setup,
           range_agg(s.range) filter (where k.kind = 'delay') as delay
    from part p cross join lateral (
        select state, tstzrange(greatest(started_at, p.starts_at), least(ended_at, p.ends_at)) as range
        from mes.equipment_state
        where equipment = p.equipment and started_at < p.ends_at
          and started_at >= coalesce(
              (select max(before.started_at) from mes.equipment_state before
               where before.equipment = p.equipment and before.started_at <= p.starts_at), '-infinity')
          and coalesce(ended_at, 'infinity') > p.starts_at
    ) s
    join unnest(%(states)s::text[], %(kinds)s::text[]) k (state, kind) on k.state = s.state
    group by p.n
), loaded as (
    select p.n, range_agg(tstzrange(greatest(l.started_at, p.starts_at), least(l.ended_at, p.ends_at)))
           as range
    from part p
    join mes.equipment_load l
      on l.equipment = p.equipment and l.ended_at > p.starts_at and l.started_at < p.ends_at
    group by p.n
), laid as (
    select p.equipment, p.starts_at, p.ends_at, p.work, p.rest, coalesce(l.range, '{}') * p.work as busy,
           coalesce(s.production, '{}') as production, coalesce(s.setup, '{}') as setup,
           coalesce(s.delay, '{}') as delay
    from part p left join loaded l using (n) left join state s using (n)
)
select equipment, starts_at, ends_at,
       mes.microseconds(work + rest) as pot,
       mes.microseconds(rest) as pdot,
       mes.microseconds(busy * production) as apt,
       mes.microseconds(busy * setup) as aust,
       mes.microseconds(busy * delay) as adet,
       mes.microseconds(work - (production + setup + delay)) as unknown
from laid
"""
)
"""One row for each part, in microseconds. Intervals are clipped to the part and to planned work.

A unit's intervals do not overlap, so those of a part are the last that began before it and those that
began within it; this reads no history.
"""

OUTPUT: Final = (
    _PARTS
    + """
select p.equipment, p.starts_at, p.ends_at, c.item, c.run_s,
       coalesce(sum(c.delta) filter (where c.kind = 'good' and c.valid), 0) as good,
       coalesce(sum(c.delta) filter (where c.kind = 'scrap' and c.valid), 0) as scrap,
       coalesce(sum(c.delta) filter (where c.accepted is null and c.doubtful), 0) as waiting,
       coalesce(sum(c.delta) filter (where c.kind = 'reported'), 0) as reported
from part p
join lateral (
    select item, run_s, kind, delta, doubtful, accepted, not doubtful or coalesce(accepted, false) as valid
    from mes.machine_count
    where equipment = p.equipment and at >= p.starts_at and at < p.ends_at and at <@ p.work
    union all
    select j.material, j.run_s, 'reported', r.scrap, false, null, true
    from mes.report r join mes.job_order j on j.id = r.job_order
    where r.equipment = p.equipment and r.at >= p.starts_at and r.at < p.ends_at
      and r.scrap > 0 and not r.scrap_counted
      and not exists (select from mes.report undone where undone.reverses = r.id)
) c on true
group by p.n, p.equipment, p.starts_at, p.ends_at, c.item, c.run_s
"""
)
"""Rows for each part, item and standard time.

Counts outside planned work are in no figure, because their time is not either. Scrap that people report is
among what the machine has counted: it is taken where the machine does not count scrap itself, unless it was
undone, and it may be told in a break.
"""


async def times(tx: Tx, parts: Sequence[PlannedTime]) -> list[Spent]:
    """Return the time elements of each part."""
    return await tx.fetch_all(
        Spent,
        "select equipment, pot, pdot, apt, aust, adet, unknown from (" + TIMES + ") found",
        params_of(parts),
    )


async def outputs(tx: Tx, parts: Sequence[PlannedTime]) -> list[Made]:
    """Return what was counted in each part."""
    return await tx.fetch_all(
        Made,
        "select equipment, item, run_s, good, scrap, waiting, reported from (" + OUTPUT + ") found",
        params_of(parts),
    )


def params_of(parts: Sequence[PlannedTime]) -> Mapping[str, object]:
    """Return the parameters of `TIMES` and `OUTPUT`."""
    texts: dict[int, str] = {}
    for part in parts:
        for stretches in (part.work, part.rest):
            if id(stretches) not in texts:
                texts[id(stretches)] = _multirange(stretches)
    return {
        "units": [part.equipment for part in parts],
        "starts": [part.window.starts_at for part in parts],
        "ends": [part.window.ends_at for part in parts],
        "work": [texts[id(part.work)] for part in parts],
        "rest": [texts[id(part.rest)] for part in parts],
        "states": list(TIME_KINDS),
        "kinds": [kind.value for kind in TIME_KINDS.values()],
    }


def _multirange(stretches: Collection[Window]) -> str:
    inner = ",".join(f"[{one.starts_at.isoformat()},{one.ends_at.isoformat()})" for one in stretches)
    return "{" + inner + "}"
