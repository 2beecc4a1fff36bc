"""Take a batch of raw rows in: judge each, store the good, quarantine the bad. One unit of work a batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from sqlalchemy import Connection

from rekon.domain.books import Agent, StatementLine
from rekon.domain.intake import RowError, parse_agent, parse_statement_line, parse_transaction, parse_wallet_line
from rekon.domain.transaction import Leg, Transaction, WalletLine
from rekon.store import books, quarantine
from rekon.store.quarantine import Refused

ITEMS_MAX = 10_000
BOOKS = ("orders", "wallet", "agents", "statement")

RawRow = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Raw rows of one book of one source."""

    book: str
    source: str
    rows: Sequence[RawRow]
    origin: str
    """`api`, a file's name or a source's name, for the quarantine."""
    first_line: int = 0
    lines: Sequence[int] = ()
    """Where each row stands in its file; empty counts on from `first_line`."""
    zone: tzinfo | None = None
    as_of: datetime | None = None
    """The book is complete up to this instant."""
    provider: str = ""
    account: str = ""

    def line_of(self, index: int) -> int:
        """Say where a row stands in its origin: blank lines and quoted line breaks lie between some."""
        return self.lines[index] if self.lines else self.first_line + index


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a batch."""

    accepted: int
    unchanged: int
    refused: tuple[Refused, ...]


def take(connection: Connection, batch: Batch, *, now: datetime) -> Taken:
    """Store what can be stored and quarantine the rest; then move the book's mark."""
    done, refused = _TAKERS[batch.book](connection, batch, now)
    refused += [Refused(index=c.index, field=c.field, reason=c.reason, row=batch.rows[c.index]) for c in done.conflicts]
    refused.sort(key=lambda one: one.index)
    quarantine.keep(
        connection,
        refused,
        source=batch.source,
        book=batch.book,
        origin=batch.origin,
        lines=[batch.line_of(one.index) for one in refused],
        account=batch.account,
        now=now,
    )
    if batch.as_of is not None:
        books.advance_mark(connection, source=batch.source, book=batch.book, read_to=batch.as_of, now=now)
    return Taken(accepted=done.accepted, unchanged=done.unchanged, refused=tuple(refused))


def _take_orders(connection: Connection, batch: Batch, now: datetime) -> tuple[books.Recorded, list[Refused]]:
    good: list[tuple[int, Transaction, Leg]] = []
    refused: list[Refused] = []
    for index, row in enumerate(batch.rows):
        try:
            parsed = parse_transaction(row, source=batch.source, zone=batch.zone, now=now)
        except RowError as error:
            refused.append(_refused(index, error, row))
            continue
        good.append((index, parsed.transaction, parsed.leg))
    return books.record_orders(connection, good, now=now), refused


def _take_wallet(connection: Connection, batch: Batch, now: datetime) -> tuple[books.Recorded, list[Refused]]:
    good: list[tuple[int, WalletLine]] = []
    refused: list[Refused] = []
    for index, row in enumerate(batch.rows):
        try:
            good.append((index, parse_wallet_line(row, source=batch.source, zone=batch.zone, now=now)))
        except RowError as error:
            refused.append(_refused(index, error, row))
    return books.record_wallet_lines(connection, good, now=now), refused


def _take_agents(connection: Connection, batch: Batch, now: datetime) -> tuple[books.Recorded, list[Refused]]:
    good: list[Agent] = []
    refused: list[Refused] = []
    for index, row in enumerate(batch.rows):
        try:
            good.append(parse_agent(row, zone=batch.zone, now=now))
        except RowError as error:
            refused.append(_refused(index, error, row))
    return books.Recorded(accepted=books.record_agents(connection, good)), refused


def _take_statement(connection: Connection, batch: Batch, now: datetime) -> tuple[books.Recorded, list[Refused]]:
    good: list[tuple[int, StatementLine]] = []
    refused: list[Refused] = []
    for index, row in enumerate(batch.rows):
        try:
            line = parse_statement_line(row, provider=batch.provider, account=batch.account, zone=batch.zone, now=now)
        except RowError as error:
            refused.append(_refused(index, error, row))
            continue
        good.append((index, line))
    return books.record_statement_lines(connection, good, now=now), refused


def _refused(index: int, error: RowError, row: RawRow) -> Refused:
    return Refused(index=index, field=error.field, reason=error.reason, row=row)


_TAKERS = {"orders": _take_orders, "wallet": _take_wallet, "agents": _take_agents, "statement": _take_statement}
