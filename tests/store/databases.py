"""Databases with the whole schema, made once by the migrations and copied for each test."""

import itertools
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, delete, make_url, text

from rekon.store import migrate, schema
from rekon.store.engine import Store
from tests import house

MIGRATIONS = house.ROOT / "migrations"
_NUMBERS = itertools.count(1)


def new_name() -> str:
    return f"rekon_store_{os.getpid()}_{next(_NUMBERS)}_{secrets.token_hex(3)}"


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


@contextmanager
def opened(url: str, audit_key: bytes = b"") -> Iterator[Store]:
    store = Store(url, audit_key=audit_key)
    try:
        yield store
    finally:
        store.close()


def fill_template(url: str) -> None:
    with opened(url) as store:
        migrate.upgrade(store, MIGRATIONS)


def copy_file(template: Path, folder: Path) -> str:
    copy = folder / "rekon.sqlite3"
    shutil.copyfile(template, copy)
    return sqlite_url(copy)


@contextmanager
def copied_database(template_url: str, server_url: str) -> Iterator[str]:
    """Copy a PostgreSQL database nobody is connected to, and drop the copy whoever is still connected."""
    name, template = new_name(), make_url(template_url).database
    administer(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        administer(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def empty(connection: Connection) -> None:
    """Remove every row; the guards stand aside for it."""
    connection.execute(text("SET LOCAL lock_timeout = '10s'"))
    guarded = [table.name for table in schema.APPEND_ONLY]
    for name in guarded:
        connection.execute(text(f"ALTER TABLE {name} DISABLE TRIGGER guard_{name}"))
    for table in reversed(schema.metadata.sorted_tables):
        connection.execute(delete(table))
    for name in guarded:
        connection.execute(text(f"ALTER TABLE {name} ENABLE TRIGGER guard_{name}"))


def administer(server_url: str, statement: str) -> None:
    engine = create_engine(server_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
