"""Three books most rules are tried on: a failure that is proved, an order that hangs, a wallet that moved."""

from typing import Any

from rekon.domain.breaks import BreakKind
from rekon.domain.decision import Decision
from rekon.domain.facts import History
from rekon.domain.outcome import FailureClass, Outcome, ReportSource, StatusReport
from rekon.domain.transaction import LegState, OrderStatus, Transaction, WalletLine
from tests.builders import (
    at,
    build_history,
    build_leg,
    build_report,
    build_statement_line,
    build_transaction,
    build_wallet_line,
    decide_on,
)

FIRST = ReportSource.FIRST_REPLY
CREDIT = (build_statement_line(amount=-50_150), build_statement_line(amount=50_150))
"""The provider charged the deposit and gave it back."""
DELIVERED = build_report(source=FIRST, outcome=Outcome.DELIVERED, serial_number="SN-0041")


def order(status: OrderStatus = OrderStatus.FAILED, **more: Any) -> Transaction:
    """Build the purchase with what the server calls it."""
    return build_transaction(order_status=status, **more)


def failed(
    seconds: float,
    failure_class: FailureClass = FailureClass.DEFINITE,
    source: ReportSource = ReportSource.INQUIRY,
    **more: Any,
) -> StatusReport:
    """Build a word that says failed."""
    return build_report(at=at(seconds), source=source, failure_class=failure_class, **more)


def failed_order(
    *, failure_class: FailureClass = FailureClass.DEFINITE, second: float = 120, **books: Any
) -> list[Decision]:
    """Decide on an order whose failure is proved; by default two minutes after its first word."""
    reports = [failed(0, failure_class, FIRST), failed(second, failure_class)]
    return decide_on(**({"now": at(second), "reports": reports, "legs": [build_leg(state=LegState.FINAL)]} | books))


def hanging(*, family: str = "pulsa", **books: Any) -> list[Decision]:
    """Decide on an open order of which the provider said only that it is pending."""
    reports = [build_report(source=FIRST, outcome=Outcome.PENDING)]
    return decide_on(**({"transaction": order(OrderStatus.PENDING, family=family), "reports": reports} | books))


def told(*templates: str, kind: BreakKind = BreakKind.STUCK_PENDING, **more: Any) -> History:
    """Build a history in which these messages exist."""
    return build_history(told=frozenset(f"{t}:{kind.value}" for t in templates), **more)


def moved(*rows: tuple[int, float]) -> list[WalletLine]:
    """Build wallet lines from amounts and their seconds."""
    return [build_wallet_line(amount=amount, posted_at=at(s), line_id=f"L{i}") for i, (amount, s) in enumerate(rows)]


def on_wallet(*rows: tuple[int, float], status: OrderStatus = OrderStatus.SUCCESS, **books: Any) -> list[Decision]:
    """Decide on a purchase with these wallet lines; by default it was delivered and recorded."""
    return decide_on(**({"transaction": order(status), "lines": moved(*rows), "reports": [DELIVERED]} | books))
