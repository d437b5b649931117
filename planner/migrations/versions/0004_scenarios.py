"""Scenarios: the plant at one moment, what is changed in it, and the plan of that."""

from alembic import op

revision = "planner_0004"
down_revision = "planner_0003"
branch_labels = None

TABLES = """
create table planner.picture (
    id        uuid primary key,
    site      text not null,
    scope     text not null default '',
    version   int,
    taken_at  timestamptz not null,
    snapshot  jsonb not null,
    contents  jsonb not null
);
comment on table planner.picture is 'The plant at one moment, as scenarios see it; several may share one.';
comment on column planner.picture.version is 'Of the plan in force then.';
comment on column planner.picture.contents is 'What a change may name: orders, units, people.';

create table planner.scenario (
    id          uuid primary key,
    site        text not null,
    scope       text not null default '',
    name        text not null,
    picture     uuid not null references planner.picture (id),
    changes     jsonb not null,
    revision    int not null,
    status      text not null check (status in
                    ('draft', 'waiting', 'solving', 'solved', 'failed', 'published', 'discarded')),
    seconds     float8,
    job         bigint,
    worker      text,
    attempts    int not null default 0,
    stop        boolean not null default false,
    progress    jsonb,
    error       jsonb,
    plan        uuid references planner.plan (id) on delete set null,
    comparison  jsonb,
    version     int,
    made_at     timestamptz not null,
    made_by     text not null,
    changed_at  timestamptz not null,
    changed_by  text not null,
    check ((status in ('waiting', 'solving')) = (job is not null)),
    check ((status = 'published') = (version is not null))
);
create index scenario_open on planner.scenario (site, made_at) where status <> 'discarded';
create index scenario_asked on planner.scenario (site) where job is not null;
create index scenario_picture on planner.scenario (picture);
create index scenario_plan on planner.scenario (plan);
comment on column planner.scenario.revision is 'Counts the changes: who changes it says which one was read.';
comment on column planner.scenario.job is
    'The job of the queue that solves it. A worker whose job is another one by now stores nothing.';
comment on column planner.scenario.attempts is 'How often a worker has begun to solve it since it was asked.';
comment on column planner.scenario.stop is 'Somebody asked to end the search.';
comment on column planner.scenario.version is 'Under which it was published.';

alter table planner.plan drop constraint plan_status_check;
alter table planner.plan add constraint plan_status_check
    check (status in ('proposed', 'in_force', 'superseded', 'discarded', 'scenario')) not valid;
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(TABLES)
    op.execute("alter table planner.plan validate constraint plan_status_check")
