"""What both books agree on, event by event: no difference goes away by waiting."""

from alembic import op

revision = "erp_0002"
down_revision = "erp_0001"

SQL = """
create table erp.subject (
    subject    text primary key,
    site       text not null,
    costed     boolean not null default false,
    since      timestamptz not null default now(),
    reopened   int not null default 0,
    agreed_at  timestamptz
);
comment on table erp.subject is 'Events that both books must agree on; open ones are compared until they do.';
comment on column erp.subject.costed is 'The cost sub-ledger has an entry for it.';
comment on column erp.subject.reopened is 'Rises when something of it comes after the agreement.';
create index subject_open on erp.subject (subject) where agreed_at is null;
create index subject_by_age on erp.subject (since);

insert into erp.subject (subject, site, since)
select subject, min(site), min(recorded_at) from erp.document where subject <> 'opening' group by subject;
"""


def upgrade() -> None:
    op.execute(SQL)
