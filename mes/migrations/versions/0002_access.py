"""Accounts, sessions, tokens, badges, terminals, sign-ons, and the sealed audit trail."""

from alembic import op

revision = "mes_0002"
down_revision = "mes_0001"

SQL = """
create table mes.account (
    account        text primary key,
    site           text not null,
    language       text not null default '',
    password_hash  text,
    failures       integer not null default 0,
    locked_until   timestamptz,
    disabled       boolean not null default false,
    created_at     timestamptz not null default now()
);
comment on column mes.account.site is 'Site that made it; where it may act is in account_grant.';

create table mes.account_grant (
    account  text not null references mes.account on delete cascade,
    role     text not null check (role in
        ('operator', 'supervisor', 'planner', 'engineer', 'finance', 'administrator')),
    site     text not null,
    scope    text not null,
    primary key (account, role, site, scope)
);
comment on column mes.account_grant.site is 'Empty: every site.';
comment on column mes.account_grant.scope is 'Hierarchy below the site; empty: all of it.';

create table mes.service_token (
    account       text primary key,
    site          text not null,
    secret_hash   bytea not null check (octet_length(secret_hash) = 32),
    permissions   text[] not null,
    created_at    timestamptz not null default now()
);

create table mes.session (
    token_hash    bytea primary key check (octet_length(token_hash) = 32),
    session       uuid not null unique,
    account       text not null references mes.account on delete cascade,
    site          text not null,
    created_at    timestamptz not null,
    last_used_at  timestamptz not null,
    ended_at      timestamptz
);
create index session_of_account on mes.session (account);
create index session_by_age on mes.session (last_used_at);

create table mes.one_time_link (
    token_hash  bytea primary key check (octet_length(token_hash) = 32),
    account     text not null references mes.account on delete cascade,
    site        text not null,
    expires_at  timestamptz not null,
    used_at     timestamptz
);

create table mes.badge (
    person    text primary key,
    site      text not null,
    badge     text not null unique,
    pin_hash  text,
    disabled  boolean not null default false
);

create table mes.pin_attempt (
    badge         text not null,
    terminal      text not null,
    site          text not null,
    failures      integer not null,
    locked_until  timestamptz,
    primary key (badge, terminal)
);

create table mes.terminal (
    terminal  text primary key,
    site      text not null,
    scope     text not null
);

create table mes.sign_on (
    id            bigint generated always as identity primary key,
    terminal      text not null references mes.terminal,
    site          text not null,
    person        text not null,
    account       text not null,
    session       text not null,
    simulated     boolean not null,
    since         timestamptz not null,
    last_used_at  timestamptz not null,
    ended_at      timestamptz check (ended_at >= since)
);
create unique index one_person_at_a_terminal on mes.sign_on (terminal) where ended_at is null;
create index sign_on_of_session on mes.sign_on (terminal, session, since desc);

create table mes.audit_block (
    number     bigint primary key,
    site       text not null,
    first_xid  xid8 not null,
    first_id   bigint not null,
    last_xid   xid8 not null,
    last_id    bigint not null,
    events     integer not null check (events > 0),
    previous   bytea not null check (octet_length(previous) = 32),
    hash       bytea not null check (octet_length(hash) = 32),
    sealed_at  timestamptz not null default clock_timestamp()
);
comment on table mes.audit_block is
    'Append-only: sha256 over the block before and every event between first and last.';
revoke update, delete on mes.audit_block from lineside_app;
"""


def upgrade() -> None:
    op.execute(SQL)
