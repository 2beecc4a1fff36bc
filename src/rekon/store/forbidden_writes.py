"""Try to change the append-only tables for real, in a unit of work that is always undone."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Delete,
    Integer,
    LargeBinary,
    Table,
    Update,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError

from rekon.store import schema
from rekon.store.engine import Store
from rekon.store.guards import REFUSAL
from rekon.store.types import Instant

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class _UndoneError(Exception):
    """Ends the unit of work of the attempts, so that nothing of it stays."""


def not_refused(store: Store) -> list[tuple[str, str]]:
    """Try UPDATE and DELETE on every append-only table and name (table, verb) of those that no guard refused."""
    allowed: list[tuple[str, str]] = []
    with suppress(_UndoneError), store.unit_of_work() as connection:
        if store.is_sqlite:
            connection.execute(text("PRAGMA defer_foreign_keys=ON"))
        for table in schema.APPEND_ONLY:
            if store.is_sqlite:
                _have_a_row(connection, table)
            allowed += [(table.name, verb) for verb, attempt in _attempts(table) if not _refused(connection, attempt)]
        raise _UndoneError
    return allowed


def _attempts(table: Table) -> Iterator[tuple[str, Update | Delete]]:
    key = next(iter(table.primary_key.columns))
    one = key.in_(select(key).limit(1).scalar_subquery())
    yield "UPDATE", update(table).where(one).values({key.name: key})
    yield "DELETE", delete(table).where(one)


def _refused(connection: Connection, attempt: Update | Delete) -> bool:
    """Say whether a guard refused; any other error is none of its doing."""
    try:
        with connection.begin_nested():
            connection.execute(attempt)
    except DBAPIError as error:
        return REFUSAL in str(error.orig)
    return False


def _have_a_row(connection: Connection, table: Table) -> None:
    """Put a row into an empty table, for SQLite's guards speak only when there is one to change."""
    if connection.execute(select(table).limit(1)).first() is None:
        values = {column.name: _something(column) for column in table.columns if not column.nullable}
        connection.execute(insert(table).values(values))


def _something(column: Column[Any]) -> object:
    if isinstance(column.type, Instant):
        return _LONG_AGO
    if isinstance(column.type, Boolean):
        return False
    if isinstance(column.type, Integer):
        return 1
    if isinstance(column.type, LargeBinary):
        return b""
    if isinstance(column.type, JSON):
        return {}
    return "debit" if column.name == "side" else "-"
