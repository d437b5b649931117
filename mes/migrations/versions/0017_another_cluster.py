"""After a restore: the order of events goes on in another cluster, numbers are not given a second time."""

from alembic import op

from mes.migrations.live import alter

revision = "mes_0017"
down_revision = "mes_0016"

BASE = """
create table if not exists mes.event_base (
    whole  boolean primary key default true check (whole),
    base   bigint not null check (base >= 0)
);
comment on table mes.event_base is
    'What is added to this cluster''s transaction numbers, so that every event comes after all before it.';
insert into mes.event_base (base) values (0) on conflict do nothing;
revoke insert, update, delete on mes.event_base from lineside_app;

create or replace function mes.event_xid() returns xid8 language plpgsql volatile as $$
begin
    return (pg_current_xact_id()::text::bigint + (select base from mes.event_base))::text::xid8;
end $$;
comment on function mes.event_xid is 'Place of this transaction''s events in the order of all.';

create or replace function mes.event_horizon() returns xid8 language plpgsql stable as $$
begin
    return (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + (select base from mes.event_base))
        ::text::xid8;
end $$;
comment on function mes.event_horizon is
    'Below it no event comes any more: stable, so it holds for the snapshot of the statement that asks.';

create or replace function mes.newest_event_xid() returns bigint language sql stable as $$
    select greatest(
        (select xid::text::bigint from mes.event order by xid desc, id desc limit 1),
        (select max(xid::text::bigint) from mes.consumer_cursor),
        (select last_xid::text::bigint from mes.audit_block order by number desc limit 1))
$$;

create or replace function mes.continue_events() returns boolean language plpgsql volatile as $$
begin
    if coalesce(mes.event_xid()::text::bigint > mes.newest_event_xid(), true) then
        return false;
    end if;
    lock table mes.event in exclusive mode;
    update mes.event_base set base = mes.newest_event_xid() + 1 - pg_current_xact_id()::text::bigint;
    return true;
end $$;
comment on function mes.continue_events is
    'Raise the base where what is stored is ahead of this cluster; say whether it was.';
revoke all on function mes.continue_events() from public;
"""

RESTORED = """
create or replace function mes.restored() returns void language sql as $$
    select setval('mes.work_order_number', nextval('mes.work_order_number') + 10000);
    select setval('mes.serial_number', nextval('mes.serial_number') + 100000);
$$;
comment on function mes.restored is
    'Numbers that were given after the backup are on pieces and in the ERP: go on well above them.';
revoke all on function mes.restored() from public;
"""


def upgrade() -> None:
    op.execute(BASE)
    op.execute(RESTORED)
    alter(["alter table mes.event alter xid set default mes.event_xid()"])
