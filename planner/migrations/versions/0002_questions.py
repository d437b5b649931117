"""Questions to the planner, and proposals that are timed again while people read them."""

from alembic import op

revision = "planner_0002"
down_revision = "planner_0001"
branch_labels = None

TABLES = """
create table planner.question (
    id           uuid primary key,
    site         text not null,
    scope        text not null default '',
    kind         text not null,
    body         jsonb not null,
    asked_at     timestamptz not null,
    asked_by     text not null,
    worker       text,
    lease_until  timestamptz,
    attempts     int not null default 0,
    answer       jsonb
);
create index question_open on planner.question (site, asked_at) where answer is null;
comment on table planner.question is
    'Asked by whoever must not compute; answered by a planner, and gone when it is read.';

alter table planner.plan add column planned_on int;
alter table planner.plan add column renewed_at timestamptz;
comment on column planner.plan.planned_on is 'Version of the plan in force when this one was made.';
comment on column planner.plan.renewed_at is 'When the times of a proposal were last made anew.';
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(TABLES)
