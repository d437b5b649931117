"""A step that must follow the one before it in time: paint after washing, the oven after kneading."""

from mes.migrations.live import alter

revision = "mes_0024"
down_revision = "mes_0023"

COLUMNS = (
    "alter table mes.step add if not exists most_min integer check (most_min >= lag_min)",
    "comment on column mes.step.most_min is 'Most minutes after the step before; null: it may wait.'",
)


def upgrade() -> None:
    alter(COLUMNS)
