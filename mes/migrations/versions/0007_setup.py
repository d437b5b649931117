"""How fine a material's quantities are, and the plant file that was applied last."""

from alembic import op

revision = "mes_0007"
down_revision = "mes_0006"

SQL = """
alter table mes.material add digits smallint not null default 6 check (digits between 0 and 12);
comment on column mes.material.digits is 'Decimals of its quantities; 0 for what is counted.';
update mes.material set digits = 0 where uom = 'pc';

create table mes.plant_file (
    site        text primary key,
    definition  jsonb not null,
    applied_at  timestamptz not null,
    applied_by  text not null
);
comment on table mes.plant_file is
    'The plant file as it was applied last: what differs from it in the tables, people changed.';
"""


def upgrade() -> None:
    op.execute(SQL)
