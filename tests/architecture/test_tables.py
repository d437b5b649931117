"""Every table says whose facts it holds."""

from dataclasses import dataclass

from mes.kernel.db import Database

OWNERS = ("mes", "planner", "erp")

WITHOUT_SITE = {
    "mes.alembic_version": "the schema's own version",
    "planner.alembic_version": "the schema's own version",
    "erp.alembic_version": "the schema's own version",
    "mes.consumer_cursor": "how far a consumer has read, of all sites",
    "mes.cost_account": "the chart of accounts is the enterprise's",
    "mes.edge_cursor": "keyed by edge; an edge stands at one site",
    "mes.edge_inbox": "keyed by edge; an edge stands at one site",
    "mes.edge_config": "keyed by edge; an edge stands at one site",
    "mes.edge_tally": "keyed by edge; an edge stands at one site",
    "mes.edge_link": "keyed by edge; an edge stands at one site",
}


WITHOUT_SCOPE = {
    "mes.setup_rule": "a rule of a work centre, read with it",
    "mes.work_master_operation": "how the whole site makes a product",
    "mes.equipment_fault": "at most one row for a unit, read with it",
    "mes.edge_inbox": "a reading as it came; the fact that it becomes has the scope",
    "mes.edge_tally": "counters of an edge, of units that the plant may not know",
    "mes.edge_gap": "a gap may be of a whole edge",
    "mes.cost_line": "its entry has the scope",
    "mes.command": "a reply kept for a retry; what the command changed has its own scope",
    "mes.sign_on": "of a terminal, which has the scope",
    "mes.pin_attempt": "of a terminal, which has the scope",
}
"""Tables that name equipment and no place below the site, and why."""

PLACES = {"equipment", "work_center", "terminal"}
"""Columns that name equipment; a terminal is its unit's."""


@dataclass(frozen=True, slots=True)
class Column:
    table: str
    column: str
    type: str


async def columns(db: Database) -> list[Column]:
    async with db.read() as tx:
        return await tx.fetch_all(
            Column,
            """
            select n.nspname || '.' || c.relname as table, a.attname as column,
                   format_type(a.atttypid, null) as type
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            where n.nspname = any(%(owners)s) and c.relkind in ('r', 'p') and not c.relispartition
            order by 1, a.attnum
            """,
            {"owners": list(OWNERS)},
        )


async def parents(db: Database) -> list[tuple[str, str]]:
    """Return each table with what it is a part of: parts are deleted or found by their whole."""
    async with db.read() as tx:
        rows = await tx.fetch_all(
            Column,
            """
            select n.nspname || '.' || c.relname as table, p.nspname || '.' || d.relname as column,
                   '' as type
            from pg_constraint k
            join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
            join pg_class d on d.oid = k.confrelid join pg_namespace p on p.oid = d.relnamespace
            join pg_index i on i.indrelid = c.oid and i.indisprimary
            where k.contype = 'f' and n.nspname = any(%(owners)s)
              and k.conkey <@ i.indkey::smallint[]
            """,
            {"owners": list(OWNERS)},
        )
    return [(row.table, row.column) for row in rows]


async def test_every_table_carries_its_site(db: Database) -> None:
    tables: dict[str, set[str]] = {}
    for found in await columns(db):
        tables.setdefault(found.table, set()).add(found.column)
    without = {table for table, names in tables.items() if "site" not in names}
    parts = {child for child, parent in await parents(db) if parent not in without}
    assert sorted(without - parts - set(WITHOUT_SITE)) == []


async def test_every_table_about_equipment_carries_its_scope(db: Database) -> None:
    """A right holds below a place of the hierarchy: what is about equipment says where that is."""
    tables: dict[str, set[str]] = {}
    for found in await columns(db):
        if found.table.startswith("mes."):
            tables.setdefault(found.table, set()).add(found.column)
    about = {table for table, names in tables.items() if names & PLACES}
    without = {table for table in about if "scope" not in tables[table]}
    assert sorted(without - set(WITHOUT_SCOPE)) == []
    assert sorted(set(WITHOUT_SCOPE) - without) == []


async def test_times_know_their_zone_and_amounts_are_exact(db: Database) -> None:
    """No `timestamp without time zone` anywhere; `real` and `money` never."""
    forbidden = {"timestamp without time zone", "time with time zone", "real", "money"}
    wrong = [f"{c.table}.{c.column}" for c in await columns(db) if c.type in forbidden]
    assert wrong == []
