"""Every table says where in the hierarchy its rows belong; empty is the whole site."""

from mes.migrations.live import add_scope, fill

revision = "erp_0004"
down_revision = "erp_0003"

TABLES = ("lane", "inbox", "cursor", "mirror_ledger", "mirror_stock", "link", "subject")


def upgrade() -> None:
    add_scope("erp", TABLES)
    fill(
        "erp.subject",
        """
        update erp.subject as t set scope = p.scope from erp.document p
        where p.subject = t.subject and p.scope <> '' and t.scope = ''
        """,
    )
