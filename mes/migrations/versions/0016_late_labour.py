"""Work that is told late stands beside what the same person began since: each interval finds its own end."""

from mes.migrations.live import alter

revision = "mes_0016"
down_revision = "mes_0015"

CHANGES = (
    """
    create unique index if not exists one_open_interval_of_a_person_on_a_job
        on mes.personnel_actual (person, simulated, job_order) where ended_at is null
    """,
    """
    create index if not exists personnel_actual_of_person on mes.personnel_actual (person, started_at)
    """,
    "drop index if exists mes.one_open_interval_per_person",
)


def upgrade() -> None:
    alter(CHANGES)
