"""A record that the plant refused can be left out: this version of it, with who said so and why."""

from mes.migrations.live import alter

revision = "erp_0010"
down_revision = "erp_0009"

LEFT_OUT = (
    """
    alter table erp.inbox
        add if not exists left_out_at timestamptz,
        add if not exists left_out_by text,
        add if not exists left_out_reason text
    """,
    """
    comment on column erp.inbox.left_out_at is
        'The plant does without this version of the record; another version of it is tried again.'
    """,
)

FIGURES = """
create or replace function erp.figures(adapter text, with_money boolean) returns table (
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
        select count(*) filter (where d.state <> 'dead') as open,
               coalesce(extract(epoch from clock_timestamp() - min(d.recorded_at)
                   filter (where d.state <> 'dead'))::float8, 0) as oldest_s,
               count(distinct d.lane) as lanes,
               count(*) filter (where d.state = 'dead') as dead
        from erp.document d where d.state in ('pending', 'sending', 'retry', 'dead')
    ), recent as (
        select percentile_cont(0.5) within group (order by extract(epoch from d.applied_at - d.recorded_at))
                   as p50,
               percentile_cont(0.95) within group (order by extract(epoch from d.applied_at - d.recorded_at))
                   as p95
        from erp.document d where d.applied_at > now() - interval '15 minutes'
    )
    select coalesce(nullif(seen.name, ''), adapter), coalesce(seen.reachable, false),
           coalesce(seen.detail, ''), seen.at, coalesce(seen.latency_ms, 0),
           coalesce((select sum(k.posted)::bigint from erp.kept_figures k), 0),
           queue.open, round(queue.oldest_s::numeric, 3)::float8, recent.p50, recent.p95,
           queue.lanes, queue.dead, (select count(*) from erp.inbox i
                                       where i.code is not null and i.left_out_at is null),
           seen.quantity = 0 and seen.value = 0, seen.quantity,
           case when with_money or seen.value = 0 then seen.value end,
           case when with_money or seen.waiting = 0 then seen.waiting end,
           coalesce((seen.comparison ->> 'judged')::int, 0),
           coalesce((seen.comparison ->> 'waiting')::int, 0),
           coalesce((seen.comparison ->> 'late')::int, 0), (seen.comparison ->> 'at')::timestamptz
    from seen cross join queue cross join recent
$$
"""


def upgrade() -> None:
    alter((*LEFT_OUT, FIGURES))
