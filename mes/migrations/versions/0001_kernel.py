"""The kernel's tables: events, consumers' cursors, commands."""

from alembic import op

revision = "mes_0001"
down_revision = None

SQL = """
create table mes.event (
    id              bigint generated always as identity primary key,
    xid             xid8 not null default pg_current_xact_id(),
    event_id        uuid not null unique,
    type            text not null,
    schema_version  smallint not null check (schema_version > 0),
    site            text not null,
    scope           text not null,
    aggregate       text not null,
    payload         jsonb not null,
    actor           text not null,
    terminal        text,
    key             text,
    causation       uuid,
    at              timestamptz not null,
    recorded_at     timestamptz not null default clock_timestamp(),
    simulated       boolean not null default false
);
create index event_in_commit_order on mes.event (xid, id);
create index event_of_aggregate on mes.event (aggregate, id);
comment on table mes.event is 'Append-only. Read by (xid, id) below the oldest open transaction.';
revoke update, delete on mes.event from lineside_app;

create table mes.consumer_cursor (
    consumer  text primary key,
    xid       xid8 not null default '0',
    id        bigint not null default 0,
    moved_at  timestamptz not null default now()
);

create table mes.command (
    key        text primary key,
    kind       text not null,
    body_hash  text not null,
    site       text not null,
    actor      text not null,
    terminal   text,
    at         timestamptz not null,
    stored_at  timestamptz not null default now(),
    status     smallint,
    reply      jsonb
);
comment on column mes.command.status is 'Null only inside the transaction that carries it out.';
create index command_by_age on mes.command (stored_at);
"""


def upgrade() -> None:
    op.execute(SQL)
