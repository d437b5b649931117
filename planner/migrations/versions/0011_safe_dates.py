"""By when an accepted date is safely kept, as it was told to the customer."""

from mes.migrations.live import alter

revision = "planner_0011"
down_revision = "planner_0010"
branch_labels = None

COLUMNS = ("alter table planner.promise add column if not exists safe_at timestamptz",)


def upgrade() -> None:
    """Nobody knows any more what was told of the dates that were accepted before."""
    alter(COLUMNS)
