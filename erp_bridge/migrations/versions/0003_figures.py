"""The link to the ERP in figures: one function for every page and command that shows them."""

from alembic import op

revision = "erp_0003"
down_revision = "erp_0002"

SQL = """
create function erp.figures(adapter text, with_money boolean) returns table (
    name text, reachable boolean, detail text, checked_at timestamptz, latency_ms double precision,
    documents_posted bigint, documents_open bigint, outbox_lag_s double precision,
    lag_p50_s double precision, lag_p95_s double precision, open_lanes bigint, dead_letters bigint,
    refused_records bigint, books_agree boolean, quantity_difference numeric, value_difference numeric,
    value_waiting numeric, events_compared int, events_waiting int, events_late int, compared_at timestamptz
) language sql stable as $$
    with seen as (
        select l.*, (l.comparison ->> 'quantity_difference')::numeric as quantity,
               (l.comparison ->> 'value_difference')::numeric as value,
               (l.comparison ->> 'value_waiting')::numeric as waiting
        from (values (adapter)) as wanted (erp) left join erp.link l using (erp)
    ), queue as (
        select count(*) filter (where d.state = 'applied') as posted,
               count(*) filter (where d.state in ('pending', 'sending', 'retry')) as open,
               coalesce(extract(epoch from clock_timestamp() - min(d.recorded_at)
                   filter (where d.state in ('pending', 'sending', 'retry')))::float8, 0) as oldest_s,
               percentile_cont(0.5) within group (order by extract(epoch from d.applied_at - d.recorded_at))
                   filter (where d.applied_at > now() - interval '15 minutes') as p50,
               percentile_cont(0.95) within group (order by extract(epoch from d.applied_at - d.recorded_at))
                   filter (where d.applied_at > now() - interval '15 minutes') as p95,
               count(distinct d.lane) filter (where d.state in ('pending', 'sending', 'retry', 'dead'))
                   as lanes,
               count(*) filter (where d.state = 'dead') as dead
        from erp.document d
    )
    select coalesce(nullif(seen.name, ''), adapter), coalesce(seen.reachable, false),
           coalesce(seen.detail, ''), seen.at, coalesce(seen.latency_ms, 0),
           queue.posted, queue.open, round(queue.oldest_s::numeric, 3)::float8, queue.p50, queue.p95,
           queue.lanes, queue.dead, (select count(*) from erp.inbox i where i.code is not null),
           seen.quantity = 0 and seen.value = 0, seen.quantity,
           case when with_money or seen.value = 0 then seen.value end,
           case when with_money or seen.waiting = 0 then seen.waiting end,
           coalesce((seen.comparison ->> 'judged')::int, 0),
           coalesce((seen.comparison ->> 'waiting')::int, 0),
           coalesce((seen.comparison ->> 'late')::int, 0), (seen.comparison ->> 'at')::timestamptz
    from seen cross join queue
$$;
comment on function erp.figures is
    'One row, also before the ERP was ever seen; an amount that is not zero is for those who may see costs.';
"""


def upgrade() -> None:
    op.execute(SQL)
