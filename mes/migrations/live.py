"""Statements of a migration that are short for whoever uses the tables meanwhile."""

import time
from collections.abc import Iterable

from alembic import op
from sqlalchemy.exc import OperationalError

LOCK_TIMEOUT = "2s"
"""Whoever comes after a waiting `alter table` waits for it, too."""
LOCK_NOT_AVAILABLE = "55P03"
PATIENCE_S = 90.0
"""Longer than any session of ours holds a lock: its statements and its pauses are cut off before."""
CHUNK_PAGES = 1000
"""Pages of 8 kB that one statement of `fill` changes at the most."""


def alter(statements: Iterable[str]) -> None:
    """Run each statement in a transaction of its own, again until it gets its lock."""
    with op.get_context().autocommit_block():
        op.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")
        for statement in statements:
            _insist(statement)
        op.execute("reset lock_timeout")


def _insist(statement: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            op.execute(statement)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", "") != LOCK_NOT_AVAILABLE or time.monotonic() > until:
                raise
            time.sleep(1)
        else:
            return


def add_scope(schema: str, tables: Iterable[str]) -> None:
    """Give tables the column `scope`: no row is written anew, and all are the whole site's at first."""
    alter(
        f"alter table {schema}.{table} add if not exists scope text not null default ''" for table in tables
    )


def fill(table: str, change: str) -> None:
    """Change the rows of a table that are there, chunk by chunk, each in a transaction of its own.

    Args:
        table: With its schema.
        change: `update {table} as t set ... where ...`, to which the bounds of a chunk are added; what
            it changes it must not find again.
    """
    with op.get_context().autocommit_block():
        size = f"select pg_relation_size('{table}') / current_setting('block_size')::int"
        pages = op.get_bind().exec_driver_sql(size).scalar_one()
        for page in range(0, pages, CHUNK_PAGES):
            op.execute(f"{change} and t.ctid >= '({page},0)' and t.ctid < '({page + CHUNK_PAGES},0)'")
