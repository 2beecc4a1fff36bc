"""Refunds settled by the act stage through rekon's own wallet book, against the raw durable commit rate.

The baseline writes the rows a settled refund leaves behind, as many to a commit as the act stage takes on at once; how
it stands to one refund a commit is told beside it.
"""

import asyncio
import sqlite3
import statistics
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from benchmarks import fast_server, installation
from benchmarks.figures import Figure, Options, main, paired, say, stopwatch
from sqlalchemy import Connection, func, select

from rekon import bootstrap
from rekon.domain.refund import RefundState
from rekon.stages import act, check, decide
from rekon.stages.act import lanes
from rekon.stages.context import Context
from rekon.store import schema
from rekon.store.engine import Store
from rekon.store.types import micros

REFUNDS = 500
REFUNDS_FULL = 2_000
TINY = 3
ROUNDS = 3
BAR = 0.3


def benchmark(options: Options) -> Iterator[Figure]:
    """Settle refunds of failures the provider has proved, and commit as much by the raw driver, in turns."""
    count, rounds = options.pick(tiny=TINY, usual=REFUNDS, full=REFUNDS_FULL), 1 if options.tiny else ROUNDS
    ours, raw, single = [], [], []
    with fast_server.running() as server, installation.quiet(), installation.folder() as place:
        config = installation.make(place, base_url=server.url(0), concurrency=64)
        for number in range(rounds):
            say(f"refunds: {count:,}, round {number + 1} of {rounds}")
            copies = [place / f"{name}{number}.sqlite3" for name in ("raw", "single")]
            ours.append(count / asyncio.run(_settle(config, copies, count=count, first=number * count)))
            raw.append(count / _commit(copies[0], count=count, batch=lanes.BATCH))
            single.append(count / _commit(copies[1], count=count, batch=1))
    yield Figure(
        name="refunds settled",
        value=statistics.median(ours),
        unit="/s",
        baseline=statistics.median(raw),
        against=f"/s raw, {lanes.BATCH} a commit",
        paired=paired(ours, raw),
        at_least=BAR,
    )
    yield Figure(
        name="the same",
        value=statistics.median(ours),
        unit="/s",
        baseline=statistics.median(single),
        against="/s raw, one a commit",
        paired=paired(ours, single),
    )


async def _settle(config: Path, copies: Sequence[Path], *, count: int, first: int) -> float:
    """Bring refunds to the point where only money has to move, then time the act stage alone."""
    house = bootstrap.open_installation(config)
    try:
        _fill(house.store, count=count, first=first)
        while await check.work(house.context):
            pass
        while await decide.work(house.context):
            pass
        assert _counted(house.store, RefundState.REQUESTED) == count
        for copy in copies:
            _copy(config.parent / bootstrap.SQLITE_FILE, copy)
        return await _act(house.context, count=first + count)
    finally:
        await house.close()


async def _act(context: Context, *, count: int) -> float:
    with stopwatch() as taken:
        while await act.work(context):
            pass
    assert _counted(context.store, RefundState.SETTLED) == count
    return taken[0]


def _fill(store: Store, *, count: int, first: int) -> None:
    """Store orders that failed ten minutes ago and were paid for: the first reply says so, and a check will agree."""
    at = installation.minutes_ago(10)
    orders, debits = [], []
    for number in range(first, first + count):
        reply = fast_server.answer_about(f"F{number:08d}")
        when = at + timedelta(milliseconds=number - first)
        orders.append(installation.order(number, at=when, prefix="F", order_status="failed", first_reply=reply))
        debits.append(installation.debit(number, at=when, prefix="F"))
    installation.take(store, orders)
    installation.take(store, debits, book="wallet")


def _counted(store: Store, state: RefundState) -> int:
    def count(connection: Connection) -> int:
        query = select(func.count()).select_from(schema.refunds).where(schema.refunds.c.state == state.value)
        return connection.execute(query).scalar_one()

    return store.read(count)


def _copy(database: Path, copy: Path) -> None:
    source, target = sqlite3.connect(database), sqlite3.connect(copy)
    source.backup(target)
    source.close()
    target.close()


def _commit(database: Path, *, count: int, batch: int) -> float:
    """Write what settled refunds leave behind, `batch` of them to a commit. Returns the seconds."""
    connection = sqlite3.connect(database, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    at = micros(installation.now())
    orders = connection.execute(
        "SELECT refund_id, transaction_key, agent_id, amount FROM refunds WHERE state = 'requested'"
    ).fetchall()
    assert len(orders) == count
    with stopwatch() as taken:
        for start in range(0, count, batch):
            connection.execute("BEGIN IMMEDIATE")
            for refund in orders[start : start + batch]:
                _write_one(connection, *refund, at=at)
            connection.execute("COMMIT")
    connection.close()
    return taken[0]


def _write_one(
    connection: sqlite3.Connection, refund: str, transaction: str, agent: str, amount: int, *, at: int
) -> None:
    key = f"raw:{refund}"
    connection.execute(
        "UPDATE refunds SET state = 'settled', submitted_at = ?, settled_at = ?, due_at = NULL, version = version + 1"
        " WHERE refund_id = ?",
        (at, at, refund),
    )
    connection.execute(
        "INSERT INTO book_lines (key, agent_id, transaction_id, amount, reason, at) VALUES (?, ?, ?, ?, 'B01', ?)",
        (key, agent, transaction, amount, at),
    )
    connection.execute(
        "INSERT INTO wallet_lines (key, source, agent_id, posted_at, amount, kind, transaction_key, reference,"
        " recorded_at) VALUES (?, 'raw', ?, ?, ?, 'refund', ?, ?, ?)",
        (key, agent, at, amount, transaction, key, at),
    )
    for step in ("submitted", "settled"):
        connection.execute(
            "INSERT INTO journal_entries (entry_id, event, description, occurred_at, recorded_at)"
            " VALUES (?, ?, '', ?, ?)",
            (f"{step[:3]}:{refund}"[:40], f"{key}:{step}", at, at),
        )
        connection.executemany(
            "INSERT INTO postings (entry_id, account, side, amount) VALUES (?, ?, ?, ?)",
            [(f"{step[:3]}:{refund}"[:40], f"raw_{side}", side, amount) for side in ("debit", "credit")],
        )
    connection.execute(
        "INSERT INTO evaluations (transaction_key, due_at) VALUES (?, ?)"
        " ON CONFLICT (transaction_key) DO UPDATE SET due_at = excluded.due_at WHERE excluded.due_at < due_at",
        (transaction, at),
    )


if __name__ == "__main__":
    main("refunds", benchmark)
