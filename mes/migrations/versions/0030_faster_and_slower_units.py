"""A unit may be faster or slower than the routing says of its work centre."""

from mes.migrations.live import alter

revision = "mes_0030"
down_revision = "mes_0027"

COLUMNS = ("alter table mes.equipment add column if not exists time_percent integer not null default 100",)


def upgrade() -> None:
    """Leave every unit as it is: it takes the time of the routing."""
    alter(COLUMNS)
