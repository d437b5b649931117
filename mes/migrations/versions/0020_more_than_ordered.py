"""More than ordered can be made, as far as the policy says, and scrap is made up for."""

from mes.migrations.live import alter

revision = "mes_0020"
down_revision = "mes_0019"

CHANGES = (
    """
    alter table mes.policy
        add if not exists over_percent numeric not null default 0 check (over_percent between 0 and 100)
    """,
    "alter table mes.work_order drop constraint if exists work_order_check",
    """
    comment on column mes.work_order.quantity is
        'Ordered. What is made up for scrap or beyond it is in the quantity of the jobs.'
    """,
)


def upgrade() -> None:
    alter(CHANGES)
