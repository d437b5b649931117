"""Documents to the ERP and their lanes; what came from the ERP; the mirror of its books."""

from alembic import op

revision = "erp_0001"
down_revision = None

SQL = """
create table erp.lane (
    lane         text primary key,
    site         text not null,
    worker       text,
    lease_until  timestamptz,
    epoch        bigint not null default 0
);
comment on column erp.lane.epoch is 'Rises with every lease: results of an older lease are refused.';

create table erp.document (
    id            bigint generated always as identity primary key,
    key           text not null unique,
    lane          text not null references erp.lane,
    noun          text not null,
    event_id      uuid,
    subject       text not null,
    site          text not null,
    scope         text not null default '',
    work_order    text,
    reverses      text,
    body          jsonb not null,
    event_time    timestamptz not null,
    posting_date  date not null,
    recorded_at   timestamptz not null,
    state         text not null default 'pending'
                  check (state in ('pending', 'sending', 'retry', 'applied', 'dead', 'skipped')),
    attempts      int not null default 0,
    next_at       timestamptz,
    sent_at       timestamptz,
    applied_at    timestamptz,
    erp_ref       text[] not null default '{}',
    code          text,
    detail        text,
    created_at    timestamptz not null default now()
);
comment on table erp.document is 'The ledger of what the ERP is told, and the queue: one row per key.';
create index document_open on erp.document (lane, id)
    where state in ('pending', 'sending', 'retry', 'dead');
create index document_of_work_order on erp.document (work_order, id) where work_order is not null;
create index document_by_age on erp.document (recorded_at);
create index document_of_subject on erp.document (subject);
create index document_of_ref on erp.document using gin (erp_ref);

create table erp.inbox (
    site         text not null,
    stream       text not null,
    key          text not null,
    hash         text not null,
    received_at  timestamptz not null default now(),
    code         text,
    detail       text,
    body         jsonb not null,
    primary key (stream, key)
);
comment on table erp.inbox is 'Newest accepted version of each record of the ERP; code: why it was refused.';

create table erp.cursor (
    name      text primary key,
    site      text not null,
    value     text not null,
    moved_at  timestamptz not null default now()
);

create table erp.mirror_ledger (
    id       bigint primary key,
    site     text not null,
    account  text not null,
    amount   numeric(18, 3) not null,
    ref      text not null,
    seen_at  timestamptz not null default now()
);
create index mirror_ledger_of_ref on erp.mirror_ledger (ref);

create table erp.mirror_stock (
    id          bigint primary key,
    site        text not null,
    ref         text not null,
    work_order  text not null,
    material    text not null,
    lot         text not null,
    quantity    numeric not null,
    seen_at     timestamptz not null default now()
);
create index mirror_stock_of_ref on erp.mirror_stock (ref);

create table erp.link (
    erp          text primary key,
    site         text not null,
    name         text not null default '',
    reachable    boolean not null default false,
    detail       text not null default '',
    latency_ms   double precision not null default 0,
    at           timestamptz not null default now(),
    comparison   jsonb
);
"""


def upgrade() -> None:
    op.execute(SQL)
