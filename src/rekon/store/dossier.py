"""Gather everything the rules look at, for a batch of transactions at once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Table, select

from rekon.domain.breaks import BreakKind, BreakState
from rekon.domain.facts import BreakFact, History, Twin
from rekon.domain.outcome import StatusReport
from rekon.domain.refund import Refund
from rekon.domain.transaction import Leg, RefundOwner, Transaction, WalletLine
from rekon.store import books, reports, rows, schema


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRules:
    """What the configuration says about a source."""

    refund_owner: RefundOwner
    lag: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """The books of one transaction, as stored."""

    transaction: Transaction
    legs: tuple[Leg, ...]
    wallet_lines: tuple[WalletLine, ...]
    reports: tuple[StatusReport, ...]
    history: History


Grouped = Mapping[str, list[Any]]


def load(
    connection: Connection, keys: Sequence[str], *, sources: Mapping[str, SourceRules], twin_window: timedelta
) -> list[Dossier]:
    """Load the books of these transactions, in the order of `keys`."""
    if not keys:
        return []
    found = connection.execute(select(schema.transactions).where(schema.transactions.c.key.in_(keys))).mappings()
    transactions = {row["key"]: rows.transaction(row) for row in found}
    legs = _group(connection, schema.legs, schema.legs.c.transaction_key, keys)
    lines = _group(connection, schema.wallet_lines, schema.wallet_lines.c.transaction_key, keys)
    said = reports.of_legs(connection, [row["key"] for group in legs.values() for row in group])
    histories = _Histories(connection, keys, legs=legs, sources=sources, twin_window=twin_window)
    return [
        Dossier(
            transaction=transactions[key],
            legs=tuple(rows.leg(row) for row in legs[key]),
            wallet_lines=tuple(rows.wallet_line(row) for row in lines[key]),
            reports=tuple(report for row in legs[key] for report in said[row["key"]]),
            history=histories.of(transactions[key]),
        )
        for key in keys
        if key in transactions
    ]


def _group(connection: Connection, table: Table, column: Column[Any], keys: Iterable[str]) -> Grouped:
    grouped: dict[str, list[Any]] = defaultdict(list)
    wanted = list(keys)
    if not wanted:
        return grouped
    query = select(table).where(column.in_(wanted))
    for row in connection.execute(query).mappings():
        grouped[row[column.name]].append(row)
    return grouped


class _Histories:
    """Everything rekon itself did and knows, read once for the batch."""

    def __init__(
        self,
        connection: Connection,
        keys: Sequence[str],
        *,
        legs: Grouped,
        sources: Mapping[str, SourceRules],
        twin_window: timedelta,
    ) -> None:
        self._connection = connection
        self._sources = sources
        self._twin_window = twin_window
        self._legs = legs
        self._marks = books.marks(connection)
        self._cases = self._by_transaction(schema.cases, keys)
        # Refunds are money and are looked for everywhere; the rest of what rekon did about a purchase hangs on its
        # case, and most purchases never have one.
        self._refunds = self._by_transaction(schema.refunds, keys)
        known = sorted(self._cases)
        self._breaks = self._by_transaction(schema.breaks, known)
        self._messages = self._by_transaction(schema.messages, known)
        self._results = self._by_transaction(schema.order_results, known)
        self._complaints = self._by_transaction(schema.complaints, known)
        self._vouchers = self._by_transaction(schema.vouchers, known)
        self._statements = self._statement_lines()

    def _by_transaction(self, table: Table, keys: Sequence[str]) -> Grouped:
        return _group(self._connection, table, table.c.transaction_key, keys)

    def _statement_lines(self) -> Mapping[tuple[str, str], list[Any]]:
        refs = {row["ref_id"] for group in self._legs.values() for row in group}
        grouped: dict[tuple[str, str], list[Any]] = defaultdict(list)
        query = select(schema.statement_lines).where(schema.statement_lines.c.ref_id.in_(refs))
        for row in self._connection.execute(query).mappings() if refs else ():
            grouped[row["provider"], row["ref_id"]].append(rows.statement_line(row))
        return grouped

    def of(self, transaction: Transaction) -> History:
        """Assemble the history of one transaction."""
        key, source = transaction.key, transaction.source
        rules = self._sources.get(source) or SourceRules(refund_owner=RefundOwner.MANUAL, lag=timedelta(0))
        result = self._results[key][0] if self._results[key] else None
        complaint = self._complaints[key][0] if self._complaints[key] else None
        return History(
            refund_owner=rules.refund_owner,
            source_lag=rules.lag,
            orders_read_to=self._marks.get((source, "orders")),
            wallet_read_to=self._marks.get((source, "wallet")),
            breaks=tuple(_break_fact(row) for row in self._breaks[key]),
            staff_asked=frozenset(BreakKind(r["kind"]) for r in self._breaks[key] if r["staff_asked"]),
            refunds=tuple(rows.refund(row) for row in self._refunds[key]),
            twins=self._twins(transaction),
            told=frozenset(f"{row['template']}:{row['break_kind']}" for row in self._messages[key]),
            order_result=f"{result['status']}:{result['state']}" if result else "",
            order_result_at=(result["answered_at"] or result["recorded_at"]) if result else None,
            complaint_state=complaint["state"] if complaint else "",
            complaint_sent_at=complaint["sent_at"] if complaint else None,
            case_number=self._cases[key][0]["number"] if self._cases[key] else "",
            vouchers={
                BreakKind(v["break_kind"]): (v["code"], v["amount"], v["expires_at"]) for v in self._vouchers[key]
            },
            statement_lines=tuple(
                line for row in self._legs[key] for line in self._statements.get((row["provider"], row["ref_id"]), ())
            ),
        )

    def _twins(self, transaction: Transaction) -> tuple[Twin, ...]:
        """Find equal orders close in time, by the index made for it."""
        t = schema.transactions.c
        query = select(t.key, t.ordered_at, t.order_status, t.repeat_counter).where(
            t.agent_id == transaction.agent_id,
            t.destination == transaction.destination,
            t.product == transaction.product,
            t.ordered_at.between(transaction.ordered_at - self._twin_window, transaction.ordered_at),
            t.key != transaction.key,
        )
        found = self._connection.execute(query.order_by(t.ordered_at, t.key)).mappings()
        return tuple(Twin(**row) for row in found if _before(row, transaction))


def _before(row: Mapping[Any, Any], transaction: Transaction) -> bool:
    """Order equal instants by key, so that exactly one of two twins is the later one."""
    return bool((row["ordered_at"], row["key"]) < (transaction.ordered_at, transaction.key))


def _break_fact(row: Mapping[Any, Any]) -> BreakFact:
    return BreakFact(kind=BreakKind(row["kind"]), state=BreakState(row["state"]), opened_at=row["opened_at"])


def agent_balance(connection: Connection, agent_id: str, *, not_before: datetime) -> int | None:
    """Read the agent's newest balance, or None when no line since `not_before` says one."""
    w = schema.wallet_lines.c
    query = (
        select(w.balance_after)
        .where(w.agent_id == agent_id, w.posted_at >= not_before)
        .order_by(w.posted_at.desc(), w.sequence.desc().nulls_last(), w.key.desc())
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()


def refund_facts(history: History, *, without: str) -> tuple[Refund, ...]:
    """List the refunds of a history except one, for deciding it again."""
    return tuple(r for r in history.refunds if r.key != without)
