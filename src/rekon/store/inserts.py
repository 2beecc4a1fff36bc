"""Ways of writing rows that both databases share: upserts, many rows at once, and waiting for one's turn."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

Upsert: TypeAlias = postgresql.Insert | sqlite.Insert

_TURNS = 7265
"""Seed of the lock numbers, so that they meet nobody else's on a shared server."""


def upsert(connection: Connection, table: Table) -> Upsert:
    """Return the dialect's INSERT that knows ON CONFLICT."""
    return upsert_in(connection.dialect.name, table)


def upsert_in(dialect: str, table: Table) -> Upsert:
    """Return the INSERT that knows ON CONFLICT, for statements that are built once for each dialect."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def insert_rows(connection: Connection, table: Table, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert many rows the driver's own way: COPY on PostgreSQL, one prepared statement on SQLite.

    Values are what the database keeps, not what the column types take: instants as microseconds, words as plain text.
    """
    if not rows:
        return
    quote = connection.dialect.identifier_preparer
    target = f"{quote.format_table(table)} ({', '.join(quote.quote(name) for name in names)})"
    if connection.dialect.name == "postgresql":
        _copy(connection, target, rows)
        return
    marks = ", ".join("?" * len(names))
    connection.exec_driver_sql(f"INSERT INTO {target} VALUES ({marks})", list(rows))  # noqa: S608 - our own names only


def _copy(connection: Connection, target: str, rows: Sequence[tuple[Any, ...]]) -> None:
    cursor: Any = connection.connection.cursor()
    with cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def wait_turn(connection: Connection, name: str) -> None:
    """Let units of work with the same name follow each other. On SQLite there is only one at a time anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, _TURNS))))
