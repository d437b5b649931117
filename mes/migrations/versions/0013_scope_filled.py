"""Rows that are about a place say so, those from before too."""

from mes.migrations.live import fill

revision = "mes_0013"
down_revision = "mes_0012"

PLACED = {
    "sign_on": "mes.terminal p where p.terminal = t.terminal",
    "pin_attempt": "mes.terminal p where p.terminal = t.terminal",
    "command": "mes.terminal p where p.terminal = t.terminal",
    "setup_rule": "mes.equipment p where p.id = t.work_center",
    "rate": "mes.equipment p where p.id = t.code and t.kind = 'machine'",
    "equipment_fault": "mes.equipment p where p.id = t.equipment",
    "edge_gap": "mes.equipment p where p.id = t.equipment",
    "job_component": "mes.job_order p where p.id = t.job_order",
    "stock_movement": "mes.job_order p where p.id = t.job_order",
    "genealogy_edge": "mes.job_order p where p.id = t.job_order",
    "cost_waiting": "mes.event p where p.event_id = t.event_id",
}
"""Of each table what has the place of its rows."""


def upgrade() -> None:
    for table, place in PLACED.items():
        change = f"update mes.{table} as t set scope = p.scope from {place}"
        fill(f"mes.{table}", f"{change} and t.scope = '' and p.scope <> ''")
