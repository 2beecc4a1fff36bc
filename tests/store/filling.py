"""Puts books into a store the way intake and the stages do, and looks at what stands there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, select

from rekon.domain.breaks import BreakKind
from rekon.domain.decision import Action, Decision
from rekon.domain.money import Money
from rekon.domain.transaction import Leg, Transaction, WalletLine
from rekon.store import books, cases, due, health, messages, refunds, schema
from rekon.store.engine import Store
from rekon.store.recording import Recorded
from tests import builders


def order(
    store: Store, *, number: str = "T1001", now: datetime = builders.T0, leg: dict[str, Any] | None = None, **more: Any
) -> Transaction:
    """Record one purchase with one leg and return it."""
    transaction = builders.build_transaction(transaction_id=number, **more)
    built = builders.build_leg(transaction=transaction.key, **{"sent_at": transaction.ordered_at, **(leg or {})})
    orders(store, [(transaction, built)], now=now)
    return transaction


def orders(store: Store, pairs: Sequence[tuple[Transaction, Leg]], *, now: datetime = builders.T0) -> Recorded:
    rows = [(index, transaction, leg) for index, (transaction, leg) in enumerate(pairs)]
    return store.write(books.record_orders, rows, now=now)


def wallet(store: Store, *lines: WalletLine, now: datetime = builders.T0) -> Recorded:
    return store.write(books.record_wallet_lines, list(enumerate(lines)), now=now)


def wish(*, amount: int = builders.PRICE, kind: BreakKind = BreakKind.FAILED_NOT_REFUNDED, **more: Any) -> Decision:
    """Build a decision that asks for a refund."""
    values: dict[str, Any] = {"rule": "b01.refund", "evidence": ("rpt_1",), "reason": "wrong_number"}
    return Decision(action=Action.ISSUE_REFUND, break_kind=kind, amount=Money(amount), **(values | more))


def refund(store: Store, transaction: Transaction, *, now: datetime = builders.T0, **more: Any) -> refunds.Row:
    """Ask for a refund and return its row."""
    decision = wish(**more)
    store.write(refunds.request, transaction, decision, now=now)
    assert decision.break_kind is not None
    return one(store, schema.refunds, transaction_key=transaction.key, break_kind=decision.break_kind.value)


def case(store: Store, transaction: Transaction, *, now: datetime = builders.T0, **more: Any) -> str:
    """Open a break with its case and return the case's id."""
    values: dict[str, Any] = {
        "kind": BreakKind.STUCK_PENDING,
        "amount": None,
        "rule": "b02.pending",
        "note": "",
        "ask_staff": False,
    }
    store.write(cases.open_break, transaction, now=now, **(values | more))
    case_id = store.read(cases.case_of, transaction.key)
    assert case_id is not None
    return case_id


def new_message(*, event: str = "toko:T1001:B02:M02", **more: Any) -> messages.NewMessage:
    values: dict[str, Any] = {
        "case_id": None,
        "transaction_key": builders.TRANSACTION,
        "break_kind": "B02",
        "agent_id": "A01",
        "audience": "agent",
        "channel": "file",
        "address": "agen-1",
        "template": "M02",
        "variant": "standard",
        "text": "Transaksi Anda sedang kami periksa.",
        "short_text": "Sedang diperiksa.",
        "variables": (("nama_agen", "Sari"),),
        "answer_url": "",
    }
    return messages.NewMessage(event=event, **(values | more))


def rows(store: Store, table: Table, **equal: Any) -> list[dict[str, Any]]:
    """Read the rows of a table whose columns equal these values, in the order of its key."""
    return store.read(_rows, table, equal)


def one(store: Store, table: Table, **equal: Any) -> dict[str, Any]:
    (row,) = rows(store, table, **equal)
    return row


def _rows(connection: Connection, table: Table, equal: dict[str, Any]) -> list[dict[str, Any]]:
    query = select(table).order_by(*table.primary_key.columns)
    for name, value in equal.items():
        query = query.where(table.c[name] == value)
    return [dict(row) for row in connection.execute(query).mappings()]


def add_fact(connection: Connection, name: str) -> None:
    """Write something down in the caller's unit of work."""
    health.set_fact(connection, name, "yes")


def due_at(store: Store, stage: str) -> datetime | None:
    """Say when a stage has work next."""
    return store.read(due.times)[stage]
