"""Gather everything the rules look at, for a batch of transactions at once."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Select, Table, bindparam, select, type_coerce

from rekon.domain.breaks import BreakKind, BreakState
from rekon.domain.facts import BreakFact, History, Twin
from rekon.domain.outcome import StatusReport
from rekon.domain.refund import Refund
from rekon.domain.transaction import Leg, RefundOwner, Transaction, WalletLine
from rekon.store import books, reports, rows, schema
from rekon.store.types import span


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
_TWIN_FIELDS = tuple(f.name for f in fields(Twin))


def _rows_of(column: Column[Any]) -> Select[Any]:
    """Ask for the rows with these keys. Built once, as building costs twice what running does."""
    return select(column.table).where(column.in_(bindparam("keys", expanding=True)))


_TRANSACTIONS = _rows_of(schema.transactions.c.key)
_STATEMENT_LINES = _rows_of(schema.statement_lines.c.ref_id)
_BY_TRANSACTION = {
    table.name: _rows_of(table.c.transaction_key)
    for table in (
        schema.legs,
        schema.wallet_lines,
        schema.cases,
        schema.refunds,
        schema.breaks,
        schema.messages,
        schema.order_results,
        schema.complaints,
        schema.vouchers,
    )
}
_OF, _TWIN = schema.transactions.alias("of"), schema.transactions.alias("twin")
_ORDERED, _EARLIER = (type_coerce(table.c.ordered_at, BigInteger) for table in (_OF, _TWIN))
_TWINS = (
    select(_OF.c.key.label("of"), _TWIN.c.key, _TWIN.c.ordered_at, _TWIN.c.order_status, _TWIN.c.repeat_counter)
    .where(
        _OF.c.key.in_(bindparam("keys", expanding=True)),
        _TWIN.c.agent_id == _OF.c.agent_id,
        _TWIN.c.destination == _OF.c.destination,
        _TWIN.c.product == _OF.c.product,
        _EARLIER.between(_ORDERED - bindparam("window", type_=BigInteger), _ORDERED),
        _TWIN.c.key != _OF.c.key,
    )
    .order_by(_TWIN.c.ordered_at, _TWIN.c.key)
)
"""Equal orders close in time, by the index made for it."""


def load(
    connection: Connection, keys: Sequence[str], *, sources: Mapping[str, SourceRules], twin_window: timedelta
) -> list[Dossier]:
    """Load the books of these transactions, in the order of `keys`."""
    if not keys:
        return []
    found = connection.execute(_TRANSACTIONS, {"keys": keys}).mappings()
    transactions = {row["key"]: rows.transaction(row) for row in found}
    legs = _by_transaction(connection, schema.legs, keys)
    lines = _by_transaction(connection, schema.wallet_lines, keys)
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


def _by_transaction(connection: Connection, table: Table, keys: Sequence[str]) -> Grouped:
    grouped: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(_BY_TRANSACTION[table.name], {"keys": keys}).mappings() if keys else ():
        grouped[row["transaction_key"]].append(row)
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
        self._legs = legs
        self._marks = books.marks(connection)
        self._cases = _by_transaction(connection, schema.cases, keys)
        # Refunds are money and are looked for everywhere; the rest of what rekon did about a purchase hangs on its
        # case, and most purchases never have one.
        self._refunds = _by_transaction(connection, schema.refunds, keys)
        known = sorted(self._cases)
        self._breaks = _by_transaction(connection, schema.breaks, known)
        self._messages = _by_transaction(connection, schema.messages, known)
        self._results = _by_transaction(connection, schema.order_results, known)
        self._complaints = _by_transaction(connection, schema.complaints, known)
        self._vouchers = _by_transaction(connection, schema.vouchers, known)
        self._statements = self._statement_lines()
        self._twins = self._twins_of(keys, twin_window)

    def _statement_lines(self) -> Mapping[tuple[str, str], list[Any]]:
        refs = {row["ref_id"] for group in self._legs.values() for row in group}
        grouped: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for row in self._connection.execute(_STATEMENT_LINES, {"keys": sorted(refs)}).mappings() if refs else ():
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
            twins=tuple(_twin(row) for row in self._twins[key] if _before(row, transaction)),
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

    def _twins_of(self, keys: Sequence[str], window: timedelta) -> Mapping[str, list[Any]]:
        grouped: dict[str, list[Any]] = defaultdict(list)
        for row in self._connection.execute(_TWINS, {"keys": keys, "window": span(window)}).mappings():
            grouped[row["of"]].append(row)
        return grouped


def _before(row: Mapping[Any, Any], transaction: Transaction) -> bool:
    """Order equal instants by key, so that exactly one of two twins is the later one."""
    return bool((row["ordered_at"], row["key"]) < (transaction.ordered_at, transaction.key))


def _twin(row: Mapping[Any, Any]) -> Twin:
    return Twin(**{name: row[name] for name in _TWIN_FIELDS})


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
