"""Every table says whose facts it holds."""

from dataclasses import dataclass

from mes.kernel.db import Database
from mes.supervisor import backup

OWNERS = ("mes", "planner", "erp")

FOREIGN = {
    "historian": "may be a database of its own, which knows no hierarchy; a series names its equipment",
    "procrastinate": "a library's tables; the scenario that a job is for has site and scope",
}
"""Schemas whose tables say neither site nor scope, and why."""

WITHOUT = {
    "mes.alembic_version": "the schema's own version",
    "planner.alembic_version": "the schema's own version",
    "erp.alembic_version": "the schema's own version",
    "mes.event_base": "of the database: what its cluster's transaction numbers lack",
    "mes.consumer_cursor": "how far a consumer has read, of all sites",
    "mes.cost_account": "sums of the enterprise's chart of accounts; the entries have site and scope",
    "mes.edge_cursor": "of an edge, whose link says where it stands",
    "mes.edge_inbox": "a reading as it came; the fact that it becomes has site and scope",
    "mes.edge_config": "of an edge, whose link says where it stands",
    "mes.edge_tally": "of an edge; it counts units that the plant may not know",
}
"""Tables that are no part of another and say neither site nor scope, and why."""


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


async def test_every_table_carries_its_site_and_its_scope(db: Database) -> None:
    """A right holds at a site and below a place of it: a row says where it belongs, or its whole does."""
    tables: dict[str, set[str]] = {}
    for found in await columns(db):
        tables.setdefault(found.table, set()).add(found.column)
    without = {table for table, names in tables.items() if not {"site", "scope"} <= names}
    parts = {child for child, whole in await parents(db) if whole not in without}
    assert sorted(without - parts - set(WITHOUT)) == []
    assert sorted(set(WITHOUT) - without) == []
    assert sorted(table for table in without if tables[table] & {"site", "scope"}) == []


async def test_every_schema_is_known_and_in_the_backup(db: Database) -> None:
    """A table that no backup holds is lost at the first restore."""
    async with db.read() as tx:
        schemas = await tx.value(
            "select array_agg(distinct schemaname::text) from pg_tables"
            " where schemaname !~ '^pg_|^information_'"
        )
    assert set(schemas) == {*OWNERS, *FOREIGN} == set(backup.OWNERS)


async def test_times_know_their_zone_and_amounts_are_exact(db: Database) -> None:
    """No `timestamp without time zone` anywhere; `real` and `money` never."""
    forbidden = {"timestamp without time zone", "time with time zone", "real", "money"}
    wrong = [f"{c.table}.{c.column}" for c in await columns(db) if c.type in forbidden]
    assert wrong == []
