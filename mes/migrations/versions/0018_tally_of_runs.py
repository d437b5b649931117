"""What a machine's earlier runs lost stays counted when its own total begins anew."""

from mes.migrations.live import alter

revision = "mes_0018"
down_revision = "mes_0017"

CHANGES = (
    "alter table mes.edge_tally add if not exists lost_before numeric not null default 0",
    "alter table mes.edge_tally add if not exists doubled_before numeric not null default 0",
    "comment on column mes.edge_tally.lost is 'Of all runs: one lasts until the total begins anew.'",
    "comment on column mes.edge_tally.lost_before is 'Of the runs that are over.'",
)


def upgrade() -> None:
    alter(CHANGES)
