"""What a refused record's refusal speaks of, for the pages to say it in the reader's language."""

from mes.migrations.live import alter

revision = "erp_0006"
down_revision = "erp_0005"


def upgrade() -> None:
    alter(
        (
            "alter table erp.inbox add if not exists params jsonb",
            "comment on column erp.inbox.params is 'Values that the refusal speaks of; null: none.'",
        )
    )
