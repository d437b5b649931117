"""Requests for a new plan, and the plans that were made: proposed, in force, gone."""

from alembic import op

revision = "planner_0001"
down_revision = None
branch_labels = ("planner",)

TABLES = """
create table planner.request (
    id            uuid primary key,
    site          text not null,
    scope         text not null default '',
    reason        text not null,
    params        jsonb not null,
    move          boolean not null,
    requested_at  timestamptz not null,
    requested_by  text not null,
    worker        text,
    lease_until   timestamptz,
    attempts      int not null default 0,
    done_at       timestamptz,
    outcome       text check (outcome in ('published', 'proposed', 'unchanged', 'refused', 'failed')),
    error         jsonb,
    check ((done_at is null) = (outcome is null))
);
create index request_open on planner.request (site, requested_at) where done_at is null;
create index request_done on planner.request (site, done_at) where done_at is not null;
comment on column planner.request.move is 'Look for a plan that moves published work, too.';

create table planner.plan (
    id                 uuid primary key,
    site               text not null,
    scope              text not null default '',
    status             text not null check (status in ('proposed', 'in_force', 'superseded', 'discarded')),
    version            int,
    solver             text not null,
    proof              text not null check (proof in ('optimal', 'feasible')),
    objective          bigint not null,
    bound              bigint not null,
    dispatch_objective bigint not null,
    current_objective  bigint,
    late_orders        int not null,
    moved              int not null,
    trigger            jsonb not null,
    body               jsonb not null,
    diff               jsonb,
    made_at            timestamptz not null,
    published_at       timestamptz,
    published_by       text,
    closed_at          timestamptz,
    closed_by          text,
    check ((version is null) = (published_at is null))
);
create unique index plan_in_force on planner.plan (site) where status = 'in_force';
create unique index plan_proposed on planner.plan (site) where status = 'proposed';
create index plan_made on planner.plan (site, made_at);
comment on column planner.plan.current_objective is
    'What the plan that moves nobody costs in the measure of this one.';
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(TABLES)
