"""Run the numbered changes of the schema on a connection that `rekon.store.migrate` brings.

The connection is inside a unit of work, so a change that fails leaves nothing behind on either database.
"""

from alembic import context
from sqlalchemy import Connection, text

from rekon.store import guards, schema
from rekon.store.inserts import wait_turn

LOCK_TIMEOUT = "10s"
"""A change that waits longer for a table would stop everybody behind it; it fails instead and is tried again later."""


def migrate(connection: Connection) -> None:
    """Take the turn, change the schema, and put the guards on again, for a table that was rebuilt has lost its own."""
    wait_turn(connection, "migrations")
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    context.configure(
        connection=connection,
        target_metadata=schema.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    guards.install_guards(connection)


migrate(context.config.attributes["connection"])
