"""A step that no break may interrupt: a casting, a cure, a weld."""

from mes.migrations.live import alter

revision = "mes_0027"
down_revision = "mes_0026"

COLUMNS = ("alter table mes.step add column if not exists resumable boolean not null default true",)


def upgrade() -> None:
    """Leave every step as it is: it goes on after a break."""
    alter(COLUMNS)
