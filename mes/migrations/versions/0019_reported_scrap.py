"""Scrap that people report is in the figures of a unit whose machine does not count scrap itself."""

from alembic import op

from mes.migrations.live import alter, fill

revision = "mes_0019"
down_revision = "mes_0018"

COUNTS_SCRAP = """
create or replace function mes.counts_scrap(unit text) returns boolean
    language sql stable security definer set search_path = mes as $$
    select exists (
        select from (select distinct on (edge) config from mes.edge_config order by edge, version desc) newest
        cross join lateral jsonb_array_elements(
            case jsonb_typeof(config -> 'tags') when 'array' then config -> 'tags' else '[]' end) tag
        where tag ->> 'kind' = 'count' and split_part(tag ->> 'name', '/', 1) = unit
          and coalesce(nullif(tag ->> 'metric', ''), split_part(tag ->> 'name', '/', 2)) = 'count.scrap')
$$;
"""

COLUMNS = (
    "alter table mes.report add if not exists scrap_counted boolean",
    """
    comment on column mes.report.scrap_counted is
        'The machine counts its scrap itself: this scrap is among its counts. Null where there is none.'
    """,
    "alter table mes.equipment_sum add if not exists reported numeric[] not null default '{}'",
    """
    comment on column mes.equipment_sum.reported is
        'Scrap that people reported where the machine does not count it; in the list of items.'
    """,
)

NOTE = """
create or replace function mes.note_scrap_counter() returns trigger language plpgsql as $$
begin
    if new.reverses is not null then
        select scrap_counted into new.scrap_counted from mes.report where id = new.reverses;
    else
        new.scrap_counted := new.simulated or mes.counts_scrap(new.equipment);
    end if;
    return new;
end $$;

create or replace function mes.mark_scrap() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        perform mes.mark_reported(old);
    end if;
    if tg_op <> 'DELETE' then
        perform mes.mark_reported(new);
    end if;
    return null;
end $$;

create or replace function mes.mark_reported(one mes.report) returns void language sql as $$
    insert into mes.equipment_sum_mark (site, scope, equipment, starts_at, ends_at)
    select one.site, one.scope, one.equipment, hour, hour + interval '1 hour'
    from (select date_trunc('hour', coalesce((select at from mes.report where id = one.reverses), one.at),
                            'UTC') as hour) told
$$;
"""

FILLED = """
update mes.report as t set scrap_counted = t.simulated or mes.counts_scrap(t.equipment) or exists (
    select from mes.machine_count c where c.equipment = t.equipment and c.kind = 'scrap')
where t.scrap <> 0 and t.scrap_counted is null
"""

TRIGGERS = (
    """
    create or replace trigger report_scrap_counted before insert on mes.report
        for each row when (new.scrap <> 0) execute function mes.note_scrap_counter()
    """,
    """
    create or replace trigger report_scrap_marks after insert on mes.report
        for each row when (new.scrap <> 0) execute function mes.mark_scrap()
    """,
    """
    create or replace trigger report_scrap_changed after update on mes.report for each row
        when ((old.equipment, old.at, old.scrap, old.scrap_counted, old.job_order, old.reverses)
              is distinct from
              (new.equipment, new.at, new.scrap, new.scrap_counted, new.job_order, new.reverses))
        execute function mes.mark_scrap()
    """,
    """
    create or replace trigger report_scrap_gone after delete on mes.report
        for each row when (old.scrap <> 0) execute function mes.mark_scrap()
    """,
)


def upgrade() -> None:
    op.execute(COUNTS_SCRAP)
    alter(COLUMNS)
    op.execute(NOTE)
    fill("mes.report", FILLED)
    alter(TRIGGERS)
