"""Which other way to a date was accepted, and which parts belong to one promise."""

from alembic import op

revision = "planner_0007"
down_revision = "planner_0006"
branch_labels = None

COLUMNS = """
alter table planner.promise add column option jsonb, add column whole uuid;
update planner.promise set whole = id;
alter table planner.promise alter column whole set not null;
create index promise_whole on planner.promise (whole);
comment on column planner.promise.option is 'Kind, date, price and terms as accepted; what is kept for it.';
comment on column planner.promise.whole is 'The promise that this is a part of; its own id where it is all.';
"""


def upgrade() -> None:
    """Add the columns; what was accepted before is a whole."""
    op.execute(COLUMNS)
