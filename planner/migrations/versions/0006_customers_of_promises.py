"""For whom a date was accepted whose order has no number yet."""

from alembic import op

revision = "planner_0006"
down_revision = "planner_0005"
branch_labels = None


def upgrade() -> None:
    """Add the column."""
    op.execute("alter table planner.promise add column customer text")
