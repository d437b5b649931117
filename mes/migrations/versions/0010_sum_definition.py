"""Which definition of the elements the sums of hours and days were made by."""

from alembic import op

revision = "mes_0010"
down_revision = "mes_0009"

SQL = """
create table mes.equipment_sum_definition (
    site        text primary key,
    scope       text not null default '',
    definition  integer not null,
    since       timestamptz not null
);
comment on table mes.equipment_sum_definition is
    'The number of the definition that the sums of a site follow; a release with another one reads none of
     them until it has made them again.';
"""


def upgrade() -> None:
    op.execute(SQL)
