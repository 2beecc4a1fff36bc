"""Write what came in: orders, wallet lines, statements, agents. Identity is (source, id); nothing enters twice."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, literal, select, update

from rekon.domain.books import Agent, StatementLine
from rekon.domain.intake import StatementKind
from rekon.domain.transaction import WalletLine, transaction_key
from rekon.store import evaluations, schedule, schema
from rekon.store.inserts import Upsert, insert_rows, upsert, upsert_in, wait_turn
from rekon.store.orders import is_history, record_orders
from rekon.store.recording import SETTLED_AFTER, Conflict, Recorded, existing
from rekon.store.types import micros

__all__ = [
    "SETTLED_AFTER",
    "Conflict",
    "Recorded",
    "advance_mark",
    "count",
    "existing",
    "is_history",
    "marks",
    "record_agents",
    "record_orders",
    "record_statement_lines",
    "record_wallet_lines",
    "upsert",
]

_MARKS = select(schema.marks)
_W = schema.wallet_lines.c
_REFERENCES = select(_W.transaction_key, _W.reference).where(
    _W.transaction_key.in_(bindparam("keys", expanding=True)), _W.reference != ""
)
_AMOUNT_DIFFERS = "jumlah berbeda dari baris yang sudah tercatat"
_BALANCE_DIFFERS = "saldo berbeda dari yang sudah tercatat untuk saat yang sama"
_BALANCES = frozenset({StatementKind.OPENING.value, StatementKind.CLOSING.value})
_OTHER = "berbeda dari baris yang sudah tercatat; periksa sumbernya"
_WALLET_COLUMNS = (
    "key",
    "source",
    "agent_id",
    "posted_at",
    "amount",
    "kind",
    "transaction_key",
    "balance_after",
    "reference",
    "sequence",
    "recorded_at",
)
_STATEMENT_PLAIN = ("provider", "account", "line_id", "ref_id", "amount", "kind", "balance_after")
_STATEMENT_COLUMNS = ("key", "posted_at", "recorded_at", *_STATEMENT_PLAIN)


def record_wallet_lines(connection: Connection, rows: Sequence[tuple[int, WalletLine]], *, now: datetime) -> Recorded:
    """Store wallet mutations. A line never changes; a different amount under one id is a conflict.

    What a line did not say at first, its purchase or its reference, is taken when it says it later.
    """
    for source in sorted({line.source for _, line in rows}):
        wait_turn(connection, f"wallet:{source}")
    batch = _WalletBatch(connection, rows, now)
    for index, line in rows:
        batch.take(index, line)
    batch.write()
    return batch.done


class _WalletBatch:
    """Wallet lines of one batch, compared with what is stored and with each other."""

    def __init__(self, connection: Connection, rows: Sequence[tuple[int, WalletLine]], now: datetime) -> None:
        w = schema.wallet_lines.c
        self.done = Recorded()
        self._connection = connection
        self._now = now
        keys = [line.key for _, line in rows]
        self._known = existing(connection, w.key, keys, w.agent_id, w.amount, w.transaction_key, w.reference)
        self._fresh: dict[str, tuple[WalletLine, str | None]] = {}
        self._learned: dict[str, dict[str, str | None]] = {}
        self._touched: dict[str, datetime] = {}

    def take(self, index: int, line: WalletLine) -> None:
        """Compare one line."""
        purchase = transaction_key(line.source, line.transaction_id) if line.transaction_id else None
        stored, fresh = self._known.get(line.key), self._fresh.get(line.key)
        if stored is None and fresh is None:
            self._fresh[line.key] = (line, purchase)
            self._accept(line, purchase)
            return
        agent_id, amount, named, reference = (
            tuple(stored)[1:] if stored is not None else _standing(*self._fresh[line.key])
        )
        learned = self._learned.get(line.key, {})
        named, reference = learned.get("transaction_key", named), learned.get("reference", reference)
        if amount != line.amount:
            self.done.conflicts.append(Conflict(index, "amount", _AMOUNT_DIFFERS))
        elif agent_id != line.agent_id:
            self.done.conflicts.append(Conflict(index, "agent_id", _OTHER))
        elif named and purchase and named != purchase:
            self.done.conflicts.append(Conflict(index, "transaction_id", _OTHER))
        elif (purchase and not named) or (line.reference and not reference):
            self._learned[line.key] = {"transaction_key": named or purchase, "reference": reference or line.reference}
            self._accept(line, named or purchase)
        else:
            self.done.unchanged += 1

    def _accept(self, line: WalletLine, purchase: str | None) -> None:
        self.done.accepted += 1
        if purchase:
            self._touched[purchase] = max(line.posted_at, self._touched.get(purchase, line.posted_at))

    def write(self) -> None:
        """Write the batch and have the purchases it speaks of looked at, but no history for old lines alone."""
        recorded_at = micros(self._now)
        rows = [_wallet_row(line, purchase, recorded_at=recorded_at) for line, purchase in self._fresh.values()]
        insert_rows(self._connection, schema.wallet_lines, _WALLET_COLUMNS, rows)
        learned = [{"line": key, **values} for key, values in sorted(self._learned.items())]
        if learned:
            change = update(schema.wallet_lines).where(schema.wallet_lines.c.key == bindparam("line"))
            self._connection.execute(change, learned)
        _look_again(self._connection, self._touched, now=self._now)


def _standing(line: WalletLine, purchase: str | None) -> tuple[str, int, str | None, str]:
    return line.agent_id, line.amount, purchase, line.reference


def _wallet_row(line: WalletLine, purchase: str | None, *, recorded_at: int) -> tuple[Any, ...]:
    return (
        line.key,
        line.source,
        line.agent_id,
        micros(line.posted_at),
        line.amount,
        line.kind.value,
        purchase,
        line.balance_after,
        line.reference,
        line.sequence,
        recorded_at,
    )


def _look_again(connection: Connection, posted: dict[str, datetime], *, now: datetime) -> None:
    """Recent lines wake any purchase; old ones come with imported history and wake only what is worked on anyway."""
    recent = sorted(key for key, at in posted.items() if now - at <= SETTLED_AFTER)
    old = sorted(key for key, at in posted.items() if now - at > SETTLED_AFTER)
    evaluations.touch_known(connection, recent, due_at=now)
    evaluations.touch_known(connection, old, due_at=now, history_after=SETTLED_AFTER)


def referenced(connection: Connection, pairs: Sequence[tuple[str, str]]) -> set[str]:
    """Name those references that a stored line of their purchase holds, of pairs of purchase and reference."""
    if not pairs:
        return set()
    found = connection.execute(_REFERENCES, {"keys": [key for key, _ in pairs]})
    stored = {(key, reference) for key, reference in found}
    return {reference for key, reference in pairs if (key, reference) in stored}


def record_statement_lines(
    connection: Connection, rows: Sequence[tuple[int, StatementLine]], *, now: datetime
) -> Recorded:
    """Store lines of provider statements and look again at the purchases they speak of."""
    done = Recorded()
    s = schema.statement_lines.c
    for provider in sorted({line.provider for _, line in rows}):
        wait_turn(connection, f"statement:{provider}")
    keyed = [(index, f"{line.provider}:{line.account}:{line.line_id}", line) for index, line in rows]
    known = existing(connection, s.key, [key for _, key, _ in keyed], s.amount, s.ref_id, s.balance_after)
    fresh: dict[str, StatementLine] = {}
    for index, key, line in keyed:
        before = known.get(key) or fresh.get(key)
        if before is None:
            fresh[key] = line
            done.accepted += 1
        elif before.amount != line.amount:
            done.conflicts.append(Conflict(index, "amount", _AMOUNT_DIFFERS))
        elif before.ref_id != line.ref_id:
            done.conflicts.append(Conflict(index, "ref_id", _OTHER))
        elif line.kind in _BALANCES and before.balance_after != line.balance_after:
            done.conflicts.append(Conflict(index, "balance_after", _BALANCE_DIFFERS))
        else:
            done.unchanged += 1
    recorded_at = micros(now)
    values = [_statement_row(key, line, recorded_at=recorded_at) for key, line in fresh.items()]
    insert_rows(connection, schema.statement_lines, _STATEMENT_COLUMNS, values)
    _look_at_refs(connection, fresh.values(), now=now)
    return done


def _statement_row(key: str, line: StatementLine, *, recorded_at: int) -> tuple[Any, ...]:
    return (key, micros(line.posted_at), recorded_at, *(getattr(line, name) for name in _STATEMENT_PLAIN))


def _look_at_refs(connection: Connection, lines: Iterable[StatementLine], *, now: datetime) -> None:
    named = [line for line in lines if line.ref_id]
    recent = [(line.provider, line.ref_id) for line in named if now - line.posted_at <= SETTLED_AFTER]
    old = [(line.provider, line.ref_id) for line in named if now - line.posted_at > SETTLED_AFTER]
    credited = [(line.provider, line.ref_id) for line in named if line.amount > 0]
    schedule.wake_refs(connection, credited, now=now)
    evaluations.touch_refs(connection, recent, due_at=now)
    evaluations.touch_refs(connection, old, due_at=now, history_after=SETTLED_AFTER)


def record_agents(connection: Connection, agents: Sequence[Agent]) -> int:
    """Store or refresh agents; the newest row wins."""
    names = ("name", "zone", "channel", "address", "registered_at")
    newest = {agent.agent_id: agent for agent in agents}
    rows = [
        {"agent_id": key, **{name: getattr(agent, name) for name in names}} for key, agent in sorted(newest.items())
    ]
    if rows:
        statement = upsert(connection, schema.agents)
        fresh = {name: statement.excluded[name] for name in names}
        connection.execute(statement.on_conflict_do_update(index_elements=["agent_id"], set_=fresh), rows)
    return len(agents)


def advance_mark(connection: Connection, *, source: str, book: str, read_to: datetime, now: datetime) -> None:
    """Note that a book is complete up to `read_to`. A mark never goes back."""
    mark = {"source": source, "book": book, "read_to": read_to, "recorded_at": now}
    connection.execute(_marking(connection.dialect.name), mark)


@cache
def _marking(dialect: str) -> Upsert:
    statement = upsert_in(dialect, schema.marks)
    said = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["source", "book"],
        set_={"read_to": said.read_to, "recorded_at": said.recorded_at},
        where=said.read_to > schema.marks.c.read_to,
    )


def marks(connection: Connection) -> dict[tuple[str, str], datetime]:
    """Read how far each book of each source was read."""
    rows = connection.execute(_MARKS).mappings()
    return {(row["source"], row["book"]): row["read_to"] for row in rows}


def count(connection: Connection, table: Table) -> int:
    """Count the rows of a table, for reports and tests only."""
    return connection.execute(select(func.count(literal(1))).select_from(table)).scalar_one()
