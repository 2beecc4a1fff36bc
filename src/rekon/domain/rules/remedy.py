"""How money goes back once it is proved that it should: who pays decides the road (design 2)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from rekon.domain.breaks import BreakKind, Mode
from rekon.domain.decision import Action, Decision
from rekon.domain.facts import Facts
from rekon.domain.money import Money
from rekon.domain.transaction import ChargedAccount, OrderStatus, RefundOwner

_MARK_WAIT = timedelta(seconds=2)
_SLOW_LOOK = timedelta(seconds=30)
_RESULT_ANSWER_LIMIT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Why money should go back."""

    kind: BreakKind
    final_word: datetime
    """When the last word that the books must have been read past was spoken (I25)."""
    evidence: tuple[str, ...]
    reason: str
    never_formed: bool
    own_books: bool


def give_back(facts: Facts, proof: Proof) -> list[Decision]:
    """Choose the remedy for a proved loss by charged account and refund owner."""
    account = facts.transaction.charged_account
    if account is ChargedAccount.PROVIDER_DEPOSIT:
        return _claim_deposit(facts, proof)
    if account is ChargedAccount.CASH:
        return _cash_card(facts, proof)
    if facts.net <= 0 or facts.refunds_of(proof.kind):
        return []
    if facts.history.refund_owner is RefundOwner.SERVER:
        return _server_pays(facts, proof)
    if facts.history.refund_owner is RefundOwner.REKON:
        return _rekon_pays(facts, proof)
    note = "Pengembalian pada sumber ini dikerjakan petugas. Kembalikan saldo, lalu catat buktinya."
    return to_staff(facts, proof.kind, rule="remedy.manual", evidence=proof.evidence, note=note, amount=facts.net)


def _server_pays(facts: Facts, proof: Proof) -> list[Decision]:
    """Leave the server its three minutes, then tell it the order failed. Never pay beside it."""
    allowed_at = proof.final_word + facts.policy.server_refund_wait
    if facts.now < allowed_at:
        return [wait(allowed_at, "remedy.server_wait")]
    if not facts.fresh_since(proof.final_word):
        return [look_again(facts, "remedy.stale_books")]
    result, due = facts.history.order_result, facts.history.order_result_at
    if not result:
        return [mark_failed(facts, proof)]
    if due is not None and facts.now < due + facts.policy.server_refund_limit:
        return [wait(due + facts.policy.server_refund_limit, "remedy.server_told")]
    note = "Server sudah diberi tahu bahwa order ini gagal, tetapi saldo belum kembali. Periksa di server."
    return to_staff(facts, proof.kind, rule="remedy.server_silent", evidence=proof.evidence, note=note, amount=facts.net)


def _rekon_pays(facts: Facts, proof: Proof) -> list[Decision]:
    """Pay once the order is final at the server and both books are fresh (I25)."""
    status = facts.transaction.order_status
    if status is OrderStatus.REFUNDED:
        note = "Server mencatat order sudah dikembalikan, tetapi kreditnya tidak ada di mutasi saldo."
        return to_staff(facts, proof.kind, rule="remedy.refund_not_seen", evidence=proof.evidence, note=note, amount=facts.net)
    if status is OrderStatus.SUCCESS:
        note = "Server mencatat sukses, penyedia menyatakan gagal. Putuskan setelah memeriksa keduanya."
        return to_staff(facts, proof.kind, rule="remedy.server_says_success", evidence=proof.evidence, note=note, amount=facts.net)
    if not facts.fresh_since(proof.final_word):
        return [look_again(facts, "remedy.stale_books")]
    if status is OrderStatus.PENDING and facts.history.order_result != "failed:accepted":
        return _close_order(facts, proof)
    return [refund(facts, proof.kind, amount=facts.net, proof=proof)]


def _close_order(facts: Facts, proof: Proof) -> list[Decision]:
    """A server may still re-route an open order, so it has to close it before money moves."""
    result = facts.history.order_result
    if not result:
        return [mark_failed(facts, proof)]
    told_at = facts.history.order_result_at
    if result == "failed:pending" and told_at is not None and facts.now < told_at + _RESULT_ANSWER_LIMIT:
        return [wait(told_at + _RESULT_ANSWER_LIMIT, "remedy.order_closing")]
    note = "Server belum menutup order yang gagal ini. Tutup order di server, lalu pengembalian berjalan sendiri."
    return to_staff(facts, proof.kind, rule="remedy.order_not_closed", evidence=proof.evidence, note=note, amount=facts.net)


def refund(facts: Facts, kind: BreakKind, *, amount: Money, proof: Proof) -> Decision:
    """Ask for a refund; mode and amount decide whether a person has to agree."""
    limit = facts.policy.auto_max_provider_proof
    if proof.own_books or proof.never_formed:
        limit = facts.policy.auto_max_own_books
    reasons = []
    if facts.policy.mode_of(kind) is not Mode.AUTOMATIC:
        reasons.append("mode saran: setiap pengembalian disetujui petugas")
    if amount > limit:
        reasons.append("jumlah di atas batas otomatis")
    return Decision(
        action=Action.ISSUE_REFUND,
        rule=f"{kind.value.lower()}.refund",
        break_kind=kind,
        amount=amount,
        evidence=proof.evidence + tuple(line.key for line in facts.own_lines),
        needs_approval=bool(reasons),
        approval_reason="; ".join(reasons),
        reason=proof.reason,
        never_formed=proof.never_formed,
    )


def mark_failed(facts: Facts, proof: Proof) -> Decision:
    """Tell the server that the order failed."""
    return Decision(
        action=Action.MARK_FAILED_AT_SERVER,
        rule=f"{proof.kind.value.lower()}.mark_failed",
        break_kind=proof.kind,
        amount=facts.net,
        evidence=proof.evidence,
        reason=proof.reason,
    )


def to_staff(
    facts: Facts, kind: BreakKind, *, rule: str, evidence: tuple[str, ...], note: str, amount: Money | None
) -> list[Decision]:
    """Open a card for a person, once."""
    if kind in facts.history.staff_asked:
        return []
    return [Decision(action=Action.ASK_STAFF, rule=rule, break_kind=kind, evidence=evidence, note=note, amount=amount)]


def _claim_deposit(facts: Facts, proof: Proof) -> list[Decision]:
    """The operator bought directly: claim the deposit that the provider kept, and watch until it is credited."""
    lines = [s for s in facts.history.statement_lines if s.ref_id in {leg.ref_id for leg in facts.legs}]
    owed = -sum(s.amount for s in lines)
    if not lines or owed <= 0 or facts.is_open(proof.kind):
        return []
    evidence = proof.evidence + tuple(f"stl:{s.line_id}" for s in lines)
    return [
        Decision(
            action=Action.CLAIM_ON_PROVIDER,
            rule="remedy.claim_deposit",
            break_kind=proof.kind,
            amount=Money(owed),
            evidence=evidence,
            reason=proof.reason,
            leg_key=facts.legs[-1].key,
        )
    ]


def _cash_card(facts: Facts, proof: Proof) -> list[Decision]:
    """A customer paid in cash: a person gives it back and ticks it with proof."""
    note = "Pelanggan membayar tunai dan pengisian gagal. Kembalikan uangnya, lalu catat buktinya."
    amount = facts.transaction.price
    return to_staff(facts, proof.kind, rule="remedy.cash", evidence=proof.evidence, note=note, amount=amount)


def wait(due_at: datetime, rule: str) -> Decision:
    """Look again at `due_at`."""
    return Decision(action=Action.WAIT, rule=rule, due_at=due_at)


def look_again(facts: Facts, rule: str) -> Decision:
    """Look again shortly: the books will have been read further by then. Old orders are looked at slowly."""
    step = _MARK_WAIT if facts.is_recent else _SLOW_LOOK
    return wait(facts.now + step, rule)
