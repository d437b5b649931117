"""A unit's times and pieces summed by hour and by day, and what says that a sum no longer holds."""

from alembic import op

revision = "mes_0009"
down_revision = "mes_0008"

LOAD = """
create table mes.equipment_load (
    actual      uuid primary key references mes.equipment_actual on delete cascade,
    site        text not null,
    scope       text not null,
    job_order   text not null,
    equipment   text not null,
    started_at  timestamptz not null,
    ended_at    timestamptz not null check (ended_at >= started_at)
);
create index equipment_load_by_end on mes.equipment_load (equipment, ended_at, started_at);
comment on table mes.equipment_load is
    'Since when and until when a job is on a unit: from its start there to its start elsewhere or its end,
     its holds included; infinity while it lasts. Laid out from equipment_actual and job_order.';

create function mes.lay_out_load(job text) returns void language sql as $$
    insert into mes.equipment_load as known (actual, site, scope, job_order, equipment, started_at, ended_at)
    select a.id, a.site, a.scope, a.job_order, a.equipment, a.started_at,
           greatest(a.started_at,
               coalesce(lead(a.started_at) over (order by a.started_at, a.id),
                   case when j.completed_at is not null then greatest(j.completed_at, a.ended_at)
                        when j.status in ('Running', 'Held', 'Suspended') then 'infinity'
                        else a.ended_at end))
    from mes.equipment_actual a join mes.job_order j on j.id = a.job_order
    where a.job_order = job
    on conflict (actual) do update
    set equipment = excluded.equipment, started_at = excluded.started_at, ended_at = excluded.ended_at
    where (known.equipment, known.started_at, known.ended_at)
       is distinct from (excluded.equipment, excluded.started_at, excluded.ended_at)
$$;
"""

KEEP_LOAD = """
create function mes.follow_actual() returns trigger language plpgsql as $$
begin
    perform mes.lay_out_load(case when tg_op = 'DELETE' then old.job_order else new.job_order end);
    return null;
end $$;
create trigger equipment_actual_loads after insert or update or delete on mes.equipment_actual
    for each row execute function mes.follow_actual();

create function mes.follow_job() returns trigger language plpgsql as $$
begin
    perform mes.lay_out_load(new.id);
    return null;
end $$;
create trigger job_order_loads after update on mes.job_order for each row
    when ((old.completed_at, old.status in ('Running', 'Held', 'Suspended'))
          is distinct from (new.completed_at, new.status in ('Running', 'Held', 'Suspended')))
    execute function mes.follow_job();

select mes.lay_out_load(job_order) from (select distinct job_order from mes.equipment_actual) job;
"""

SUMS = """
create table mes.equipment_sum (
    equipment   text not null references mes.equipment,
    hours       smallint not null check (hours in (1, 24)),
    starts_at   timestamptz not null,
    site        text not null,
    scope       text not null,
    owed_since  timestamptz,
    pot         bigint not null default 0,
    pdot        bigint not null default 0,
    apt         bigint not null default 0,
    aust        bigint not null default 0,
    adet        bigint not null default 0,
    unknown     bigint not null default 0,
    items       text[] not null default '{}',
    runs_s      numeric[] not null default '{}',
    good        numeric[] not null default '{}',
    scrap       numeric[] not null default '{}',
    waiting     numeric[] not null default '{}',
    primary key (equipment, hours, starts_at)
);
create index equipment_sum_owed on mes.equipment_sum (starts_at) where owed_since is not null;
comment on table mes.equipment_sum is
    'ISO 22400 time elements of a unit in an hour or a day of UTC, in microseconds; all made from facts.';
comment on column mes.equipment_sum.owed_since is 'Not null: the sums do not hold (any more).';
comment on column mes.equipment_sum.items is
    'With the columns after it one list: pieces counted within planned work by item and standard time; both
     null for what was counted without a job.';

create table mes.equipment_sum_mark (
    id         bigint generated always as identity primary key,
    site       text not null,
    scope      text not null,
    equipment  text not null,
    starts_at  timestamptz not null,
    ends_at    timestamptz not null
);
comment on table mes.equipment_sum_mark is
    'Stretches whose facts have changed: appended with the change itself, taken away by the floor worker.
     A sum that a mark touches is not read.';

create function mes.microseconds(ranges tstzmultirange) returns bigint
    language sql immutable parallel safe as $$
    select coalesce(sum(extract(epoch from upper(r) - lower(r)) * 1000000), 0)::bigint from unnest(ranges) r
$$;
"""

MARK_STRETCHES = """
create function mes.mark_new_stretches() returns trigger language plpgsql as $$
begin
    insert into mes.equipment_sum_mark (site, scope, equipment, starts_at, ends_at)
    select site, scope, equipment, lower(r), coalesce(upper(r), 'infinity')
    from (select site, scope, equipment, unnest(range_agg(tstzrange(started_at, ended_at))) as r
          from new_rows group by site, scope, equipment) found;
    return null;
end $$;
create trigger equipment_state_marks after insert on mes.equipment_state referencing new table as new_rows
    for each statement execute function mes.mark_new_stretches();
create trigger equipment_load_marks after insert on mes.equipment_load referencing new table as new_rows
    for each statement execute function mes.mark_new_stretches();

create function mes.mark_whole_stretch() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        insert into mes.equipment_sum_mark (site, scope, equipment, starts_at, ends_at)
        values (old.site, old.scope, old.equipment, old.started_at, coalesce(old.ended_at, 'infinity'));
    end if;
    if tg_op <> 'DELETE' then
        insert into mes.equipment_sum_mark (site, scope, equipment, starts_at, ends_at)
        values (new.site, new.scope, new.equipment, new.started_at, coalesce(new.ended_at, 'infinity'));
    end if;
    return null;
end $$;
create trigger equipment_state_changed after update on mes.equipment_state for each row
    when ((old.equipment, old.state, old.started_at)
          is distinct from (new.equipment, new.state, new.started_at))
    execute function mes.mark_whole_stretch();
create trigger equipment_load_moved after update on mes.equipment_load for each row
    when ((old.equipment, old.started_at) is distinct from (new.equipment, new.started_at))
    execute function mes.mark_whole_stretch();
create trigger equipment_state_gone after delete on mes.equipment_state
    for each row execute function mes.mark_whole_stretch();
create trigger equipment_load_gone after delete on mes.equipment_load
    for each row execute function mes.mark_whole_stretch();

create function mes.mark_other_end() returns trigger language plpgsql as $$
begin
    insert into mes.equipment_sum_mark (site, scope, equipment, starts_at, ends_at)
    values (new.site, new.scope, new.equipment,
            least(coalesce(old.ended_at, 'infinity'), coalesce(new.ended_at, 'infinity')),
            greatest(coalesce(old.ended_at, 'infinity'), coalesce(new.ended_at, 'infinity')));
    return null;
end $$;
create trigger equipment_state_ended after update on mes.equipment_state for each row
    when (old.ended_at is distinct from new.ended_at) execute function mes.mark_other_end();
create trigger equipment_load_ended after update on mes.equipment_load for each row
    when (old.ended_at is distinct from new.ended_at) execute function mes.mark_other_end();
"""

MARK_COUNTS = """
create function mes.mark_new_counts() returns trigger language plpgsql as $$
begin
    insert into mes.equipment_sum_mark (site, scope, equipment, starts_at, ends_at)
    select site, scope, equipment, hour, hour + interval '1 hour'
    from (select distinct site, scope, equipment, date_trunc('hour', at, 'UTC') as hour from new_rows) found;
    return null;
end $$;
create trigger machine_count_marks after insert on mes.machine_count referencing new table as new_rows
    for each statement execute function mes.mark_new_counts();

create function mes.mark_count() returns trigger language plpgsql as $$
begin
    insert into mes.equipment_sum_mark (site, scope, equipment, starts_at, ends_at)
    values (old.site, old.scope, old.equipment, date_trunc('hour', old.at, 'UTC'),
            date_trunc('hour', old.at, 'UTC') + interval '1 hour');
    if tg_op = 'UPDATE' and (old.equipment, old.at) is distinct from (new.equipment, new.at) then
        insert into mes.equipment_sum_mark (site, scope, equipment, starts_at, ends_at)
        values (new.site, new.scope, new.equipment, date_trunc('hour', new.at, 'UTC'),
                date_trunc('hour', new.at, 'UTC') + interval '1 hour');
    end if;
    return null;
end $$;
create trigger machine_count_changed after update on mes.machine_count for each row
    when ((old.equipment, old.at, old.kind, old.delta, old.item, old.run_s, old.doubtful, old.accepted)
          is distinct from
          (new.equipment, new.at, new.kind, new.delta, new.item, new.run_s, new.doubtful, new.accepted))
    execute function mes.mark_count();
create trigger machine_count_gone after delete on mes.machine_count
    for each row execute function mes.mark_count();
"""

MARK_CALENDARS = """
create function mes.mark_unit_for_ever(unit mes.equipment) returns void language sql as $$
    insert into mes.equipment_sum_mark (site, scope, equipment, starts_at, ends_at)
    values (unit.site, unit.scope, unit.id, '-infinity', 'infinity')
$$;

create function mes.mark_calendar() returns trigger language plpgsql as $$
begin
    perform mes.mark_unit_for_ever(e) from mes.equipment e
    where e.level = 'work_unit'
      and (e.site, e.calendar) in ((old.site, old.code), (new.site, new.code));
    return null;
end $$;
create trigger calendar_marks after insert or delete on mes.calendar
    for each row execute function mes.mark_calendar();
create trigger calendar_changed after update on mes.calendar for each row
    when (old.* is distinct from new.*) execute function mes.mark_calendar();

create function mes.mark_unit() returns trigger language plpgsql as $$
begin
    perform mes.mark_unit_for_ever(new);
    return null;
end $$;
create trigger equipment_calendar_changed after update on mes.equipment for each row
    when (new.level = 'work_unit' and old.calendar is distinct from new.calendar)
    execute function mes.mark_unit();

create function mes.mark_site() returns trigger language plpgsql as $$
begin
    perform mes.mark_unit_for_ever(e) from mes.equipment e
    where e.level = 'work_unit' and e.site = coalesce(new.site, old.site);
    return null;
end $$;
create trigger policy_marks after insert or delete on mes.policy
    for each row execute function mes.mark_site();
create trigger policy_timezone_changed after update on mes.policy for each row
    when (old.timezone is distinct from new.timezone) execute function mes.mark_site();
"""


def upgrade() -> None:
    for statements in (LOAD, KEEP_LOAD, SUMS, MARK_STRETCHES, MARK_COUNTS, MARK_CALENDARS):
        op.execute(statements)
