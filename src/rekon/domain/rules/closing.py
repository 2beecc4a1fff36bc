"""What follows once money or certainty is back: apologise, compensate, close."""

from datetime import datetime

from rekon.domain import compensation
from rekon.domain.breaks import BreakKind
from rekon.domain.decision import Action, Decision
from rekon.domain.facts import Facts
from rekon.domain.money import Money
from rekon.domain.outcome import Outcome
from rekon.domain.refund import Refund, RefundState
from rekon.domain.transaction import ChargedAccount, OrderStatus

_FAILURE_KINDS = (BreakKind.FAILED_NOT_REFUNDED, BreakKind.NOT_AT_PROVIDER, BreakKind.SUCCESS_TAKEN_BACK)
_WAITED_FOR = (BreakKind.STUCK_PENDING, *_FAILURE_KINDS)
_WAITING_TEMPLATES = ("M02", "M03", "M04")
_LAST_WORDS = frozenset({Outcome.DELIVERED, Outcome.FAILED, Outcome.REVERSED})


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
    """Issue the voucher first, so that the one apology carries it (COMP-1)."""
    kind = refund.break_kind
    if facts.was_told("M06", kind) or not facts.is_recent:
        return []
    if kind not in facts.history.vouchers:
        nominal = facts.transaction.face_value or facts.transaction.price
        amount = compensation.for_double_charge(nominal)
        return [Decision(action=Action.COMPENSATE, rule="comp.1", break_kind=kind, amount=amount)]
    return [Decision(action=Action.TELL, rule="closing.apology", break_kind=kind, template="M06", amount=refund.amount)]


def _waiting_for_staff(facts: Facts, refund: Refund) -> list[Decision]:
    if facts.was_told("M16", refund.break_kind):
        return []
    return [
        Decision(
            action=Action.TELL,
            rule="closing.waiting",
            break_kind=refund.break_kind,
            template="M16",
            amount=refund.amount,
        )
    ]


def _good_news(facts: Facts, kind: BreakKind, *, amount: Money) -> Decision:
    reason = facts.attempts[-1].reason if facts.attempts else "busy"
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
    """The server gave the money back itself after we had written the break down: say so once, and close."""
    if facts.transaction.charged_account is not ChargedAccount.AGENT_WALLET or facts.net != 0 or not facts.credits:
        return []
    paid = [kind for kind in _FAILURE_KINDS if facts.is_open(kind) and not facts.refunds_of(kind)]
    told = paid[:1] or _left_waiting(facts)
    decisions: list[Decision] = []
    if told and facts.is_recent and not any(facts.was_told("M01", kind) for kind in _WAITED_FOR):
        amount = Money(sum(line.amount for line in facts.credits))
        decisions.append(_good_news(facts, told[0], amount=amount))
    return decisions + [Decision(action=Action.RESOLVE, rule="closing.server_paid", break_kind=kind) for kind in paid]


def _left_waiting(facts: Facts) -> list[BreakKind]:
    """Who was told "still working on it" hears the end of it too, even when the server was quicker than we."""
    kind = BreakKind.STUCK_PENDING
    ended = facts.transaction.order_status in (OrderStatus.FAILED, OrderStatus.REFUNDED) and facts.delivered is None
    told = any(facts.was_told(template, kind) for template in _WAITING_TEMPLATES)
    return [kind] if ended and told and not facts.history.refunds else []


def deposit_returned(facts: Facts) -> list[Decision]:
    """The provider credited the operator's deposit: the claim is settled."""
    kind = BreakKind.FAILED_NOT_REFUNDED
    if facts.transaction.charged_account is not ChargedAccount.PROVIDER_DEPOSIT or not facts.is_open(kind):
        return []
    if facts.deposit_owed > 0 or not any(facts.deposit_credit(leg) for leg in facts.legs):
        return []
    return [Decision(action=Action.RESOLVE, rule="closing.deposit_returned", break_kind=kind)]


def certainty(facts: Facts) -> list[Decision]:
    """Close what was only uncertainty, once every leg has its last word and the server agrees."""
    final = bool(facts.attempts) and all(v.outcome in _LAST_WORDS for v in facts.attempts)
    serial = facts.delivered is not None and facts.delivered.serial_number is not None
    recorded = facts.transaction.order_status is OrderStatus.SUCCESS
    over = {
        BreakKind.STUCK_PENDING: _is_over(facts, final=final),
        BreakKind.NOT_AT_PROVIDER: final and not facts.refunds_of(BreakKind.NOT_AT_PROVIDER),
        BreakKind.CONTRADICTION: final,
        BreakKind.SERIAL_MISSING: serial,
        BreakKind.DELIVERED_NOT_RECORDED: recorded,
        BreakKind.CALLBACK_LOST: True,
    }
    kinds = [kind for kind, is_over in over.items() if is_over and facts.is_open(kind)]
    return [Decision(action=Action.RESOLVE, rule="closing.certain", break_kind=kind) for kind in kinds]


def _is_over(facts: Facts, *, final: bool) -> bool:
    """Say whether nobody waits any more: delivered and recorded, given back, or now a failure with its own break."""
    status = facts.transaction.order_status
    if status is OrderStatus.SUCCESS:
        return True
    if final and facts.delivered is not None:
        return facts.history.order_result == "success:accepted" or status.is_final
    if final and any(facts.break_of(kind) for kind in _FAILURE_KINDS):
        return True
    wallet = facts.transaction.charged_account is ChargedAccount.AGENT_WALLET
    return (final or status.is_final) and (facts.net <= 0 if wallet else final)


def long_wait(facts: Facts) -> list[Decision]:
    """COMP-2: our or the provider's fault took longer than an hour until the money or the certainty was back."""
    known = [kind for kind in _WAITED_FOR if facts.break_of(kind) is not None]
    ended = _ended_at(facts)
    if not known or any(facts.is_open(kind) for kind in known) or ended is None:
        return []
    if facts.transaction.charged_account is not ChargedAccount.AGENT_WALLET:
        return []
    kind, waited = known[0], ended - facts.legs[0].sent_at
    amount = compensation.for_waiting(waited, family=facts.transaction.family)
    is_late = facts.now - ended > facts.policy.told_within
    if amount <= 0 or is_late or facts.was_told("M19", kind) or any(k is not kind for k in facts.history.vouchers):
        return []
    if kind not in facts.history.vouchers:
        return [Decision(action=Action.COMPENSATE, rule="comp.2", break_kind=kind, amount=amount)]
    details = {"waited_seconds": str(int(waited.total_seconds()))}
    return [Decision(action=Action.TELL, rule="comp.2_told", break_kind=kind, template="M19", details=details)]


def _ended_at(facts: Facts) -> datetime | None:
    """When the waiting was over: the delivery was known, or the money was back; None while it is not."""
    if facts.delivered is not None:
        return facts.delivered.final_word_at
    if facts.net > 0 or not facts.legs:
        return None
    settled = [r.settled_at for r in facts.history.refunds if r.state is RefundState.SETTLED and r.settled_at]
    return max(settled + [line.posted_at for line in facts.credits], default=None)
