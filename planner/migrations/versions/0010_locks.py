"""Locks: where people put jobs."""

from alembic import op

revision = "planner_0010"
down_revision = "planner_0007"
branch_labels = None

TABLES = """
create table planner.lock (
    job_order  text primary key,
    site       text not null,
    scope      text not null default '',
    equipment  text not null,
    starts_at  timestamptz not null,
    locked_by  text not null,
    locked_at  timestamptz not null
);
create index lock_of_site on planner.lock (site);
comment on column planner.lock.starts_at is 'When its run begins, after the set-up.';
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(TABLES)
