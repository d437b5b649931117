"""A sign-on's receipt: what an act that waited in a browser shows to be its person's still."""

from alembic import op

revision = "mes_0006"
down_revision = "mes_0005"

SQL = """
alter table mes.sign_on add receipt uuid not null unique default gen_random_uuid();
comment on column mes.sign_on.receipt is 'Given to the browser that signed on; never listed.';
"""


def upgrade() -> None:
    op.execute(SQL)
