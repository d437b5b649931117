"""Who called for help may take the call back: it is over, and nobody comes."""

from alembic import op

revision = "mes_0011"
down_revision = "mes_0010"

SQL = """
alter table mes.help_call add withdrawn boolean not null default false;
comment on column mes.help_call.withdrawn is 'Taken back by answered_by: nobody comes.';
"""


def upgrade() -> None:
    op.execute(SQL)
