"""A connection that can only read, for a short while: each database is told in its own words (reliability 10.3)."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url, text

TIMEOUT_SECONDS = 5
_STEPS_A_CHECK = 1_000_000
_CHECKS_MAX = 200
"""SQLite counts machine steps instead of seconds: 200 million of them, some seconds on any machine."""

_SETTINGS: dict[str, tuple[str, ...]] = {
    "postgresql": (
        "SET TRANSACTION READ ONLY",
        f"SET LOCAL statement_timeout = '{TIMEOUT_SECONDS}s'",
        f"SET LOCAL lock_timeout = '{TIMEOUT_SECONDS}s'",
    ),
    "mysql": (f"SET SESSION max_execution_time = {TIMEOUT_SECONDS * 1000}", "START TRANSACTION READ ONLY"),
    "mariadb": (f"SET SESSION max_statement_time = {TIMEOUT_SECONDS}", "START TRANSACTION READ ONLY"),
    "mssql": (f"SET LOCK_TIMEOUT {TIMEOUT_SECONDS * 1000}", "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"),
}
_CONNECT_ARGUMENTS: dict[str, dict[str, object]] = {
    "postgresql": {"connect_timeout": TIMEOUT_SECONDS, "options": "-c default_transaction_read_only=on"},
    "mysql": {"connect_timeout": TIMEOUT_SECONDS, "read_timeout": TIMEOUT_SECONDS},
    "mariadb": {"connect_timeout": TIMEOUT_SECONDS, "read_timeout": TIMEOUT_SECONDS},
    "mssql": {"login_timeout": TIMEOUT_SECONDS, "timeout": TIMEOUT_SECONDS},
}
_ALLOWED_ACTIONS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION})


class UnsupportedDatabaseError(ValueError):
    """rekon has no way to make this database read-only. Export files instead."""


def read_only_engine(url: str) -> Engine:
    """Build an engine that opens a server's database for reading only. Make it once; `dispose` it at the end.

    Raises:
        UnsupportedDatabaseError: for a database other than SQLite, PostgreSQL, MySQL, MariaDB and SQL Server.
    """
    parsed = make_url(url)
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        return create_engine("sqlite://", creator=_opener(parsed.database or ""), poolclass=NullPool)
    if kind not in _SETTINGS:
        reason = f"{kind} cannot be opened read-only"
        raise UnsupportedDatabaseError(reason)
    return create_engine(parsed, connect_args=_CONNECT_ARGUMENTS[kind], hide_parameters=True, pool_pre_ping=True)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection in a read-only transaction that is always rolled back and never lives long.

    Raises:
        UnsupportedDatabaseError: for a database that cannot be held to reading.
    """
    with engine.connect() as connection:
        # Only a connected dialect knows whether it speaks to MySQL or MariaDB.
        name = "mariadb" if getattr(engine.dialect, "is_mariadb", False) else engine.dialect.name
        if name == "sqlite":
            with _guarded(connection):
                yield connection
        else:
            _restrict(connection, name)
            yield connection
        connection.rollback()


def _restrict(connection: Connection, name: str) -> None:
    if name not in _SETTINGS:
        reason = f"{name} cannot be held to reading"
        raise UnsupportedDatabaseError(reason)
    for setting in _SETTINGS[name]:
        connection.execute(text(setting))


@contextmanager
def _guarded(connection: Connection) -> Iterator[None]:
    """Hold SQLite to reading, and give the connection back as it was: the same file may serve a gateway."""
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA query_only = ON")
    driver.set_authorizer(_authorize)
    driver.set_progress_handler(_patience(), _STEPS_A_CHECK)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)
        driver.set_authorizer(None)
        driver.execute("PRAGMA query_only = OFF")


def _authorize(action: int, _first: str | None, second: str | None, *_rest: str | None) -> int:
    if action not in _ALLOWED_ACTIONS or (action == sqlite3.SQLITE_FUNCTION and second == "load_extension"):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _patience() -> Callable[[], int]:
    """Return a handler that ends a statement after too many steps."""
    checks = iter(range(_CHECKS_MAX))
    return lambda: 0 if next(checks, None) is not None else 1


def _opener(database: str) -> Callable[[], sqlite3.Connection]:
    address = f"{Path(database).resolve().as_uri()}?mode=ro"

    def open_file() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=TIMEOUT_SECONDS, check_same_thread=False)

    return open_file
