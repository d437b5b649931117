"""Edge inbox and configuration; machine states, counts, scans; the cost ledger."""

from alembic import op

revision = "mes_0004"
down_revision = "mes_0003"

EDGE = """
create table mes.edge_cursor (
    edge    text not null,
    epoch   uuid not null,
    stream  text not null,
    seq     bigint not null,
    at      timestamptz not null default now(),
    primary key (edge, epoch, stream)
);

create table mes.edge_inbox (
    id           bigint generated always as identity unique,
    edge         text not null,
    epoch        uuid not null,
    seq          bigint not null,
    idx          int not null,
    equipment    text not null,
    metric       text not null,
    kind         text not null,
    value        jsonb not null,
    source_time  timestamptz not null,
    quality      smallint not null,
    received_at  timestamptz not null default now(),
    done_at      timestamptz,
    error        text,
    primary key (edge, epoch, seq, idx)
);
create index edge_inbox_waiting on mes.edge_inbox (id) where done_at is null and error is null;
create index edge_inbox_quarantined on mes.edge_inbox (id) where done_at is null and error is not null;
create function mes.announce_inbox() returns trigger language plpgsql as $$
begin
    perform pg_notify('lineside_inbox', '');
    return null;
end $$;
create trigger edge_inbox_announced after insert on mes.edge_inbox
    for each statement execute function mes.announce_inbox();
create index edge_inbox_by_age on mes.edge_inbox (received_at) where done_at is not null;
comment on column mes.edge_inbox.error is 'With done_at null: in quarantine, for this reason.';

create table mes.edge_config (
    edge             text not null,
    version          int not null check (version > 0),
    config           jsonb not null,
    acknowledged_at  timestamptz,
    primary key (edge, version)
);

create table mes.edge_tally (
    edge          text not null,
    equipment     text not null,
    metric        text not null,
    committed     numeric not null default 0,
    source_base   numeric,
    source_total  numeric,
    lost          numeric not null default 0,
    doubled       numeric not null default 0,
    at            timestamptz,
    primary key (edge, equipment, metric)
);

create table mes.edge_link (
    edge                text primary key,
    connected_at        timestamptz,
    at                  timestamptz,
    samples_committed   bigint not null default 0,
    events_committed    bigint not null default 0,
    duplicates_refused  bigint not null default 0,
    replays             bigint not null default 0,
    gaps_declared       bigint not null default 0,
    quarantined         bigint not null default 0,
    spool_depth         bigint not null default 0,
    ingest_lag_s        double precision not null default 0,
    detail              jsonb not null default '{}'
);
"""

PERFORMANCE = """
create table mes.equipment_state (
    id          uuid primary key,
    site        text not null,
    scope       text not null,
    equipment   text not null,
    state       text not null,
    reason      text,
    person      text,
    started_at  timestamptz not null,
    ended_at    timestamptz,
    edge        text,
    epoch       uuid,
    seq         bigint,
    idx         int,
    simulated   boolean not null default false,
    check (ended_at > started_at),
    unique (equipment, started_at)
);
create unique index equipment_state_present on mes.equipment_state (equipment) where ended_at is null;
create index equipment_state_by_end on mes.equipment_state
    (equipment, (coalesce(ended_at, 'infinity')));
comment on table mes.equipment_state is 'Contiguous per unit: each interval begins where the last ended.';

create table mes.equipment_fault (
    equipment  text primary key,
    site       text not null,
    reason     text not null,
    since      timestamptz not null
);
comment on table mes.equipment_fault is 'The reason that the machine itself gives, until it takes it back.';

create table mes.machine_count (
    id          bigint generated always as identity primary key,
    site        text not null,
    scope       text not null,
    equipment   text not null,
    at          timestamptz not null,
    kind        text not null check (kind in ('good', 'scrap')),
    delta       numeric not null check (delta >= 0),
    raw         numeric,
    job_order   text,
    item        text,
    run_s       numeric,
    doubtful    boolean not null default false,
    accepted    boolean,
    decided_by  text,
    decided_at  timestamptz,
    edge        text,
    epoch       uuid,
    seq         bigint,
    idx         int,
    simulated   boolean not null default false,
    check (accepted is null or doubtful)
);
create index machine_count_by_time on mes.machine_count (equipment, at);
create index machine_count_waiting on mes.machine_count (id) where doubtful and accepted is null;
create index machine_count_of_job on mes.machine_count (job_order) where job_order is not null;

create table mes.edge_gap (
    id          bigint generated always as identity primary key,
    site        text not null,
    edge        text not null,
    stream      text not null,
    equipment   text not null,
    from_at     timestamptz not null,
    to_at       timestamptz not null,
    from_seq    bigint,
    to_seq      bigint,
    reason      text not null
);
create index edge_gap_by_time on mes.edge_gap (equipment, from_at);

create table mes.scan (
    id           bigint generated always as identity primary key,
    site         text not null,
    scope        text not null,
    reader       text not null,
    equipment    text not null,
    at           timestamptz not null,
    payload      text not null,
    symbology    text,
    form         text,
    fields       jsonb not null default '{}',
    error        text,
    edge         text,
    epoch        uuid,
    seq          bigint,
    idx          int
);
create index scan_by_time on mes.scan (equipment, at);
"""

COSTING = """
create table mes.cost_entry (
    entry        uuid primary key,
    number       bigint generated always as identity unique,
    site         text not null,
    scope        text not null,
    kind         text not null,
    work_order   text,
    cause_event  uuid not null unique,
    reverses     uuid unique references mes.cost_entry,
    subject      uuid,
    at           timestamptz not null,
    booked_at    timestamptz not null default now(),
    simulated    boolean not null default false
);
create index cost_entry_of_work_order on mes.cost_entry (work_order, number) where work_order is not null;
create index cost_entry_of_subject on mes.cost_entry (subject) where subject is not null;
comment on column mes.cost_entry.subject is 'The report or material actual that a later reversal names.';

create table mes.cost_line (
    entry        uuid not null references mes.cost_entry,
    n            smallint not null,
    account      text not null,
    debit        numeric(18, 3) not null default 0 check (debit >= 0),
    credit       numeric(18, 3) not null default 0 check (credit >= 0),
    currency     text not null,
    quantity     numeric,
    uom          text,
    work_center  text,
    cost_center  text,
    material     text,
    lot          text,
    work_order   text,
    simulated    boolean not null default false,
    primary key (entry, n),
    check ((debit = 0) <> (credit = 0))
);
create index cost_line_by_account on mes.cost_line (work_order, account);

create function mes.cost_entry_balances() returns trigger language plpgsql as $$
begin
    if exists (select from mes.cost_line where entry = new.entry
               group by currency having sum(debit) <> sum(credit)) then
        raise exception 'cost entry % does not balance', new.entry using errcode = 'check_violation';
    end if;
    return null;
end $$;
create constraint trigger cost_line_balances after insert on mes.cost_line
    deferrable initially deferred for each row execute function mes.cost_entry_balances();

create table mes.cost_waiting (
    event_id  uuid primary key references mes.event (event_id),
    site      text not null,
    error     text not null,
    attempts  int not null default 1,
    tried_at  timestamptz not null default now()
);
comment on table mes.cost_waiting is 'Events that could not be costed yet, such as for a missing price.';

create table mes.cost_account (
    account    text not null,
    currency   text not null,
    simulated  boolean not null,
    debit      numeric(18, 3) not null default 0,
    credit     numeric(18, 3) not null default 0,
    primary key (account, currency, simulated)
);
comment on table mes.cost_account is 'Running sums of cost_line, moved in the entry''s own transaction.';

revoke update, delete on mes.cost_entry, mes.cost_line from lineside_app;
"""


def upgrade() -> None:
    for statements in (EDGE, PERFORMANCE, COSTING):
        op.execute(statements)
