"""Triggers that refuse to change the append-only tables.

Alembic's batch mode drops triggers silently, so they are made anew after every migration and checked at every start.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Table, inspect, text

from rekon.store.schema import APPEND_ONLY

REFUSAL = "append-only"
"""The first word of what a guard says, so that its refusal is told from any other error."""

_PG_FUNCTION = f"""
CREATE OR REPLACE FUNCTION rekon_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '{REFUSAL}: % on % is refused', TG_OP, TG_TABLE_NAME; END $$
"""


class MissingGuardError(Exception):
    """An append-only table can be changed. Run `rekon db upgrade`; if that does not help, restore from a backup."""


def install_guards(connection: Connection) -> None:
    """Make every guard anew, on those of the append-only tables that exist."""
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:
        connection.execute(text(_PG_FUNCTION))
    present = set(inspect(connection).get_table_names())
    for table in APPEND_ONLY:
        if table.name in present:
            for statement in _sqlite_guards(table) if is_sqlite else _postgresql_guards(table):
                connection.execute(text(statement))


def _sqlite_guards(table: Table) -> Iterator[str]:
    for verb in ("UPDATE", "DELETE"):
        name = f"guard_{table.name}_{verb.lower()}"
        yield f"DROP TRIGGER IF EXISTS {name}"
        yield (
            f"CREATE TRIGGER {name} BEFORE {verb} ON {table.name} "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}: {verb} on {table.name} is refused'); END"
        )


def _postgresql_guards(table: Table) -> Iterator[str]:
    """One guard a statement, so that it refuses even where no row would change."""
    yield (
        f"CREATE OR REPLACE TRIGGER guard_{table.name} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table.name} "
        "FOR EACH STATEMENT EXECUTE FUNCTION rekon_refuse_change()"
    )


def missing_guards(connection: Connection) -> list[str]:
    """Name the guards that should be there, on their own table and switched on, and are not."""
    if connection.dialect.name == "sqlite":
        query = "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'"
        suffixes: Sequence[str] = ("_update", "_delete")
    else:
        query = (
            "SELECT tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
            "WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') AND pg_table_is_visible(tgrelid)"
        )
        suffixes = ("",)
    present = {(name, table) for name, table in connection.execute(text(query))}
    wanted = [(f"guard_{table.name}{suffix}", table.name) for table in APPEND_ONLY for suffix in suffixes]
    return [name for name, table in wanted if (name, table) not in present]
