"""A refused record says since when it is refused, however often it is tried again."""

from mes.migrations.live import alter

revision = "erp_0008"
down_revision = "erp_0007"


def upgrade() -> None:
    alter(
        (
            "alter table erp.inbox add if not exists tried_at timestamptz",
            "comment on column erp.inbox.tried_at is 'Tried last; null: as received_at.'",
        )
    )
