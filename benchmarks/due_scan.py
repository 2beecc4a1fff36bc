"""Finding due work: claim 500 legs from ever larger schedules, and read the next due times. Both have to stay flat."""

import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Any

from benchmarks import installation
from benchmarks.figures import Figure, Options, main, paired, say, stopwatch
from sqlalchemy import Boolean, Column, Connection, Table, text, update

from rekon import resources
from rekon.store import due, migrate, schedule, schema
from rekon.store.engine import Store
from rekon.store.types import micros
from tests import postgres

LIMIT = 500
DUE_SHARE = 1_000
"""One row in so many is due, but never fewer than two claims."""
SMALLEST = 100_000
USUAL = 1_000_000
LARGEST = 10_000_000
TINY = 2_000
REPEATS = 15
READS = 5
BAR = 1.5
WORKLOADS = ("sqlite", "postgresql")
_STEP = 1_000_000
_HISTORY_SHARE = 20
"""Rows of finished work for each so many open legs, in every table whose due times are read."""
_DONE = {"state": "'done'", "due_at": "NULL", "chase_due_at": "NULL", "aftercare_due_at": "NULL", "lease": "NULL"}
_COUNTED = {
    "sqlite": (
        "WITH RECURSIVE c(n) AS (SELECT {low} UNION ALL SELECT n + 1 FROM c WHERE n < {high} - 1),"
        " s(n, k) AS (SELECT n, printf('%09d', n) FROM c)"
    ),
    "postgresql": (
        "WITH c(n) AS (SELECT generate_series({low}, {high} - 1)), s(n, k) AS (SELECT n, lpad(n::text, 9, '0') FROM c)"
    ),
}
"""Numbers, and the same as text in the same order: rows laid in the order of their indexes are laid quickly."""


def benchmark(options: Options) -> Iterator[Figure]:
    """Measure both databases, each as far as it is there."""
    sizes = _sizes(options)
    for name, opened in (("sqlite", _sqlite), ("postgresql", _postgresql)):
        if options.workload in ("", name):
            yield from _measure(name, opened, sizes)


def _sizes(options: Options) -> tuple[int, ...]:
    """Go up by tens from the smallest table to the largest."""
    largest = options.size or options.pick(tiny=2 * TINY, usual=USUAL, full=LARGEST)
    smallest = TINY if options.tiny else min(SMALLEST, largest // 10)
    between = [smallest * 10**power for power in range(1, 9) if smallest * 10**power < largest]
    return (smallest, *between, largest)


def _measure(
    name: str, opened: Callable[[], AbstractContextManager["Opener"]], sizes: tuple[int, ...]
) -> Iterator[Figure]:
    """Take turns between the sizes, so that a busy moment falls on all of them."""
    claims: dict[int, list[float]] = {size: [] for size in sizes}
    reads: dict[int, list[float]] = {size: [] for size in sizes}
    with ExitStack() as stack:
        try:
            open_one = stack.enter_context(opened())
        except postgres.NoPostgresError as error:
            say(f"due-scan: {name} is left out: {error}")
            return
        now = installation.now()
        stores = {size: stack.enter_context(open_one(size)) for size in sizes}
        for size, store in stores.items():
            say(f"due-scan: {name} with {size:,} open legs")
            _fill(store, size, now=now)
        for turn in range(REPEATS + 1):
            for size, store in stores.items():
                took = _claim_ms(store, now=now), _read_ms(store)
                if turn:
                    claims[size].append(took[0])
                    reads[size].append(took[1])
    small, large = sizes[0], sizes[-1]
    for what, found in ((f"claim {LIMIT}", claims), ("due times", reads)):
        yield Figure(
            name=f"{name}: {what}, {large:,} rows",
            value=statistics.median(found[large]),
            unit="ms",
            baseline=statistics.median(found[small]),
            against=f"ms with {small:,}",
            paired=paired(found[large], found[small]),
            at_most=BAR,
            detail={f"{size:,} rows, ms": statistics.median(found[size]) for size in sizes},
        )


Opener = Callable[[int], AbstractContextManager[Store]]


@contextmanager
def _sqlite() -> Iterator[Opener]:
    with installation.folder() as place:
        yield lambda size: _prepared(f"sqlite:///{place / f'{size}.sqlite3'}")


@contextmanager
def _postgresql() -> Iterator[Opener]:
    with postgres.running_server(postgres.find_install()) as server:

        @contextmanager
        def opened(size: int) -> Iterator[Store]:
            with postgres.fresh_database(server, f"rekon_bench_{size}") as url, _prepared(url) as store:
                yield store

        yield opened


@contextmanager
def _prepared(url: str) -> Iterator[Store]:
    store = Store(url)
    migrate.upgrade(store, resources.data_path("migrations"))
    try:
        yield store
    finally:
        store.close()


def _claim_ms(store: Store, *, now: datetime) -> float:
    """Claim and commit; then lay the claimed rows back, so that the next claim finds the same work."""
    with stopwatch() as taken:
        found = store.write(
            schedule.claim, now=now, limit=LIMIT, lease="bench", lease_until=now + timedelta(seconds=60)
        )
    assert len(found) == LIMIT
    store.write(_lay_back, now=now)
    return 1000 * taken[0]


def _lay_back(connection: Connection, *, now: datetime) -> None:
    s = schema.schedule.c
    connection.execute(update(schema.schedule).where(s.lease == "bench").values(due_at=now, lease=None))


def _read_ms(store: Store) -> float:
    """Read the next due times often enough for the clock to see it."""
    with stopwatch() as taken:
        for _ in range(READS):
            store.read(due.times)
    return 1000 * taken[0] / READS


def _fill(store: Store, size: int, *, now: datetime) -> None:
    """Lay `size` open legs, their schedule, and a twentieth as much of finished work, straight in SQL."""
    ready = max(2 * LIMIT, size // DUE_SHARE)
    at, later = micros(now), micros(now + timedelta(hours=1))
    is_ready = f"CASE WHEN n < {ready} THEN {at} ELSE {later} + n END"
    plans: tuple[tuple[Table, int, dict[str, str]], ...] = (
        (schema.legs, size, {"key": "'toko:T' || k || '#1'", "state": "'open'", "send_state": "'sent'"}),
        (schema.schedule, size, {"leg_key": "'toko:T' || k || '#1'", "due_at": is_ready, "lease": "NULL"}),
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
    """Write without looking references up, which what is measured never follows, and without a journal."""
    before, after = (_QUICK, _CAREFUL) if store.is_sqlite else (_UNREFERENCED, _REFERENCED)
    with store.engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        for statement in before:
            raw.execute(statement)
        with connection.begin():
            yield connection
        for statement in after:
            raw.execute(statement)
        raw.commit()


_QUICK = (
    "PRAGMA foreign_keys=OFF",
    "PRAGMA journal_mode=OFF",
    "PRAGMA synchronous=OFF",
    "PRAGMA cache_size=-400000",
)
_CAREFUL = (
    "PRAGMA cache_size=-2000",
    "PRAGMA synchronous=FULL",
    "PRAGMA journal_mode=WAL",
    "PRAGMA foreign_keys=ON",
)
_UNREFERENCED = ("SET session_replication_role = replica",)
_REFERENCED = ("SET session_replication_role = DEFAULT",)


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
        return "'x' || k" if length >= len("x000000000") else "'x'"
    if "JSON" in kind:
        return "'[]'"
    return "'x'" if "BLOB" in kind or "BINARY" in kind else "n + 1"


if __name__ == "__main__":
    main("due_scan", benchmark, workloads=WORKLOADS)
