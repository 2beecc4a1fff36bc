"""Recompute the books from their history and try the forbidden writes. Nothing here changes anything.

Each check is one question to the database that has to come back empty; the answer names the first rows that break it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    text,
)

from rekon.domain.breaks import BreakKind, BreakState
from rekon.domain.ledger import Side
from rekon.domain.money import format_rupiah
from rekon.domain.outcome import FailureClass, Outcome, ReportSource
from rekon.domain.refund import COUNTS_AS_CREDIT, VOUCHER_PREFIX, RefundState
from rekon.domain.transaction import ChargedAccount, LegState, OrderStatus, SendState, WalletLineKind
from rekon.store import audit, forbidden_writes, schema, staff
from rekon.store.engine import Store
from rekon.store.guards import missing_guards
from rekon.store.tables_books import IS_OURS

LISTED_MAX = 100
"""No check lists more than this: the first hundred already say what is wrong."""

_MINIMUM_POSTINGS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that does not agree. `text` is Indonesian and holds no customer's number."""

    rule: str
    subject: str
    """The key of the row, or the name of the table or column."""
    text: str

    def __str__(self) -> str:
        """Write it on one line."""
        return f"{self.rule} {self.subject}: {self.text}"


def findings(store: Store, anchor: Path | None = None) -> list[Finding]:
    """Run every check on a live database, each in a short read of its own. An empty list means that all agrees.

    The audit is compared with its anchor too where there is one.
    """
    found = [finding for check in CHECKS for finding in store.read(check)]
    found += store.read(audit_sealed, anchor)
    refused_nothing = [
        Finding(rule="guards.refuse", subject=table, text=f"{verb} pada tabel ini tidak ditolak")
        for table, verb in forbidden_writes.not_refused(store)
    ]
    return found + refused_nothing


def entries_balance(connection: Connection) -> list[Finding]:
    """Every journal entry has two or more postings whose debits equal its credits (I2)."""
    j, p = schema.journal_entries.c, schema.postings.c
    difference: ColumnElement[int] = func.coalesce(func.sum(_signed()), 0)
    query = (
        select(j.event, difference)
        .select_from(schema.journal_entries.outerjoin(schema.postings, p.entry_id == j.entry_id))
        .group_by(j.entry_id, j.event)
        .having(or_(difference != 0, func.count(p.id) < _MINIMUM_POSTINGS))
        .order_by(j.event)
        .limit(LISTED_MAX)
    )
    return [
        Finding(rule="ledger.entries", subject=event, text=f"debit dan kredit berselisih {_amount(amount)}")
        for event, amount in connection.execute(query)
    ]


def trial_balance(connection: Connection) -> list[Finding]:
    """All debits equal all credits."""
    total: ColumnElement[int] = func.coalesce(func.sum(_signed()), 0)
    difference = connection.execute(select(total)).scalar_one()
    if not difference:
        return []
    return [Finding(rule="ledger.trial_balance", subject="postings", text=f"neraca berselisih {_amount(difference)}")]


def refunds_posted(connection: Connection) -> list[Finding]:
    """Every refund that left or arrived stands in the journal."""
    r = schema.refunds.c
    left = r.submitted_at.is_not(None) & ~_has_event(":submitted")
    arrived = (r.state == RefundState.SETTLED.value) & ~_has_event(":settled")
    query = select(r.key).where(or_(left, arrived)).order_by(r.key).limit(LISTED_MAX)
    return [
        Finding(rule="refunds.posted", subject=key, text="pengembalian ini tidak lengkap di jurnal")
        for key in connection.execute(query).scalars()
    ]


def refunds_within_debits(connection: Connection) -> list[Finding]:
    """Refunds that did not fail, pending ones too, never exceed what was taken for the purchase (I1, G4)."""
    r, w = schema.refunds.c, schema.wallet_lines.c
    given = (
        select(r.transaction_key, func.sum(r.amount).label("amount"))
        .where(r.state.in_([state.value for state in COUNTS_AS_CREDIT]))
        .group_by(r.transaction_key)
        .subquery()
    )
    taken = (
        select(func.coalesce(-func.sum(w.amount), 0))
        .where(
            w.transaction_key == given.c.transaction_key,
            w.amount < 0,
            w.kind.in_([WalletLineKind.DEBIT.value, WalletLineKind.REFUND.value]),
            w.reference.not_like(f"{VOUCHER_PREFIX}%"),
        )
        .scalar_subquery()
    )
    query = select(given.c.transaction_key, given.c.amount, taken).where(given.c.amount > taken)
    return [
        Finding(
            rule="refunds.within_debits",
            subject=key,
            text=f"dikembalikan {_amount(amount)}, padahal hanya terpotong {_amount(debited)}",
        )
        for key, amount, debited in connection.execute(query.order_by(given.c.transaction_key).limit(LISTED_MAX))
    ]


def settled_refunds_seen(connection: Connection) -> list[Finding]:
    """A settled refund has a credit with its key and amount, in the outside wallet or in rekon's own (design 5).

    One that supervisors settled has their word in the audit instead: they saw the credit where rekon could not.
    """
    r, w, b = schema.refunds.c, schema.wallet_lines.c, schema.book_lines.c
    outside = exists().where(w.reference == r.key, text(f"wallet_lines.{IS_OURS}"), w.amount == r.amount)
    own = exists().where(b.key == r.key, b.amount == r.amount)
    a = schema.audit.c
    by_staff = exists().where(a.what == staff.SETTLE_AGREED, a.about == r.refund_id)
    unseen = select(r.key).where(r.state == RefundState.SETTLED.value, ~outside, ~own, ~by_staff)
    query = unseen.order_by(r.key).limit(LISTED_MAX)
    return [
        Finding(rule="refunds.seen", subject=key, text="tercatat selesai, tetapi kreditnya tidak ada di mutasi saldo")
        for key in connection.execute(query).scalars()
    ]


def vouchers_once(connection: Connection) -> list[Finding]:
    """A purchase has at most one voucher (I4)."""
    v = schema.vouchers.c
    query = select(v.transaction_key).group_by(v.transaction_key).having(func.count() > 1).limit(LISTED_MAX)
    return [
        Finding(rule="vouchers.once", subject=key, text="lebih dari satu voucher")
        for key in connection.execute(query).scalars()
    ]


def messages_once(connection: Connection) -> list[Finding]:
    """An event is told once."""
    m = schema.messages.c
    query = select(m.event).group_by(m.event).having(func.count() > 1).limit(LISTED_MAX)
    return [
        Finding(rule="messages.once", subject=event, text="lebih dari satu pesan")
        for event in connection.execute(query).scalars()
    ]


def open_legs_scheduled(connection: Connection) -> list[Finding]:
    """Every open leg has its row in the schedule and no stopped one has; a final one may, to see a late success."""
    c, s = schema.legs.c, schema.schedule.c
    is_lost = and_(c.state == LegState.OPEN.value, s.leg_key.is_(None))
    is_asked = and_(c.state == LegState.STOPPED.value, s.leg_key.is_not(None))
    query = (
        select(c.key, c.state)
        .select_from(schema.legs.outerjoin(schema.schedule, s.leg_key == c.key))
        .where(or_(is_lost, is_asked))
        .order_by(c.key)
        .limit(LISTED_MAX)
    )
    texts = {
        LegState.OPEN: "masih terbuka, tetapi tidak ada di jadwal pengecekan",
        LegState.STOPPED: "pengecekan sudah dihentikan, tetapi masih ada di jadwal",
    }
    return [
        Finding(rule="legs.scheduled", subject=key, text=texts[LegState(state)])
        for key, state in connection.execute(query)
    ]


def amounts_whole(connection: Connection) -> list[Finding]:
    """No amount is anything but a whole number (I3)."""
    wrong = _amounts_sqlite(connection) if connection.dialect.name == "sqlite" else _amounts_postgresql(connection)
    return [Finding(rule="amounts.whole", subject=name, text="ada nilai yang bukan bilangan bulat") for name in wrong]


def _amounts_sqlite(connection: Connection) -> list[str]:
    wrong = []
    for column in _amount_columns():
        query = select(column).where(func.typeof(column).not_in(["integer", "null"])).limit(1)
        if connection.execute(query).first() is not None:
            wrong.append(f"{column.table.name}.{column.name}")
    return wrong


def _amounts_postgresql(connection: Connection) -> list[str]:
    query = text(
        "SELECT table_name || '.' || column_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND data_type = 'bigint'"
    )
    whole = set(connection.execute(query).scalars())
    names = (f"{column.table.name}.{column.name}" for column in _amount_columns())
    return [name for name in names if name not in whole]


def _amount_columns() -> list[Column[int]]:
    return [
        column
        for table in schema.metadata.sorted_tables
        for column in table.columns
        if type(column.type) is BigInteger and not column.primary_key
    ]


def words_known(connection: Connection) -> list[Finding]:
    """No row says a word that rekon does not know, as one edited by hand may (D9)."""
    found = []
    for column, words in _WORDS:
        key = next(iter(column.table.primary_key.columns))
        known = [word.value for word in words]
        query = select(key).where(column.not_in(known)).order_by(key).limit(LISTED_MAX)
        name = f"{column.table.name}.{column.name}"
        found += [
            Finding(rule="rows.words", subject=str(subject), text=f"{name} berisi kata yang tidak dikenal")
            for subject in connection.execute(query).scalars()
        ]
    return found


def references_whole(connection: Connection) -> list[Finding]:
    """No row points at nothing. PostgreSQL never lets one in; SQLite does when another program writes to the file."""
    if connection.dialect.name != "sqlite":
        return []
    orphans = {(row[0], row[2]) for row in connection.execute(text("PRAGMA foreign_key_check"))}
    return [
        Finding(rule="rows.references", subject=table, text=f"ada baris yang induknya di {parent} tidak ada")
        for table, parent in sorted(orphans)
    ]


def guards_present(connection: Connection) -> list[Finding]:
    """Every append-only table has its guards."""
    return [
        Finding(rule="guards.present", subject=name, text="penjaga tabel tidak terpasang; jalankan `rekon db upgrade`")
        for name in missing_guards(connection)
    ]


def audit_sealed(connection: Connection, anchor: Path | None = None) -> list[Finding]:
    """Every row of the audit fits its seal, and none is missing (I20)."""
    fault = audit.first_fault(connection, anchor)
    return [] if fault is None else [Finding(rule="audit.sealed", subject="audit", text=str(fault))]


def _signed() -> ColumnElement[int]:
    p = schema.postings.c
    return case((p.side == Side.DEBIT.value, p.amount), else_=-p.amount)


def _has_event(ending: str) -> ColumnElement[bool]:
    event = schema.refunds.c.key + literal(ending)
    return exists().where(schema.journal_entries.c.event == event)


def _amount(value: object) -> str:
    """Write a sum; PostgreSQL gives it as a decimal."""
    return format_rupiah(int(str(value)))


_WORDS: tuple[tuple[Column[str], Iterable[StrEnum]], ...] = (
    (schema.transactions.c.charged_account, ChargedAccount),
    (schema.transactions.c.order_status, OrderStatus),
    (schema.legs.c.send_state, SendState),
    (schema.legs.c.state, LegState),
    (schema.reports.c.source, ReportSource),
    (schema.reports.c.outcome, Outcome),
    (schema.reports.c.failure_class, FailureClass),
    (schema.wallet_lines.c.kind, WalletLineKind),
    (schema.breaks.c.kind, BreakKind),
    (schema.breaks.c.state, BreakState),
    (schema.refunds.c.break_kind, BreakKind),
    (schema.refunds.c.state, RefundState),
    (schema.vouchers.c.break_kind, BreakKind),
)

CHECKS: tuple[Callable[[Connection], list[Finding]], ...] = (
    entries_balance,
    trial_balance,
    refunds_posted,
    refunds_within_debits,
    settled_refunds_seen,
    vouchers_once,
    messages_once,
    open_legs_scheduled,
    amounts_whole,
    words_known,
    references_whole,
    guards_present,
)
"""Every check that only reads."""
