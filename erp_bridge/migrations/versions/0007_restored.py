"""After a restore the ERP may know what the plant has forgotten that it sent."""

from alembic import op

revision = "erp_0007"
down_revision = "erp_0006"

SQL = """
create or replace function erp.restored() returns void language sql as $$
    update erp.document set state = 'sending', sent_at = recorded_at, next_at = null
    where state in ('pending', 'retry', 'sending');
    update erp.lane set worker = null, lease_until = null where worker is not null;
    insert into erp.cursor (name, site, value)
    select 'restored', min(site), clock_timestamp()::text from mes.event having count(*) > 0
    on conflict (name) do update set value = excluded.value, moved_at = now();
$$;
comment on function erp.restored is
    'What was open then, and what is collected of the time before, is probed before it is sent.';
revoke all on function erp.restored() from public;
"""


def upgrade() -> None:
    op.execute(SQL)
