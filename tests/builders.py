"""Books with sensible defaults for tests. Every argument is a keyword; a test names only what it is about.

The story: `T1001`, pulsa of Rp 50.000 for Rp 50.600, ordered on 22 November 2026 at 14.05 WIB and sent once at that
instant to `iak`, whose check only reads. `digiflazz` is the provider whose check is the purchase sent again.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from rekon.domain import decide as core
from rekon.domain.books import StatementLine
from rekon.domain.breaks import BreakKind, BreakState, Mode
from rekon.domain.decision import Action, Decision
from rekon.domain.facts import BreakFact, Facts, History
from rekon.domain.money import Money
from rekon.domain.outcome import FailureClass, Outcome, ReportSource, StatusReport
from rekon.domain.policy import CheckKind, Policy, ProviderRules
from rekon.domain.refund import Refund, RefundState, refund_key
from rekon.domain.transaction import (
    ChargedAccount,
    Leg,
    LegState,
    OrderStatus,
    RefundOwner,
    SendState,
    Transaction,
    WalletLine,
    WalletLineKind,
    leg_key,
    transaction_key,
)

T0 = datetime(2026, 11, 22, 7, 5, tzinfo=UTC)
"""14.05 WIB: the order was taken and sent."""
PRICE = 50_600
NUMBER = "081234567890"
READ_ONLY = "iak"
RESEND = "digiflazz"
TRANSACTION = transaction_key("toko", "T1001")
LEG = leg_key(TRANSACTION, 1)
LONG_AFTER = T0 + timedelta(days=500)


def at(seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> datetime:
    """Name an instant by its distance from the order."""
    return T0 + timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)


def build_transaction(
    *,
    transaction_id: str = "T1001",
    source: str = "toko",
    price: int = PRICE,
    face_value: int | None = 50_000,
    order_status: OrderStatus = OrderStatus.FAILED,
    ordered_at: datetime = T0,
    status_at: datetime | None = None,
    charged_account: ChargedAccount = ChargedAccount.AGENT_WALLET,
    **more: Any,
) -> Transaction:
    """Build a purchase; by default the server already calls it failed."""
    values: dict[str, Any] = {
        "agent_id": "A01",
        "product": "Telkomsel 50.000",
        "family": "pulsa",
        "destination": NUMBER,
    }
    return Transaction(
        key=transaction_key(source, transaction_id),
        source=source,
        transaction_id=transaction_id,
        price=Money(price),
        face_value=None if face_value is None else Money(face_value),
        order_status=order_status,
        ordered_at=ordered_at,
        status_at=status_at or ordered_at,
        charged_account=charged_account,
        **(values | more),
    )


def build_leg(
    *,
    transaction: str = TRANSACTION,
    leg_no: int = 1,
    provider: str = READ_ONLY,
    sent_at: datetime = T0,
    send_state: SendState = SendState.SENT,
    send_count: int = 1,
    state: LegState = LegState.OPEN,
    **more: Any,
) -> Leg:
    """Build one attempt; its reference is the transaction's id, with the leg's number after the first."""
    ref_id = transaction.partition(":")[2] + ("" if leg_no == 1 else f"-{leg_no}")
    values: dict[str, Any] = {
        "provider_account": "utama",
        "ref_id": ref_id,
        "provider_product": "S50",
        "destination_sent": NUMBER,
    }
    return Leg(
        key=leg_key(transaction, leg_no),
        transaction_key=transaction,
        leg_no=leg_no,
        provider=provider,
        sent_at=sent_at,
        send_state=send_state,
        send_count=send_count,
        state=state,
        **(values | more),
    )


def build_wallet_line(
    *,
    amount: int = -PRICE,
    line_id: str = "",
    kind: WalletLineKind | None = None,
    posted_at: datetime = T0,
    reference: str = "",
    transaction_id: str | None = "T1001",
    source: str = "toko",
    **more: Any,
) -> WalletLine:
    """Build a mutation: a debit when it takes money, else a refund."""
    kind = kind or (WalletLineKind.DEBIT if amount < 0 else WalletLineKind.REFUND)
    name = line_id or f"{kind.value}{amount}@{int((posted_at - T0).total_seconds())}{reference}"
    return WalletLine(
        key=f"{source}:{name}",
        source=source,
        agent_id="A01",
        posted_at=posted_at,
        amount=Money(amount),
        kind=kind,
        transaction_id=transaction_id,
        reference=reference,
        **more,
    )


def build_report(
    *,
    at: datetime = T0,
    source: ReportSource = ReportSource.INQUIRY,
    outcome: Outcome = Outcome.FAILED,
    failure_class: FailureClass | None = None,
    leg: str = LEG,
    report_id: str = "",
    serial_number: str | None = None,
    **more: Any,
) -> StatusReport:
    """Build one word of a provider; a failure is DEFINITE unless the test says otherwise."""
    if outcome is Outcome.FAILED and failure_class is None:
        failure_class = FailureClass.DEFINITE
    values: dict[str, Any] = {"raw_code": "14", "reason": "wrong_number", "price": Decimal(50150), "balance": None}
    name = report_id or f"rpt_{leg}_{source.value}_{outcome.value}_{(at - T0).total_seconds():g}"
    return StatusReport(
        report_id=name,
        leg_key=leg,
        source=source,
        outcome=outcome,
        failure_class=failure_class,
        serial_number=serial_number,
        received_at=at,
        **(values | more),
    )


def build_refund(
    *,
    kind: BreakKind = BreakKind.FAILED_NOT_REFUNDED,
    amount: int = PRICE,
    state: RefundState = RefundState.SETTLED,
    settled_at: datetime | None = None,
    transaction: str = TRANSACTION,
) -> Refund:
    """Build a refund of ours."""
    return Refund(
        key=refund_key(transaction, kind, 1),
        transaction_key=transaction,
        break_kind=kind,
        sequence=1,
        amount=Money(amount),
        state=state,
        settled_at=settled_at,
    )


def build_break(
    *, kind: BreakKind = BreakKind.FAILED_NOT_REFUNDED, state: BreakState = BreakState.OPEN, opened_at: datetime = T0
) -> BreakFact:
    """Build a break that is written down."""
    return BreakFact(kind=kind, state=state, opened_at=opened_at)


def build_statement_line(
    *,
    amount: int = -50_150,
    ref_id: str = "T1001",
    provider: str = READ_ONLY,
    posted_at: datetime = T0,
    line_id: str = "",
) -> StatementLine:
    """Build a line of a provider's statement: a charge when negative, else a reversal."""
    return StatementLine(
        provider=provider,
        account="utama",
        line_id=line_id or f"S{amount}",
        posted_at=posted_at,
        ref_id=ref_id,
        amount=Money(amount),
        kind="charge" if amount < 0 else "reversal",
    )


def build_history(
    *,
    refund_owner: RefundOwner = RefundOwner.REKON,
    read_to: datetime | None = LONG_AFTER,
    source_lag: timedelta = timedelta(0),
    **more: Any,
) -> History:
    """Build what rekon knows; both books are fresh unless the test says otherwise."""
    values: dict[str, Any] = {"orders_read_to": read_to, "wallet_read_to": read_to}
    return History(refund_owner=refund_owner, source_lag=source_lag, **(values | more))


def build_policy(*, mode: Mode = Mode.AUTOMATIC, **more: Any) -> Policy:
    """Build the rules' numbers; rekon may act alone unless the test says otherwise."""
    return Policy(mode=mode, **more)


def build_rules(
    *,
    name: str = READ_ONLY,
    check: CheckKind = CheckKind.READ_ONLY,
    max_check_age: timedelta = timedelta(days=80),
    **more: Any,
) -> ProviderRules:
    """Build what rules know of a provider."""
    return ProviderRules(name=name, check=check, max_check_age=max_check_age, **more)


PROVIDERS: Mapping[str, ProviderRules] = {
    READ_ONLY: build_rules(name=READ_ONLY),
    RESEND: build_rules(name=RESEND, check=CheckKind.RESEND),
}


def build_books(
    *,
    now: datetime,
    transaction: Transaction | None = None,
    legs: Iterable[Leg] | None = None,
    lines: Iterable[WalletLine] | None = None,
    reports: Iterable[StatusReport] = (),
    policy: Policy | None = None,
    history: History | None = None,
    providers: Mapping[str, ProviderRules] = PROVIDERS,
) -> dict[str, Any]:
    """Build the arguments of a decision: one leg and one debit of the price where the test names none."""
    transaction = transaction or build_transaction()
    debit = build_wallet_line(amount=-transaction.price, posted_at=transaction.ordered_at)
    return {
        "transaction": transaction,
        "legs": [build_leg(sent_at=transaction.ordered_at)] if legs is None else list(legs),
        "wallet_lines": [debit] if lines is None else list(lines),
        "reports": list(reports),
        "policy": policy or build_policy(),
        "history": history or build_history(),
        "now": now,
        "providers": providers,
    }


def build_facts(*, now: datetime = T0, **books: Any) -> Facts:
    """Gather the books of a test."""
    return core.gather(**build_books(now=now, **books))


def decide_on(*, now: datetime, **books: Any) -> list[Decision]:
    """Decide on the books of a test."""
    return core.decide(**build_books(now=now, **books))


def actions(decisions: Iterable[Decision]) -> list[Action]:
    """List what is asked for, waiting left out."""
    return [d.action for d in decisions if d.action is not Action.WAIT]


def find(decisions: Iterable[Decision], action: Action, *, kind: BreakKind | None = None) -> Decision | None:
    """Find the first decision that asks for this."""
    return next((d for d in decisions if d.action is action and kind in (None, d.break_kind)), None)


def due(decisions: Iterable[Decision]) -> datetime | None:
    """Say when the books are looked at again."""
    waits = [d.due_at for d in decisions if d.action is Action.WAIT]
    return waits[0] if waits else None
