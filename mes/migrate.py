"""Bring the databases to this version's tables: one branch of raw-SQL revisions per owner."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Literal

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text

from mes.kernel.log import get_logger

logger = get_logger(__name__)

LOCK = 0x4C494E45
"""Advisory lock key ("LINE"): two processes never migrate at once."""


@dataclass(frozen=True, slots=True)
class Branch:
    """The tables of one owner.

    Args:
        owner: Name of its schema.
        package: Package that holds `versions/`, such as `mes.migrations`.
        database: `mes` for DATABASE_URL, `historian` for HISTORIAN_URL.
        always: Statement after every upgrade, whether or not there was anything to do.
        restored: Statement after the database was put back to a backup.
    """

    owner: str
    package: str
    database: Literal["mes", "historian"] = "mes"
    always: str = ""
    restored: str = ""


BRANCH = Branch(
    owner="mes",
    package="mes.migrations",
    always="select mes.continue_events()",
    restored="select mes.restored()",
)

ROLES = """
do $$
declare name text;
begin
    foreach name in array array['lineside_app', 'lineside_reader'] loop
        begin
            execute format('create role %I nologin', name);
        exception when duplicate_object or unique_violation then null;
        end;
        execute format('grant %I to current_user', name);
    end loop;
end $$
"""

SCHEMA = """
create schema if not exists {owner};
grant usage on schema {owner} to lineside_app, lineside_reader;
alter default privileges in schema {owner}
    grant select, insert, update, delete on tables to lineside_app;
alter default privileges in schema {owner} grant usage, select on sequences to lineside_app;
alter default privileges in schema {owner} grant select on tables to lineside_reader;
"""


def branches() -> list[Branch]:
    """Return every installed owner's branch, `mes` first."""
    found: list[Branch] = [entry.load() for entry in entry_points(group="mes.migrations")]
    return sorted(found, key=lambda branch: (branch.owner != "mes", branch.owner))


def migrate(database_url: str, historian_url: str) -> None:
    """Upgrade every branch to its newest revision, under an advisory lock.

    Args:
        database_url: The MES database, as its owner.
        historian_url: The time-series database; may be the same.
    """
    urls = {"mes": database_url, "historian": historian_url}
    for branch in branches():
        with _connected(urls[branch.database]) as connection:
            _upgrade(connection, branch)
            _carry_out(connection, branch.always)


def restored(database_url: str, historian_url: str) -> None:
    """Let each owner settle what no longer holds of its tables, after a backup was put back and migrated."""
    urls = {"mes": database_url, "historian": historian_url}
    for branch in branches():
        with _connected(urls[branch.database]) as connection:
            _carry_out(connection, branch.restored)


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine(_sqlalchemy_url(url))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _carry_out(connection: Connection, statement: str) -> None:
    if statement:
        connection.execute(text(statement))
        connection.commit()


def _upgrade(connection: Connection, branch: Branch) -> None:
    connection.execute(text("select pg_advisory_lock(:key)"), {"key": LOCK})
    try:
        connection.execute(text(ROLES))
        connection.execute(text(SCHEMA.format(owner=branch.owner)))
        connection.commit()
        config = Config()
        config.set_main_option("script_location", str(files("mes.migrations")))
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", str(files(branch.package) / "versions"))
        config.attributes |= {"connection": connection, "owner": branch.owner}
        command.upgrade(config, "heads")
        connection.commit()
        logger.info("migrated", owner=branch.owner)
    finally:
        connection.rollback()
        connection.execute(text("select pg_advisory_unlock(:key)"), {"key": LOCK})
        connection.commit()


def _sqlalchemy_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
