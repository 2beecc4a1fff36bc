"""Intake: a CSV of orders into the books in batches of 5,000, against a script with `csv` and the raw driver.

Both write the same rows into the same tables with the same indexes and the same durability; the script judges nothing.
"""

import csv
import itertools
import sqlite3
import statistics
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks import installation
from benchmarks.figures import Figure, Options, main, paired, say, stopwatch
from sqlalchemy import Connection, Table, select

from rekon import resources
from rekon.connectors.sources.files import read_rows
from rekon.domain.intake import Book
from rekon.store import intake, migrate, schema
from rekon.store.engine import Store
from rekon.store.types import micros

BATCH = 5_000
ROWS = 20_000
ROWS_FULL = 200_000
TINY = 100
ROUNDS = 3
BAR = 0.5
_COLUMNS = tuple(installation.order(0, at=installation.now()))
_COMPARED = (schema.transactions, schema.observations, schema.legs, schema.schedule, schema.evaluations)


def benchmark(options: Options) -> Iterator[Figure]:
    """Take the same file in both ways, in turns, and check that both left the same rows."""
    count, rounds = options.pick(tiny=TINY, usual=ROWS, full=ROWS_FULL), 1 if options.tiny else ROUNDS
    ours, scripts = [], []
    with installation.folder() as place:
        now = installation.now()
        orders, wallet = place / "transactions.csv", place / "wallet.csv"
        _write_orders(orders, count, at=now - timedelta(minutes=2))
        _write_wallet(wallet, count, at=now - timedelta(minutes=2))
        wallets: tuple[list[float], list[float]] = ([], [])
        for number in range(rounds):
            say(f"intake: {count:,} orders and wallet lines, round {number + 1} of {rounds}")
            mine, theirs = _empty(place / f"rekon{number}.sqlite3"), _empty(place / f"script{number}.sqlite3")
            scripts.append(count / _orders_by_script(theirs, orders, now=now))
            ours.append(count / _take(mine, orders, book=Book.TRANSACTIONS, now=now))
            wallets[1].append(count / _wallet_by_script(theirs, wallet, now=now))
            wallets[0].append(count / _take(mine, wallet, book=Book.WALLET, now=now))
            _check_equal(mine, theirs)
    yield _figure("intake of orders", ours, scripts)
    yield _figure("intake of wallet lines", *wallets)


def _figure(name: str, ours: Sequence[float], scripts: Sequence[float]) -> Figure:
    return Figure(
        name=name,
        value=statistics.median(ours),
        unit="rows/s",
        baseline=statistics.median(scripts),
        against="rows/s by script",
        paired=paired(ours, scripts),
        at_least=BAR,
    )


def _empty(path: Path) -> Path:
    store = Store(f"sqlite:///{path}")
    migrate.upgrade(store, resources.data_path("migrations"))
    store.close()
    return path


def _write_orders(path: Path, count: int, *, at: datetime) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, _COLUMNS)
        rows.writeheader()
        rows.writerows(installation.order(number, at=at) for number in range(count))


def _write_wallet(path: Path, count: int, *, at: datetime) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, tuple(installation.debit(0, at=at)))
        rows.writeheader()
        rows.writerows(installation.debit(number, at=at) for number in range(count))


def _take(database: Path, path: Path, *, book: Book, now: datetime) -> float:
    """Take a file in as the intake stage does. Returns the seconds."""
    store = Store(f"sqlite:///{database}")
    names = {Book.TRANSACTIONS: "orders", Book.WALLET: "wallet"}
    with stopwatch() as taken:
        rows = read_rows(path, book=book)
        while page := list(itertools.islice(rows, BATCH)):
            batch = intake.Batch(
                book=names[book],
                source=installation.SOURCE,
                rows=[row for _, row in page],
                origin=path.name,
                first_line=page[0][0],
            )
            done = store.write(intake.take, batch, now=now)
            assert done.accepted == len(page)
    store.close()
    return taken[0]


def _orders_by_script(database: Path, path: Path, *, now: datetime) -> float:
    """Write the same rows the shortest way there is. Returns the seconds."""
    connection = _raw(database)
    at = micros(now)
    with stopwatch() as taken, path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows)
        while page := list(itertools.islice(rows, BATCH)):
            _write_page(connection, page, at)
    connection.close()
    return taken[0]


def _write_page(connection: sqlite3.Connection, page: Sequence[Sequence[str]], at: int) -> None:
    orders, observations, legs, due, looked_at = [], [], [], [], []
    for (
        identity,
        agent,
        charged,
        ordered_at,
        status_at,
        sent_at,
        product,
        family,
        destination,
        price,
        face,
        status,
        provider,
        account,
        sold,
        ref,
    ) in page:
        key = f"toko:{identity}"
        leg = f"{key}#1"
        ordered, changed = micros(datetime.fromisoformat(ordered_at)), micros(datetime.fromisoformat(status_at))
        sent = micros(datetime.fromisoformat(sent_at))
        orders.append(
            (
                *(key, "toko", identity, agent, charged, ordered, product, family, destination),
                *(int(price), int(face), status, changed, at),
            )
        )
        observations.append((key, status, at))
        legs.append((leg, key, provider, account, ref, sold, destination, sent))
        due.append((leg, provider, at))
        looked_at.append((key, at))
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT INTO transactions (key, source, transaction_id, agent_id, charged_account, ordered_at, product, family,"
        " destination, price, face_value, order_status, status_at, recorded_at, channel, raw_order, repeat_counter)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '', '')",
        orders,
    )
    connection.executemany(
        "INSERT INTO observations (transaction_key, order_status, recorded_at) VALUES (?, ?, ?)", observations
    )
    connection.executemany(
        "INSERT INTO legs (key, transaction_key, leg_no, provider, provider_account, ref_id, provider_product,"
        " destination_sent, testing, allow_dot, cb_url, sent_at, send_state, send_count, state, checks_done, version)"
        " VALUES (?, ?, 1, ?, ?, ?, ?, ?, 0, 0, '', ?, 'sent', 1, 'open', 0, 0)",
        legs,
    )
    connection.executemany("INSERT INTO schedule (leg_key, provider, due_at) VALUES (?, ?, ?)", due)
    connection.executemany("INSERT INTO evaluations (transaction_key, due_at) VALUES (?, ?)", looked_at)
    connection.commit()


def _wallet_by_script(database: Path, path: Path, *, now: datetime) -> float:
    """Write the same wallet lines the shortest way there is. Returns the seconds."""
    connection = _raw(database)
    at = micros(now)
    with stopwatch() as taken, path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows)
        while page := list(itertools.islice(rows, BATCH)):
            lines = [
                (f"toko:{line}", agent, micros(datetime.fromisoformat(posted)), int(amount), kind, f"toko:{order}", at)
                for line, agent, posted, amount, kind, order in page
            ]
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO wallet_lines (key, source, agent_id, posted_at, amount, kind, transaction_key, reference,"
                " recorded_at) VALUES (?, 'toko', ?, ?, ?, ?, ?, '', ?)",
                lines,
            )
            connection.commit()
    connection.close()
    return taken[0]


def _raw(database: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(database, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _check_equal(mine: Path, theirs: Path) -> None:
    for table in (*_COMPARED, schema.wallet_lines):
        assert _rows(mine, table) == _rows(theirs, table), table.name


def _rows(database: Path, table: Table) -> list[tuple[object, ...]]:
    def read(connection: Connection) -> list[tuple[object, ...]]:
        return [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]

    store = Store(f"sqlite:///{database}")
    found = store.read(read)
    store.close()
    return found


if __name__ == "__main__":
    main("intake", benchmark)
