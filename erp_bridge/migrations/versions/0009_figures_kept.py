"""Figures that are kept instead of counted anew: their price does not grow with the ledger."""

from mes.migrations.live import alter, fill

revision = "erp_0009"
down_revision = "erp_0008"

KEPT = (
    """
    create table if not exists erp.kept_figures (
        site      text primary key,
        scope     text not null default '',
        posted    bigint not null default 0,
        agreed    bigint not null default 0
    )
    """,
    "comment on table erp.kept_figures is 'Documents that were booked and events that both books agree on.'",
    """
    create or replace function erp.keep_posted() returns trigger language plpgsql as $$
    begin
        insert into erp.kept_figures as k (site, posted)
        select n.site, sum((n.state = 'applied')::int - (o.state = 'applied')::int)
        from changed n join before o using (id)
        where (n.state = 'applied') <> (o.state = 'applied') group by n.site
        on conflict (site) do update set posted = k.posted + excluded.posted;
        return null;
    end $$
    """,
    """
    create or replace function erp.keep_agreed() returns trigger language plpgsql as $$
    begin
        insert into erp.kept_figures as k (site, agreed)
        select n.site, sum((n.agreed_at is not null)::int - (o.agreed_at is not null)::int)
        from changed n join before o using (subject)
        where (n.agreed_at is null) <> (o.agreed_at is null) group by n.site
        on conflict (site) do update set agreed = k.agreed + excluded.agreed;
        return null;
    end $$
    """,
    """
    do $$ begin
        lock table erp.document, erp.subject in share row exclusive mode;
        create or replace trigger document_posted after update on erp.document
            referencing old table as before new table as changed
            for each statement execute function erp.keep_posted();
        create or replace trigger subject_agreed after update on erp.subject
            referencing old table as before new table as changed
            for each statement execute function erp.keep_agreed();
        delete from erp.kept_figures;
        insert into erp.kept_figures (site, posted, agreed)
        select site, sum(posted), sum(agreed) from (
            select site, count(*) as posted, 0 as agreed from erp.document
            where state = 'applied' group by site
            union all
            select site, 0, count(*) from erp.subject where agreed_at is not null group by site
        ) counted group by site;
    end $$
    """,
)

INDEXES = (
    """
    create index if not exists document_by_applied on erp.document (applied_at)
        where applied_at is not null
    """,
    "create index if not exists document_of_lane on erp.document (lane)",
    "create index if not exists inbox_refused on erp.inbox (received_at) where code is not null",
)

OURS = (
    "alter table erp.mirror_ledger add if not exists ours boolean not null default false",
    "alter table erp.mirror_stock add if not exists ours boolean not null default false",
    "comment on column erp.mirror_ledger.ours is 'Somebody knows it: a document, a receipt, the past.'",
    "comment on column erp.mirror_stock.ours is 'A document of ours made it.'",
)
OPEN = (
    """
    create index if not exists mirror_ledger_open on erp.mirror_ledger (ref)
        where not ours and account = 'wip' and amount <> 0
    """,
    """
    create index if not exists mirror_stock_open on erp.mirror_stock (ref)
        where not ours and work_order <> '' and quantity <> 0
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
           queue.lanes, queue.dead, (select count(*) from erp.inbox i where i.code is not null),
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
    alter((*KEPT, *INDEXES, *OURS))
    fill(
        "erp.mirror_stock",
        """
        update erp.mirror_stock as t set ours = true
        where not t.ours and exists (select from erp.document d where d.erp_ref @> array[t.ref])
        """,
    )
    fill(
        "erp.mirror_ledger",
        """
        update erp.mirror_ledger as t set ours = true
        where not t.ours and t.account = 'wip'
          and (t.id <= (select value::bigint from erp.cursor where name = 'compare/ledger')
               or exists (select from erp.document d where d.erp_ref @> array[t.ref]))
        """,
    )
    alter((*OPEN, FIGURES))
