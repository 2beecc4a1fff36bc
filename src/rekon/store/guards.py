"""Triggers that refuse to change the append-only tables.

Alembic's batch mode drops triggers silently, so they are installed after every migration and checked at every start.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, Table, text

from rekon.store.schema import APPEND_ONLY

_PG_FUNCTION = """
CREATE OR REPLACE FUNCTION rekon_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'append-only: % on % is refused', TG_OP, TG_TABLE_NAME; END $$
"""


class MissingGuardError(Exception):
    """An append-only table can be changed. Run `rekon db upgrade`; if that does not help, restore from a backup."""


def install_guards(connection: Connection) -> None:
    """Create every guard that is missing. Safe to call again."""
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:
        connection.execute(text(_PG_FUNCTION))
    for table in APPEND_ONLY:
        for statement in _sqlite_guards(table) if is_sqlite else _postgresql_guards(table):
            connection.execute(text(statement))


def _sqlite_guards(table: Table) -> Iterator[str]:
    for verb in ("UPDATE", "DELETE"):
        name = f"guard_{table.name}_{verb.lower()}"
        yield (
            f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {verb} ON {table.name} "
            f"BEGIN SELECT RAISE(ABORT, 'append-only: {verb} on {table.name} is refused'); END"
        )


def _postgresql_guards(table: Table) -> Iterator[str]:
    for verb, level in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
        name = f"guard_{table.name}_{level.lower()}"
        yield (
            f"CREATE OR REPLACE TRIGGER {name} BEFORE {verb} ON {table.name} "
            f"FOR EACH {level} EXECUTE FUNCTION rekon_refuse_change()"
        )


def missing_guards(connection: Connection) -> list[str]:
    """Name the guards that should be there and are not."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
        suffixes = ("update", "delete")
    else:
        rows = connection.execute(text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"))
        suffixes = ("row", "statement")
    present = {row[0] for row in rows}
    wanted = (f"guard_{table.name}_{suffix}" for table in APPEND_ONLY for suffix in suffixes)
    return [name for name in wanted if name not in present]
