"""Tools, moulds and fixtures, the steps that need them, and which are out of service."""

from alembic import op

revision = "mes_0021"
down_revision = "mes_0020"

TABLES = """
create table if not exists mes.tool (
    site      text not null,
    scope     text not null default '',
    id        text not null,
    name      text not null,
    count     integer not null check (count > 0),
    position  integer not null default 0,
    primary key (site, id)
);

create table if not exists mes.step (
    site       text not null,
    scope      text not null default '',
    material   text not null,
    operation  integer not null check (operation > 0),
    tools      jsonb not null default '[]',
    primary key (site, material, operation)
);
comment on table mes.step is 'What the plant file says of a step of a product, beside the ERP''s routing.';
comment on column mes.step.tools is 'Held while it is done: [{"tool", "count"}].';

create table if not exists mes.tool_out (
    id        uuid primary key,
    site      text not null,
    scope     text not null default '',
    tool      text not null,
    count     integer not null check (count > 0),
    since     timestamptz not null,
    until     timestamptz not null check (until > since),
    reason    text not null,
    by        text not null,
    ended_at  timestamptz check (ended_at >= since),
    ended_by  text check ((ended_by is null) = (ended_at is null))
);
create index if not exists tool_out_open on mes.tool_out (site, until) where ended_at is null;
comment on table mes.tool_out is
    'Out of service until a time; kept when the plant file has no such tool any more.';
"""


def upgrade() -> None:
    op.execute(TABLES)
