"""Dates that a customer accepted before his order came, with the places that are kept for them."""

from alembic import op

revision = "planner_0003"
down_revision = "planner_0002"
branch_labels = None

TABLES = """
create table planner.promise (
    id              uuid primary key,
    site            text not null,
    scope           text not null default '',
    name            text not null,
    material        text not null,
    quantity        numeric not null check (quantity > 0),
    priority        int not null,
    customer_order  text,
    promised_at     timestamptz not null,
    places          jsonb not null,
    status          text not null check (status in ('held', 'ordered', 'released')),
    begins_at       timestamptz not null,
    held_until      timestamptz not null,
    work_order      text,
    accepted_at     timestamptz not null,
    accepted_by     text not null,
    closed_at       timestamptz,
    closed_by       text,
    check ((status = 'held') = (closed_at is null)),
    check ((status = 'ordered') = (work_order is not null))
);
create unique index promise_name on planner.promise (site, name);
create index promise_held on planner.promise (site, held_until) where status = 'held';
comment on column planner.promise.name is 'Order id under which plans keep its places.';
comment on column planner.promise.begins_at is 'When its first step was to begin as it was accepted.';
comment on column planner.promise.places is 'Step -> unit, start and end, as the newest plan has them.';
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(TABLES)
