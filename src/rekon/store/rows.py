"""Turn rows into the domain's words and back."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from rekon.domain.books import StatementLine
from rekon.domain.breaks import BreakKind
from rekon.domain.money import Money
from rekon.domain.outcome import FailureClass, Outcome, ReportSource, StatusReport
from rekon.domain.refund import Refund, RefundState
from rekon.domain.transaction import (
    ChargedAccount,
    Leg,
    LegState,
    OrderStatus,
    SendState,
    Transaction,
    WalletLine,
    WalletLineKind,
)

Row = Mapping[Any, Any]

_TRANSACTION = tuple(f.name for f in fields(Transaction))
_LEG = tuple(f.name for f in fields(Leg))
_REPORT = tuple(f.name for f in fields(StatusReport))


def transaction(row: Row) -> Transaction:
    """Read a transaction."""
    values = {name: row[name] for name in _TRANSACTION}
    values["charged_account"] = ChargedAccount(row["charged_account"])
    values["order_status"] = OrderStatus(row["order_status"])
    return Transaction(**values)


def leg(row: Row) -> Leg:
    """Read a leg."""
    values = {name: row[name] for name in _LEG}
    values["send_state"] = SendState(row["send_state"])
    values["state"] = LegState(row["state"])
    return Leg(**values)


def report(row: Row) -> StatusReport:
    """Read a status report."""
    values = {name: row[name] for name in _REPORT}
    values["source"] = ReportSource(row["source"])
    values["outcome"] = Outcome(row["outcome"])
    values["failure_class"] = FailureClass(row["failure_class"]) if row["failure_class"] else None
    return StatusReport(**values)


def wallet_line(row: Row) -> WalletLine:
    """Read a wallet line. Its transaction id is the part of the key behind the source."""
    key = row["transaction_key"]
    return WalletLine(
        key=row["key"],
        source=row["source"],
        agent_id=row["agent_id"],
        posted_at=row["posted_at"],
        amount=Money(row["amount"]),
        kind=WalletLineKind(row["kind"]),
        transaction_id=key.partition(":")[2] if key else None,
        balance_after=row["balance_after"],
        reference=row["reference"],
        sequence=row["sequence"],
    )


def statement_line(row: Row) -> StatementLine:
    """Read a line of a provider's statement."""
    return StatementLine(**{f.name: row[f.name] for f in fields(StatementLine)})


def refund(row: Row) -> Refund:
    """Read a refund."""
    return Refund(
        key=row["key"],
        transaction_key=row["transaction_key"],
        break_kind=BreakKind(row["break_kind"]),
        sequence=row["sequence"],
        amount=Money(row["amount"]),
        state=RefundState(row["state"]),
        settled_at=row["settled_at"],
    )
