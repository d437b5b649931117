"""Calls for help until somebody answers, and what a unit's own scanner came to."""

from alembic import op

revision = "mes_0008"
down_revision = "mes_0007"

CALLS = """
create table mes.help_call (
    id           uuid primary key,
    site         text not null,
    scope        text not null,
    equipment    text not null references mes.equipment,
    job_order    text,
    person       text not null references mes.person,
    called_at    timestamptz not null,
    answered_at  timestamptz check (answered_at >= called_at),
    answered_by  text check ((answered_by is null) = (answered_at is null))
);
create unique index one_open_call_per_unit on mes.help_call (equipment) where answered_at is null;
create index help_call_by_time on mes.help_call (equipment, called_at desc);
comment on column mes.help_call.answered_by is 'The actor who said that somebody comes; null: nobody has.';
"""

SCANS = """
alter table mes.scan
    add judged_at  timestamptz,
    add outcome    text check (outcome in ('booked', 'confirmed', 'refused')),
    add job_order  text,
    add refusal    jsonb,
    add noted_at   timestamptz,
    add noted_by   text;
update mes.scan set judged_at = clock_timestamp();
create index scan_not_judged on mes.scan (id) where judged_at is null;
create index scan_refused on mes.scan (equipment, id) where outcome = 'refused' and noted_at is null;
comment on column mes.scan.outcome is 'What it came to; null: read before scans were acted on.';

create function mes.announce_scan() returns trigger language plpgsql as $$
begin
    perform pg_notify('lineside_scan', '');
    return null;
end $$;
create trigger scan_announced after insert on mes.scan
    for each statement execute function mes.announce_scan();
"""


def upgrade() -> None:
    for statements in (CALLS, SCANS):
        op.execute(statements)
