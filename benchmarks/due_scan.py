"""Finding due work: claim 500 legs from ever larger schedules, and read the next due times. Both have to stay flat."""

import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from benchmarks import installation
from benchmarks.figures import Figure, Options, main, say, stopwatch
from sqlalchemy import Boolean, Column, Connection, Table, text, update

from rekon import resources
from rekon.store import due, migrate, schedule, schema
from rekon.store.engine import Store
from rekon.store.types import micros
from tests import postgres

LIMIT = 500
DUE_SHARE = 1_000
"""One row in so many is due, but never fewer than two claims."""
SIZES = (100_000, 1_000_000)
SIZES_FULL = (100_000, 1_000_000, 10_000_000)
REPEATS = 15
BAR = 1.5
WORKLOADS = ("sqlite", "postgresql")
_STEP = 1_000_000
_HISTORY_SHARE = 10
"""Rows of finished work for each so many open legs, in every table whose due times are read."""
_DONE = {"state": "'done'", "due_at": "NULL", "chase_due_at": "NULL", "aftercare_due_at": "NULL", "lease": "NULL"}
_COUNTED = {
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT {low} UNION ALL SELECT n + 1 FROM s WHERE n < {high} - 1)",
    "postgresql": "WITH s(n) AS (SELECT generate_series({low}, {high} - 1))",
}


def benchmark(options: Options) -> Iterator[Figure]:
    """Measure both databases, each as far as it is there."""
    sizes = SIZES_FULL if options.full else SIZES
    for name, opened in (("sqlite", _sqlite), ("postgresql", _postgresql)):
        if options.workload in ("", name):
            yield from _measure(name, opened, sizes)


def _measure(name: str, opened: Callable[[], Any], sizes: tuple[int, ...]) -> Iterator[Figure]:
    claims: dict[int, float] = {}
    reads: dict[int, float] = {}
    for size in sizes:
        say(f"due-scan: {name} with {size:,} open legs")
        try:
            with opened() as store:
                now = installation.now()
                _fill(store, size, now=now)
                claims[size] = _claim_time(store, now=now)
                reads[size] = _median_ms(lambda store=store: store.read(due.times))
        except postgres.NoPostgresError as error:
            say(f"due-scan: {name} is left out: {error}")
            return
    small, large = sizes[0], sizes[-1]
    for what, found in ((f"claim {LIMIT}", claims), ("due times", reads)):
        yield Figure(
            name=f"{name}: {what}, {large:,} rows",
            value=found[large],
            unit="ms",
            baseline=found[small],
            against=f"ms with {small:,}",
            at_most=BAR,
            detail={f"{size:,} rows, ms": found[size] for size in sizes},
        )


@contextmanager
def _sqlite() -> Iterator[Store]:
    with installation.folder() as place:
        yield from _prepared(f"sqlite:///{place / 'scan.sqlite3'}")


@contextmanager
def _postgresql() -> Iterator[Store]:
    with (
        postgres.running_server(postgres.find_install()) as server,
        postgres.fresh_database(server, "rekon_bench") as url,
    ):
        yield from _prepared(url)


def _prepared(url: str) -> Iterator[Store]:
    store = Store(url)
    migrate.upgrade(store, resources.data_path("migrations"))
    try:
        yield store
    finally:
        store.close()


def _claim_time(store: Store, *, now: datetime) -> float:
    """Claim, commit, and lay the claimed rows back: a later claim finds the same work."""

    def claim() -> None:
        found = store.write(
            schedule.claim, now=now, limit=LIMIT, lease="bench", lease_until=now + timedelta(seconds=60)
        )
        assert len(found) == LIMIT

    return _median_ms(claim, after=lambda: store.write(_lay_back, now=now))


def _lay_back(connection: Connection, *, now: datetime) -> None:
    s = schema.schedule.c
    connection.execute(update(schema.schedule).where(s.lease == "bench").values(due_at=now, lease=None))


def _median_ms(work: Callable[[], object], *, after: Callable[[], object] = lambda: None) -> float:
    work()
    after()
    found = []
    for _ in range(REPEATS):
        with stopwatch() as taken:
            work()
        found.append(1000 * taken[0])
        after()
    return statistics.median(found)


def _fill(store: Store, size: int, *, now: datetime) -> None:
    """Lay `size` open legs, their schedule, and a tenth as much of finished work, straight in SQL."""
    ready = max(2 * LIMIT, size // DUE_SHARE)
    at, later = micros(now), micros(now + timedelta(hours=1))
    is_ready = f"CASE WHEN n < {ready} THEN {at} ELSE {later} + n END"
    plans: tuple[tuple[Table, int, dict[str, str]], ...] = (
        (schema.legs, size, {"key": "'toko:T' || n || '#1'", "state": "'open'", "send_state": "'sent'"}),
        (schema.schedule, size, {"leg_key": "'toko:T' || n || '#1'", "due_at": is_ready, "lease": "NULL"}),
        (schema.evaluations, size, {"due_at": f"{later} + n"}),
        *((table, size // _HISTORY_SHARE, _DONE) for table in _FINISHED),
    )
    with _unbound(store) as connection:
        for table, count, values in plans:
            for low in range(0, count, _STEP):
                _insert(connection, table, low=low, high=min(low + _STEP, count), values=values)
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


_FINISHED = (
    schema.inbox,
    schema.refunds,
    schema.order_results,
    schema.vouchers,
    schema.messages,
    schema.cases,
    schema.complaints,
    schema.answers,
    schema.promises,
)


@contextmanager
def _unbound(store: Store) -> Iterator[Connection]:
    """Write without looking references up: what is measured never follows them."""
    off, on = (
        ("PRAGMA foreign_keys=OFF", "PRAGMA foreign_keys=ON")
        if store.is_sqlite
        else ("SET session_replication_role = replica", "SET session_replication_role = DEFAULT")
    )
    with store.engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        raw.execute(off)
        with connection.begin():
            yield connection
        raw.execute(on)
        raw.commit()


def _insert(connection: Connection, table: Table, *, low: int, high: int, values: Mapping[str, str]) -> None:
    """Fill the columns that are named or that need something. Work that is done is due no more."""
    columns = [column for column in table.columns if column.name in values or not column.nullable]
    given = {column.name: values.get(column.name, _value(column)) for column in columns}
    given |= {column.name: _value(column) for column in columns if given[column.name] == "NULL" and not column.nullable}
    names = ", ".join(f'"{name}"' for name in given)
    counted = _COUNTED[connection.dialect.name].format(low=low, high=high)
    rows = f"{counted} SELECT {', '.join(given.values())} FROM s"  # noqa: S608 - columns of our own tables
    connection.execute(text(f"INSERT INTO {table.name} ({names}) {rows}"))


def _value(column: Column[Any]) -> str:
    """Write something of the column's type that is different in every row."""
    if isinstance(column.type, Boolean):
        return "FALSE"
    kind = column.type.compile().upper()
    if "CHAR" in kind or "TEXT" in kind:
        length = getattr(column.type, "length", None) or 40
        return "'x' || n" if length >= len("x10000000") else "'x'"
    if "JSON" in kind:
        return "'[]'"
    return "'x'" if "BLOB" in kind or "BINARY" in kind else "n + 1"


if __name__ == "__main__":
    main("due_scan", benchmark, workloads=WORKLOADS)
