"""The oldest open transaction that writes, for roles that may not see other roles' sessions."""

from alembic import op

revision = "mes_0005"
down_revision = "mes_0004"

SQL = """
create function mes.oldest_writer() returns table (held_back_s double precision, pid integer)
    language sql stable security definer set search_path = pg_catalog
as $$
    select extract(epoch from clock_timestamp() - a.xact_start)::float8, a.pid
    from pg_stat_activity a
    where a.backend_xid is not null and a.pid <> pg_backend_pid() and a.datname = current_database()
    order by a.xact_start limit 1
$$;
comment on function mes.oldest_writer is
    'pg_stat_activity shows backend_xid to members of the session''s own role alone.';
revoke all on function mes.oldest_writer() from public;
grant execute on function mes.oldest_writer() to lineside_app, lineside_reader;
"""


def upgrade() -> None:
    op.execute(SQL)
