"""Rollups of one minute and one hour: which are out of date, and how they are made again."""

from __future__ import annotations

from typing import LiteralString

GRACE_S = 40
"""A minute is rolled up so long after its end: longer than a statement of ingest may take."""
DIRTY: LiteralString = """
insert into historian.rollup_dirty (minutes, tag_id, bucket)
select 1, tag, to_timestamp(minute * 60.0) from unnest(%s::int[], %s::bigint[]) u(tag, minute)
on conflict (minutes, tag_id, bucket) do update set minutes = excluded.minutes
"""
ROLL_UP_MINUTES: LiteralString = """
with claimed as (
    delete from historian.rollup_dirty d using (
        select minutes, tag_id, bucket from historian.rollup_dirty
        where minutes = %(minutes)s
          and bucket < date_trunc('minute', now() - make_interval(secs => %(grace)s))
        order by bucket, tag_id limit %(limit)s for update skip locked
    ) due where (d.minutes, d.tag_id, d.bucket) = (due.minutes, due.tag_id, due.bucket)
    returning d.tag_id, d.bucket
), hours as (
    insert into historian.rollup_dirty (minutes, tag_id, bucket)
    select distinct 60, tag_id, date_trunc('hour', bucket, 'UTC') from claimed
    on conflict (minutes, tag_id, bucket) do update set minutes = excluded.minutes
)
insert into historian.rollup_1m (tag_id, bucket, n, n_good, sum, min, max, first, last, twa)
select c.tag_id, c.bucket, r.n, r.n_good, r.sum, r.min, r.max, r.first, r.last, r.twa
from claimed c cross join lateral (
    select count(*) as n, count(*) filter (where good) as n_good,
           sum(value) filter (where good) as sum, min(value) filter (where good) as min,
           max(value) filter (where good) as max,
           (array_agg(value order by time) filter (where good))[1] as first,
           (array_agg(value order by time desc) filter (where good))[1] as last,
           sum(value * held) filter (where good) / nullif(sum(held) filter (where good), 0) as twa
    from (
        select time, value, quality = 192 and value is not null as good,
               extract(epoch from lead(time, 1, c.bucket + interval '1 minute') over (order by time) - time)
                   as held
        from historian.sample s
        where s.tag_id = c.tag_id and s.time >= c.bucket and s.time < c.bucket + interval '1 minute'
    ) one
) r
where r.n > 0
on conflict (tag_id, bucket) do update set n = excluded.n, n_good = excluded.n_good, sum = excluded.sum,
    min = excluded.min, max = excluded.max, first = excluded.first, last = excluded.last, twa = excluded.twa
"""
ROLL_UP_HOURS: LiteralString = """
with claimed as (
    delete from historian.rollup_dirty d using (
        select minutes, tag_id, bucket from historian.rollup_dirty
        where minutes = %(minutes)s and bucket < now()
        order by bucket, tag_id limit %(limit)s for update skip locked
    ) due where (d.minutes, d.tag_id, d.bucket) = (due.minutes, due.tag_id, due.bucket)
    returning d.tag_id, d.bucket
)
insert into historian.rollup_1h (tag_id, bucket, n, n_good, sum, min, max, first, last, twa)
select c.tag_id, c.bucket, r.n, r.n_good, r.sum, r.min, r.max, r.first, r.last, r.twa
from claimed c cross join lateral (
    select sum(n) as n, sum(n_good) as n_good, sum(sum) as sum, min(min) as min, max(max) as max,
           (array_agg(first order by bucket) filter (where n_good > 0))[1] as first,
           (array_agg(last order by bucket desc) filter (where n_good > 0))[1] as last,
           avg(twa) as twa
    from historian.rollup_1m m
    where m.tag_id = c.tag_id and m.bucket >= c.bucket and m.bucket < c.bucket + interval '1 hour'
) r
where r.n > 0
on conflict (tag_id, bucket) do update set n = excluded.n, n_good = excluded.n_good, sum = excluded.sum,
    min = excluded.min, max = excluded.max, first = excluded.first, last = excluded.last, twa = excluded.twa
"""
