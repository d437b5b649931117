"""The newest finished job orders of a work centre, found at once: what a planner learns its pace from."""

from mes.migrations.live import alter

revision = "mes_0025"
down_revision = "mes_0024"

CHANGES = (
    """
    create index if not exists job_order_finished on mes.job_order (work_center, completed_at desc)
        where completed_at is not null and not simulated
    """,
)


def upgrade() -> None:
    alter(CHANGES)
