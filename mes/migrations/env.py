"""Alembic's environment for every owner's branch; run by `mes.migrate` only."""

from alembic import context

config = context.config
connection = config.attributes["connection"]
owner = config.attributes["owner"]

context.configure(
    connection=connection,
    version_table="alembic_version",
    version_table_schema=owner,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
