"""A database in memory that outlives the deaths of those who use it, and the places where they may die."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache

from sqlalchemy import Connection

from rekon import resources
from rekon.store import migrate
from rekon.store.engine import Store

Point = Callable[[str], None]
"""Called with the name of a place; raises `Crash` where the process is to die."""


class Crash(BaseException):
    """The process is gone. No handler of errors may catch it, and nothing of what it held is left but the database."""


@cache
def _template() -> sqlite3.Connection:
    """Migrate once; every simulated life starts on a copy."""
    store = Store("sqlite://")
    migrate.upgrade(store, resources.data_path("migrations"))
    kept = sqlite3.connect(":memory:", check_same_thread=False)
    raw(store).backup(kept)
    store.close()
    return kept


def raw(store: Store) -> sqlite3.Connection:
    """Reach the driver's own connection, beside every unit of work."""
    with store.engine.connect() as connection:
        driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        text = "the simulation plays on SQLite"
        raise TypeError(text)
    return driver


class Memory(Store):
    """The one database of a simulated installation."""

    def __init__(self) -> None:
        """Start with an empty database of the present schema."""
        super().__init__("sqlite://")
        _template().backup(raw(self))
        self.commits = 0

    def snapshot(self) -> sqlite3.Connection:
        """Copy the database as a backup would."""
        kept = sqlite3.connect(":memory:", check_same_thread=False)
        raw(self).backup(kept)
        return kept

    def restore(self, kept: sqlite3.Connection) -> None:
        """Put an older copy in place of the database."""
        kept.backup(raw(self))


class Mortal(Store):
    """One life's view of the database: before and after each commit it may end."""

    def __init__(self, memory: Memory, point: Point) -> None:
        """Share the connection of `memory`."""
        super().__init__("sqlite://")
        self._memory = memory
        self._writer = self._readers = memory.engine
        self._point = point

    @contextmanager
    def unit_of_work(self) -> Iterator[Connection]:
        """Open a unit of work with a place to die on either side of its commit."""
        self._point("work")
        with super().unit_of_work() as connection:
            yield connection
            self._point("before commit")
        self._memory.commits += 1
        self._point("after commit")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a short read."""
        self._point("read")
        with super().unit_of_work() as connection:
            yield connection

    def close(self) -> None:
        """Leave the database to the next life."""
        with suppress(AttributeError):
            del self._point
