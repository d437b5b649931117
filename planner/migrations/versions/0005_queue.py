"""The task queue that scenarios are solved by: procrastinate's own tables, in a schema of their own.

Its functions name their tables without a schema; here each gets the schema to look in, so that a job may
be added in any transaction of ours. The schema's comment says of which version it is: the next revision
brings an older one up with procrastinate's own migrations, and leaves a newer one alone.
"""

from importlib.metadata import version

from alembic import op
from procrastinate.schema import SchemaManager

revision = "planner_0005"
down_revision = "planner_0004"
branch_labels = None

BEFORE = """
create schema if not exists procrastinate;
grant usage on schema procrastinate to lineside_app, lineside_reader;
alter default privileges in schema procrastinate
    grant select, insert, update, delete on tables to lineside_app;
alter default privileges in schema procrastinate grant usage, select on sequences to lineside_app;
alter default privileges in schema procrastinate grant select on tables to lineside_reader;
set local search_path to procrastinate;
"""

AFTER = """
do $$
declare one regprocedure;
begin
    for one in
        select oid::regprocedure from pg_proc where pronamespace = 'procrastinate'::regnamespace
    loop
        execute format('alter function %s set search_path to procrastinate', one);
    end loop;
end $$;
set local search_path to default;
"""


def upgrade() -> None:
    """Create the tables and functions."""
    connection = op.get_bind().execution_options(no_parameters=True)
    for script in (BEFORE, SchemaManager.get_schema(), AFTER):
        connection.exec_driver_sql(script)
    connection.exec_driver_sql(
        f"comment on schema procrastinate is 'procrastinate {version('procrastinate')}'"
    )
