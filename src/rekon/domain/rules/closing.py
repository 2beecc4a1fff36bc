"""What follows once money or certainty is back: apologise, compensate, close."""

from rekon.domain import compensation
from rekon.domain.breaks import BreakKind
from rekon.domain.decision import Action, Decision
from rekon.domain.facts import Facts
from rekon.domain.money import Money
from rekon.domain.outcome import Outcome
from rekon.domain.refund import Refund, RefundState
from rekon.domain.transaction import ChargedAccount, OrderStatus

_FAILURE_KINDS = (BreakKind.FAILED_NOT_REFUNDED, BreakKind.NOT_AT_PROVIDER, BreakKind.SUCCESS_TAKEN_BACK)
_CLOSED_BY_SUCCESS = (BreakKind.STUCK_PENDING, BreakKind.SERIAL_MISSING, BreakKind.CONTRADICTION)


def refund_settled(facts: Facts) -> list[Decision]:
    """Tell whoever was charged that the money is back, and close the break."""
    decisions: list[Decision] = []
    for refund in facts.history.refunds:
        if refund.state is RefundState.SETTLED:
            decisions += _after_settled(facts, refund)
        elif refund.state is RefundState.AWAITING_APPROVAL and facts.is_recent:
            decisions += _waiting_for_staff(facts, refund)
    return decisions


def _after_settled(facts: Facts, refund: Refund) -> list[Decision]:
    kind = refund.break_kind
    decisions: list[Decision] = []
    if kind is BreakKind.DEBITED_TWICE:
        decisions += _apologise_with_voucher(facts, refund)
    elif not facts.was_told("M01", kind) and facts.is_recent:
        decisions.append(_good_news(facts, kind, amount=refund.amount))
    if facts.is_open(kind):
        decisions.append(Decision(action=Action.RESOLVE, rule="closing.refunded", break_kind=kind))
    return decisions


def _apologise_with_voucher(facts: Facts, refund: Refund) -> list[Decision]:
    kind = refund.break_kind
    if kind not in facts.history.vouchers:
        nominal = facts.transaction.face_value or facts.transaction.price
        amount = compensation.for_double_charge(nominal)
        return [Decision(action=Action.COMPENSATE, rule="comp.1", break_kind=kind, amount=amount)]
    if facts.was_told("M06", kind) or not facts.is_recent:
        return []
    return [Decision(action=Action.TELL, rule="closing.apology", break_kind=kind, template="M06", amount=refund.amount)]


def _waiting_for_staff(facts: Facts, refund: Refund) -> list[Decision]:
    if facts.was_told("M16", refund.break_kind):
        return []
    return [
        Decision(
            action=Action.TELL, rule="closing.waiting", break_kind=refund.break_kind, template="M16", amount=refund.amount
        )
    ]


def _good_news(facts: Facts, kind: BreakKind, *, amount: Money) -> Decision:
    reason = facts.verdicts[-1].reason if facts.verdicts else ""
    return Decision(
        action=Action.TELL,
        rule="closing.refunded",
        break_kind=kind,
        template="M01",
        variant="cancelled" if kind is BreakKind.SUCCESS_TAKEN_BACK else "standard",
        amount=amount,
        reason=reason or "unknown",
    )


def server_paid(facts: Facts) -> list[Decision]:
    """The server gave the money back itself after we had written the break down: say so and close."""
    if facts.transaction.charged_account is not ChargedAccount.AGENT_WALLET or facts.net > 0 or facts.net < 0:
        return []
    decisions: list[Decision] = []
    for kind in _FAILURE_KINDS:
        if not facts.is_open(kind) or facts.refunds_of(kind) or not facts.credits:
            continue
        if not facts.was_told("M01", kind) and facts.is_recent:
            decisions.append(_good_news(facts, kind, amount=Money(sum(line.amount for line in facts.credits))))
        decisions.append(Decision(action=Action.RESOLVE, rule="closing.server_paid", break_kind=kind))
    return decisions


def deposit_returned(facts: Facts) -> list[Decision]:
    """The provider credited the operator's deposit: the claim is settled."""
    kind = BreakKind.FAILED_NOT_REFUNDED
    if facts.transaction.charged_account is not ChargedAccount.PROVIDER_DEPOSIT or not facts.is_open(kind):
        return []
    if not any(facts.deposit_credit(leg) for leg in facts.legs):
        return []
    return [Decision(action=Action.RESOLVE, rule="closing.deposit_returned", break_kind=kind)]


def certainty(facts: Facts) -> list[Decision]:
    """Close what was only uncertainty, once every leg has its last word and the server agrees."""
    if not facts.verdicts:
        return []
    final = all(v.outcome in (Outcome.DELIVERED, Outcome.FAILED, Outcome.REVERSED) for v in facts.verdicts)
    decisions = []
    if facts.is_open(BreakKind.STUCK_PENDING) and final:
        decisions.append(BreakKind.STUCK_PENDING)
    if facts.is_open(BreakKind.CONTRADICTION) and final:
        decisions.append(BreakKind.CONTRADICTION)
    delivered = facts.delivered
    serial = delivered is not None and delivered.serial_number is not None
    if facts.is_open(BreakKind.SERIAL_MISSING) and serial:
        decisions.append(BreakKind.SERIAL_MISSING)
    if facts.is_open(BreakKind.DELIVERED_NOT_RECORDED) and facts.transaction.order_status is OrderStatus.SUCCESS:
        decisions.append(BreakKind.DELIVERED_NOT_RECORDED)
    if facts.is_open(BreakKind.CALLBACK_LOST):
        decisions.append(BreakKind.CALLBACK_LOST)
    return [Decision(action=Action.RESOLVE, rule="closing.certain", break_kind=kind) for kind in decisions]


def long_wait(facts: Facts) -> list[Decision]:
    """COMP-2: our or the provider's fault took longer than an hour until the money or the certainty was back."""
    kind = BreakKind.STUCK_PENDING
    fact = facts.break_of(kind)
    if fact is None or facts.is_open(kind) or not facts.is_recent or not facts.verdicts:
        return []
    if facts.transaction.charged_account is not ChargedAccount.AGENT_WALLET:
        return []
    ended = max((v.final_word_at for v in facts.verdicts if v.final_word_at), default=None)
    if ended is None:
        return []
    waited = ended - facts.legs[0].sent_at
    amount = compensation.for_waiting(waited, family=facts.transaction.family)
    if amount <= 0 or any(k is not kind for k in facts.history.vouchers):
        return []
    if kind not in facts.history.vouchers:
        return [Decision(action=Action.COMPENSATE, rule="comp.2", break_kind=kind, amount=amount)]
    if facts.was_told("M19", kind):
        return []
    details = {"waited_seconds": str(int(waited.total_seconds()))}
    return [Decision(action=Action.TELL, rule="comp.2_told", break_kind=kind, template="M19", details=details)]
