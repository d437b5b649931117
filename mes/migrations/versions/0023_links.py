"""What lies between a step and the one before it: time that must pass, and pieces that come on at a time."""

from mes.migrations.live import alter

revision = "mes_0023"
down_revision = "mes_0022"

COLUMNS = (
    "alter table mes.step add if not exists lag_min integer not null default 0 check (lag_min >= 0)",
    "alter table mes.step add if not exists transfer numeric check (transfer > 0)",
    "comment on column mes.step.lag_min is 'Least minutes after the step before: drying, cooling.'",
    "comment on column mes.step.transfer is 'So much comes on at a time; null: all of a job together.'",
)


def upgrade() -> None:
    alter(COLUMNS)
