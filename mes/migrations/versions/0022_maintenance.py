"""Maintenance of units: what the plant file wants again and again, what is planned, what was done."""

from alembic import op

revision = "mes_0022"
down_revision = "mes_0021"

TABLES = """
create sequence if not exists mes.maintenance_number;
grant usage, select on mes.maintenance_number to lineside_app;

create table if not exists mes.maintenance_rule (
    site         text not null,
    scope        text not null default '',
    id           text not null,
    unit         text not null,
    name         text not null,
    minutes      integer not null check (minutes > 0),
    every_days   integer not null check (every_days > 0),
    window_days  integer not null check (window_days between 1 and every_days),
    first_due    date not null,
    weight       integer not null check (weight between 1 and 100),
    position     integer not null default 0,
    primary key (site, id)
);
comment on table mes.maintenance_rule is 'What the plant file wants done again and again.';

create table if not exists mes.maintenance (
    id             text primary key,
    site           text not null,
    scope          text not null,
    equipment      text not null references mes.equipment,
    rule           text,
    name           text not null,
    minutes        integer not null check (minutes > 0),
    earliest       timestamptz not null,
    latest         timestamptz not null check (latest > earliest),
    weight         integer not null check (weight between 1 and 100),
    status         text not null default 'planned'
                   check (status in ('planned', 'running', 'done', 'cancelled')),
    planned_at     timestamptz not null,
    planned_by     text not null,
    planned_start  timestamptz,
    planned_end    timestamptz check (planned_end > planned_start),
    started_at     timestamptz,
    started_by     text check ((started_by is null) = (started_at is null)),
    ended_at       timestamptz check ((status in ('done', 'cancelled')) = (ended_at is not null)),
    ended_by       text check ((ended_by is null) = (ended_at is null)),
    reason         text not null default ''
);
create unique index if not exists one_open_of_rule on mes.maintenance (site, rule)
    where status in ('planned', 'running');
create unique index if not exists one_running_per_unit on mes.maintenance (equipment)
    where status = 'running';
create index if not exists maintenance_of_rule on mes.maintenance (site, rule, ended_at desc);
comment on column mes.maintenance.rule is 'Of the plant file; null: somebody planned it.';
comment on column mes.maintenance.planned_start is 'Where the plan in force has it.';
"""


def upgrade() -> None:
    op.execute(TABLES)
