"""When a unit that stands is expected to run again, where somebody said so."""

from mes.migrations.live import alter

revision = "mes_0026"
down_revision = "mes_0025"

COLUMNS = ("alter table mes.equipment_status add column if not exists back_at timestamptz",)


def upgrade() -> None:
    """Leave everything as it is: nobody has said when."""
    alter(COLUMNS)
