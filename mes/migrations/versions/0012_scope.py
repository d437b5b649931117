"""Every table says where in the hierarchy its rows belong; empty is the whole site."""

from mes.migrations.live import add_scope, alter

revision = "mes_0012"
down_revision = "mes_0011"

TABLES = (
    "command", "account", "service_token", "session", "one_time_link", "badge", "pin_attempt", "sign_on",
    "audit_block", "calendar", "skill", "person", "attendance", "reason", "setup_family", "setup_rule",
    "rate", "policy", "plant_file", "material", "standard_price", "work_master", "customer_order",
    "job_component", "stock_movement", "expected_receipt", "serial_unit", "genealogy_edge", "as_built",
    "plan", "promise", "equipment_fault", "edge_gap", "edge_link", "cost_waiting",
)  # fmt: skip

EDGES = (
    "alter table mes.edge_link add if not exists site text not null default ''",
    """
    update mes.edge_link set site = (select site from mes.policy order by site limit 1)
    where site = '' and exists (select from mes.policy)
    """,
)


def upgrade() -> None:
    add_scope("mes", TABLES)
    alter(EDGES)
