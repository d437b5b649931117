# ruff: noqa: S608 - only texts of our own are put together
"""The sums of a unit's hours and days: which of them hold, which are owed, and how one is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from mes.kernel.db import Tx
from mes.kernel.ids import EquipmentId, MaterialId
from mes.performance.model import Made, PlannedTime, Spent, Window
from mes.performance.store.elements import OUTPUT, TIMES, params_of

SPANS = (1, 24)
"""Hours that a sum is of."""
MIDNIGHT = datetime(2000, 1, 1, tzinfo=UTC)
"""Hours and days begin whole spans from here."""


@dataclass(frozen=True, slots=True)
class Summed:
    """What those sums of one unit that hold add up to, and which stretches they are of.

    Args:
        covered: In order, none touching the next.
    """

    spent: Spent
    made: tuple[Made, ...]
    covered: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    equipment: EquipmentId
    pot: int
    pdot: int
    apt: int
    aust: int
    adet: int
    unknown: int
    starts: list[datetime]
    ends: list[datetime]
    counted: bool
    item: MaterialId | None
    run_s: Decimal | None
    good: Decimal | None
    scrap: Decimal | None
    waiting: Decimal | None
    reported: Decimal | None


async def summed(
    tx: Tx, definition: int, units: Sequence[EquipmentId], hours: Window, days: Window
) -> Mapping[EquipmentId, Summed]:
    """Return what sums say, in one statement; a unit without a sum that holds is left out.

    A sum holds when it follows this definition, is not owed and no visible mark touches it: a mark is visible
    together with the change that it tells of. Hours are read where no day holds.

    Args:
        definition: What the elements mean now.
        hours: The whole hours of a window.
        days: The whole days among them; empty where there are none, within `hours`.
    """
    params = {
        "site": tx.site,
        "definition": definition,
        "units": list(units),
        "starts_at": hours.starts_at,
        "first_day": days.starts_at,
        "last_day": days.ends_at,
        "ends_at": hours.ends_at,
    }
    rows: dict[EquipmentId, list[_Row]] = {}
    for row in await tx.fetch_all(_Row, _SUMMED, params):
        rows.setdefault(row.equipment, []).append(row)
    return {unit: _summed(unit, found) for unit, found in rows.items()}


_SUMMED = """
with stale as materialized (
    select equipment, range_agg(tstzrange(starts_at, ends_at)) as ranges
    from mes.equipment_sum_mark
    where equipment = any(%(units)s::text[]) and starts_at < %(ends_at)s and ends_at > %(starts_at)s
    group by equipment
), valid as not materialized (
    select s.* from mes.equipment_sum s left join stale on stale.equipment = s.equipment
    where s.owed_since is null
      and exists (select from mes.equipment_sum_definition
                  where site = %(site)s and definition = %(definition)s)
      and (stale.ranges is null
           or not stale.ranges && tstzrange(s.starts_at, s.starts_at + make_interval(hours => s.hours)))
), day as materialized (
    select * from valid
    where equipment = any(%(units)s::text[]) and hours = 24
      and starts_at >= %(first_day)s and starts_at < %(last_day)s
), picked as materialized (
    select * from day
    union all
    select * from valid
    where equipment = any(%(units)s::text[]) and hours = 1
      and starts_at >= %(starts_at)s and starts_at < %(first_day)s
    union all
    select * from valid
    where equipment = any(%(units)s::text[]) and hours = 1
      and starts_at >= %(last_day)s and starts_at < %(ends_at)s
    union all
    select v.*
    from unnest(%(units)s::text[]) unit
    cross join generate_series(%(first_day)s, %(last_day)s::timestamptz - interval '24 hours',
                               interval '24 hours') midnight
    cross join lateral (
        select * from valid
        where equipment = unit and hours = 1
          and starts_at >= midnight and starts_at < midnight + interval '24 hours'
        offset 0  -- days that do not hold are few: by index, one by one
    ) v
    where not exists (select from day d where d.equipment = unit and d.starts_at = midnight)
), spent as (
    select equipment, sum(pot)::bigint as pot, sum(pdot)::bigint as pdot, sum(apt)::bigint as apt,
           sum(aust)::bigint as aust, sum(adet)::bigint as adet, sum(unknown)::bigint as unknown
    from picked group by equipment
), covered as (
    select equipment, array_agg(lower(r) order by r) as starts, array_agg(upper(r) order by r) as ends
    from (select equipment, unnest(range_agg(
              tstzrange(starts_at, starts_at + make_interval(hours => hours)))) as r
          from picked group by equipment) found
    group by equipment
), made as (
    select equipment, item, run_s, sum(good) as good, sum(scrap) as scrap, sum(waiting) as waiting,
           sum(reported) as reported
    from (select equipment, unnest(items) as item, unnest(runs_s) as run_s, unnest(good) as good,
                 unnest(scrap) as scrap, unnest(waiting) as waiting, unnest(reported) as reported
          from picked) o
    group by equipment, item, run_s
)
select s.equipment, s.pot, s.pdot, s.apt, s.aust, s.adet, s.unknown, c.starts, c.ends,
       m.equipment is not null as counted, m.item, m.run_s, m.good, m.scrap, m.waiting, m.reported
from spent s join covered c using (equipment) left join made m using (equipment)
"""


def _summed(unit: EquipmentId, rows: list[_Row]) -> Summed:
    any_of_them = rows[0]
    return Summed(
        spent=Spent(
            unit,
            any_of_them.pot,
            any_of_them.pdot,
            any_of_them.apt,
            any_of_them.aust,
            any_of_them.adet,
            any_of_them.unknown,
        ),
        made=tuple(
            Made(
                unit,
                row.item,
                row.run_s,
                row.good or Decimal(0),
                row.scrap or Decimal(0),
                row.waiting or Decimal(0),
                row.reported or Decimal(0),
            )
            for row in rows
            if row.counted
        ),
        covered=tuple(
            Window(starts_at=start, ends_at=end)
            for start, end in zip(any_of_them.starts, any_of_them.ends, strict=True)
        ),
    )


async def alone(tx: Tx) -> None:
    """Wait until nobody else sums hours, and keep it so until the transaction ends.

    A statement after this one sees whatever the one before has committed.
    """
    await tx.execute("select pg_advisory_xact_lock(hashtextextended('mes.equipment_sum', 0))")


async def owe_other(tx: Tx, definition: int) -> None:
    """Note the definition that sums follow from now on; where it was another one, all of them are owed."""
    await tx.execute(
        """
        with changed as (
            insert into mes.equipment_sum_definition as known (site, scope, definition, since)
            values (%(site)s, '', %(definition)s, %(now)s)
            on conflict (site) do update set definition = excluded.definition, since = excluded.since
            where known.definition <> excluded.definition
            returning site
        )
        update mes.equipment_sum s set owed_since = %(now)s from changed where s.site = changed.site
        """,
        {"site": tx.site, "definition": definition, "now": tx.now},
    )


async def owe_marked(tx: Tx, earliest: datetime) -> None:
    """Take away the visible marks; the hours and days that they touch are owed from now on.

    These are the ones that are over, and all that are known: the clock may have been set back, or they are
    older than what becomes known. A mark of for ever (a calendar changed) touches those that are known.

    Args:
        earliest: Nothing before it becomes known, but for what lies between known ones.
    """
    await tx.execute(
        """
        with taken as (
            delete from mes.equipment_sum_mark returning equipment, starts_at, ends_at
        ), touched as (
            select equipment, unnest(range_agg(tstzrange(starts_at, ends_at))) as range
            from taken group by equipment
        )
        insert into mes.equipment_sum (equipment, hours, starts_at, site, scope, owed_since)
        select distinct u.id, span.hours, begins, u.site, u.scope, %(now)s::timestamptz
        from touched t join mes.equipment u on u.id = t.equipment
        cross join (select h as hours, make_interval(hours => h) as length
                    from unnest(%(spans)s::int[]) h) span
        cross join lateral (
            select min(starts_at) as first, max(starts_at) as last from mes.equipment_sum
            where equipment = u.id and hours = span.hours
        ) known
        cross join lateral generate_series(
            date_bin(span.length, case when lower(t.range) = '-infinity' then known.first
                                  else greatest(lower(t.range), least(%(earliest)s, known.first)) end,
                     %(midnight)s),
            least(upper(t.range) - interval '1 microsecond',
                  greatest(date_bin(span.length, %(now)s, %(midnight)s) - span.length, known.last)),
            span.length) begins
        on conflict (equipment, hours, starts_at) do update set owed_since = excluded.owed_since
        """,
        {"now": tx.now, "earliest": earliest, "spans": list(SPANS), "midnight": MIDNIGHT},
    )


async def owe_new(tx: Tx, earliest: datetime) -> None:
    """Know the hours and days that are over since, from a unit's first fact on; they are owed.

    Args:
        earliest: Nothing before it becomes known.
    """
    await tx.execute(
        """
        insert into mes.equipment_sum (equipment, hours, starts_at, site, scope, owed_since)
        select u.id, span.hours, begins, u.site, u.scope, begins + span.length
        from mes.equipment u
        cross join lateral (
            select least((select min(started_at) from mes.equipment_state where equipment = u.id),
                         (select min(at) from mes.machine_count where equipment = u.id),
                         (select min(started_at) from mes.equipment_actual where equipment = u.id)) as at
        ) fact
        cross join (select h as hours, make_interval(hours => h) as length
                    from unnest(%(spans)s::int[]) h) span
        cross join lateral (
            select coalesce(
                (select max(starts_at) + span.length from mes.equipment_sum
                 where equipment = u.id and hours = span.hours),
                case when fact.at is not null then greatest(fact.at, %(earliest)s) end) as at
        ) next
        cross join lateral generate_series(
            date_bin(span.length, next.at, %(midnight)s),
            date_bin(span.length, %(now)s, %(midnight)s) - span.length,
            span.length) begins
        where u.level = 'work_unit' and u.site = %(site)s
        on conflict (equipment, hours, starts_at) do nothing
        """,
        {
            "now": tx.now,
            "earliest": earliest,
            "spans": list(SPANS),
            "midnight": MIDNIGHT,
            "site": tx.site,
        },
    )


@dataclass(frozen=True, slots=True)
class Owed:
    """An hour or a day of a unit that is to be summed, and the unit's calendar."""

    equipment: EquipmentId
    starts_at: datetime
    ends_at: datetime
    calendar: str | None


async def owed(tx: Tx, quiet: timedelta, limit: int) -> list[Owed]:
    """Return what nothing has touched for `quiet`, the latest first."""
    return await tx.fetch_all(
        Owed,
        """
        select s.equipment, s.starts_at, s.starts_at + make_interval(hours => s.hours) as ends_at, e.calendar
        from mes.equipment_sum s join mes.equipment e on e.id = s.equipment
        where s.owed_since <= %(until)s and s.site = %(site)s
        order by s.starts_at desc, s.hours, s.equipment limit %(limit)s
        """,
        {"until": tx.now - quiet, "site": tx.site, "limit": limit},
    )


async def fill(tx: Tx, parts: Sequence[PlannedTime]) -> None:
    """Sum the hours and days that the parts are."""
    await tx.execute(_FILL, params_of(parts))


_FILL = (
    """
    update mes.equipment_sum s
    set owed_since = null, pot = t.pot, pdot = t.pdot, apt = t.apt, aust = t.aust, adet = t.adet,
        unknown = t.unknown, items = coalesce(o.items, '{}'), runs_s = coalesce(o.runs_s, '{}'),
        good = coalesce(o.good, '{}'), scrap = coalesce(o.scrap, '{}'), waiting = coalesce(o.waiting, '{}'),
        reported = coalesce(o.reported, '{}')
    from ("""
    + TIMES
    + """) t
    left join (
        select equipment, starts_at, ends_at, array_agg(item) as items, array_agg(run_s) as runs_s,
               array_agg(good) as good, array_agg(scrap) as scrap, array_agg(waiting) as waiting,
               array_agg(reported) as reported
        from ("""
    + OUTPUT
    + """) made group by equipment, starts_at, ends_at
    ) o on o.equipment = t.equipment and o.starts_at = t.starts_at and o.ends_at = t.ends_at
    where s.equipment = t.equipment and s.starts_at = t.starts_at
      and s.hours = (extract(epoch from t.ends_at - t.starts_at) / 3600)::smallint
    """
)
