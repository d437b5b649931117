"""Differences that somebody has explained: named and kept, and no difference any more."""

from alembic import op

revision = "erp_0005"
down_revision = "erp_0004"

SQL = """
create table erp.explained (
    subject     text not null,
    kind        text not null check (kind in ('quantity', 'value')),
    what        text not null,
    site        text not null,
    scope       text not null default '',
    work_order  text not null,
    amount      numeric not null,
    why         text not null,
    reason      text not null,
    actor       text not null,
    at          timestamptz not null default now(),
    primary key (subject, kind, what)
);
comment on column erp.explained.amount is 'Plant less ERP; a difference of another amount is a new one.';
create index explained_by_age on erp.explained (at);
"""


def upgrade() -> None:
    op.execute(SQL)
