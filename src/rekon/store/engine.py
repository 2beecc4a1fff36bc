"""Open the database and hand out units of work.

SQLite: one writer connection (`BEGIN IMMEDIATE`, `synchronous=FULL`) and a pool of read-only readers. PostgreSQL: an
ordinary pool. A unit of work is synchronous from begin to commit, so no network call can ever happen inside one.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

__all__ = [
    "Connection",
    "NestedUnitOfWorkError",
    "OrphanRowError",
    "Store",
    "WeakDurabilityError",
    "check_durability",
]

P = ParamSpec("P")
T = TypeVar("T")

AUDIT_KEY = "audit_key"
"""Execution option of every connection: what seals the audit (reliability 10.1). It is in no table."""
_BUSY_MILLISECONDS = 5_000
_READERS = 4
_CHECKPOINT_PAGES = 8_000
"""About 32 MB of log between two checkpoints: the default moved every page back dozens of times a minute."""
_CACHE_KIBIBYTES = -16_000
_ATTEMPTS_MAX = 5
_TRY_AGAIN = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock: PostgreSQL undid everything, and the same unit of work may simply run again."""
_SYNCHRONOUS_FULL = 2


class WeakDurabilityError(Exception):
    """The database may forget a commit after a power cut. Money is not entrusted to it; the text says which setting."""


class NestedUnitOfWorkError(RuntimeError):
    """A unit of work was opened inside another one of the same thread. Pass the connection on instead."""


class OrphanRowError(Exception):
    """A change of the schema left rows that point at nothing. It was undone; the text names the tables."""


class Store:
    """The database of one installation."""

    def __init__(self, url: str, *, audit_key: bytes = b"") -> None:
        """Prepare engines for `url` (`sqlite:///path` or `postgresql+psycopg://…`); nothing is opened yet.

        `audit_key` seals the audit; only a program that writes no audit may leave it empty.
        """
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._turn = threading.Lock()
        self._owner: int | None = None
        options = {AUDIT_KEY: audit_key}
        writer = _sqlite_writer(url) if self.is_sqlite else _postgresql(url)
        self._writer: Engine = writer.execution_options(**options)
        self._readers: Engine = _sqlite_readers(url).execution_options(**options) if self._has_file else self._writer

    @property
    def _has_file(self) -> bool:
        return self.is_sqlite and self.url.database not in (None, "", ":memory:")

    @property
    def engine(self) -> Engine:
        """The engine that writes."""
        return self._writer

    @contextmanager
    def unit_of_work(self) -> Iterator[Connection]:
        """Open a unit of work: everything in it commits together, or nothing does.

        Raises:
            NestedUnitOfWorkError: on SQLite, when this thread is inside one already.
        """
        if not self.is_sqlite:
            with self._writer.begin() as connection:
                yield connection
            return
        with self._alone(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Take the one writer's turn."""
        me = threading.get_ident()
        if self._owner == me:
            message = "a unit of work is already open in this thread"
            raise NestedUnitOfWorkError(message)
        with self._turn:
            self._owner = me
            try:
                yield
            finally:
                self._owner = None

    @contextmanager
    def changing_schema(self) -> Iterator[Connection]:
        """Open the unit of work of a migration: SQLite rebuilds tables in it, so references are checked at its end.

        Raises:
            OrphanRowError: when rows point at nothing afterwards; everything is undone.
        """
        if not self.is_sqlite:
            with self.unit_of_work() as connection:
                yield connection
            return
        with self._alone():
            self._set_foreign_keys("OFF")
            try:
                with self._writer.begin() as connection:
                    yield connection
                    _refuse_orphans(connection)
            finally:
                self._set_foreign_keys("ON")

    def _set_foreign_keys(self, word: str) -> None:
        """Switch outside of any unit of work: inside one SQLite ignores it."""
        raw = self._writer.raw_connection()
        raw.cursor().execute(f"PRAGMA foreign_keys={word}")
        raw.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a short read. It sees what was committed and cannot write on SQLite."""
        if self._readers is self._writer and self.is_sqlite:
            with self.unit_of_work() as connection:
                yield connection
            return
        with self._readers.connect() as connection:
            yield connection

    def write(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function(connection, …)` in a unit of work of its own, again from the start after a deadlock (D6)."""
        for _ in range(_ATTEMPTS_MAX - 1):
            try:
                return self._write_once(function, *args, **kwargs)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in _TRY_AGAIN:
                    raise
        return self._write_once(function, *args, **kwargs)

    def _write_once(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with self.unit_of_work() as connection:
            return function(connection, *args, **kwargs)

    def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function(connection, …)` on a short read."""
        with self.reading() as connection:
            return function(connection, *args, **kwargs)

    def close(self) -> None:
        """Close every connection."""
        self._readers.dispose()
        self._writer.dispose()


def _postgresql(url: str) -> Engine:
    return create_engine(url, hide_parameters=True, pool_pre_ping=True)


def _sqlite_writer(url: str) -> Engine:
    engine = create_engine(url, hide_parameters=True, poolclass=StaticPool, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _prepare_writer)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _sqlite_readers(url: str) -> Engine:
    engine = create_engine(url, hide_parameters=True, pool_size=_READERS, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _prepare_reader)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_writer(connection: sqlite3.Connection, _record: object) -> None:
    """Take over transaction control: the driver's own default silently loses updates."""
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={_BUSY_MILLISECONDS}",
        "journal_mode=WAL",
        f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
        f"cache_size={_CACHE_KIBIBYTES}",
        "synchronous=FULL",
        "foreign_keys=ON",
        "recursive_triggers=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_reader(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    for pragma in (f"busy_timeout={_BUSY_MILLISECONDS}", f"cache_size={_CACHE_KIBIBYTES}", "query_only=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _refuse_orphans(connection: Connection) -> None:
    orphans = {row[0] for row in connection.execute(text("PRAGMA foreign_key_check"))}
    if orphans:
        message = f"rows of {', '.join(sorted(orphans))} would point at nothing"
        raise OrphanRowError(message)


def check_durability(connection: Connection) -> None:
    """Refuse a database that could forget a commit (I13).

    Raises:
        WeakDurabilityError: naming the setting and what it has to be.
    """
    if connection.dialect.name == "sqlite":
        level = connection.execute(text("PRAGMA synchronous")).scalar_one()
        if level < _SYNCHRONOUS_FULL:
            message = f"PRAGMA synchronous is {level}; it has to be FULL (2) or EXTRA (3)"
            raise WeakDurabilityError(message)
        return
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        value = connection.execute(text(f"SHOW {name}")).scalar_one()
        if value == "off":
            message = f"PostgreSQL runs with {name} = off; set it to on"
            raise WeakDurabilityError(message)
