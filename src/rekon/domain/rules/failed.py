"""B01: the provider failed, the money is still gone. And B17 where our own books prove that nothing was sent."""

from datetime import datetime

from rekon.domain.breaks import BreakKind
from rekon.domain.decision import Action, Decision
from rekon.domain.facts import Facts
from rekon.domain.outcome import FailureClass
from rekon.domain.policy import CheckKind
from rekon.domain.rules import remedy
from rekon.domain.transaction import ChargedAccount, SendState
from rekon.domain.verdict import LegVerdict

KIND = BreakKind.FAILED_NOT_REFUNDED


def failed_not_refunded(facts: Facts) -> list[Decision]:
    """Find money not given back for a purchase whose every leg failed (rulebook B01, design 6)."""
    if not facts.all_failed:
        return []
    if not all(v.confirmed for v in facts.verdicts):
        return _unproven(facts)
    ready_at = max(v.ready_at for v in facts.verdicts if v.ready_at)
    if facts.now < ready_at:
        return [_wait(ready_at, "b01.hold")]
    final_word = max(v.final_word_at for v in facts.verdicts if v.final_word_at)
    stale = [v for v in facts.verdicts if _is_too_old(facts, v)]
    needs_fresh_word = stale and facts.net > 0 and facts.transaction.charged_account is ChargedAccount.AGENT_WALLET
    if needs_fresh_word and not facts.refunds_of(KIND):
        return [
            Decision(action=Action.CHECK_AGAIN, rule="b01.reading_too_old", leg_key=v.leg.key) for v in stale
        ]
    evidence = tuple(i for v in facts.verdicts for i in v.evidence)
    proof = remedy.Proof(
        kind=KIND,
        final_word=final_word,
        evidence=evidence,
        reason=facts.verdicts[-1].reason,
        never_formed=all(v.failure_class is FailureClass.NEVER_FORMED for v in facts.verdicts),
        own_books=False,
    )
    return remedy.give_back(facts, proof)


def _unproven(facts: Facts) -> list[Decision]:
    """TIMEOUT_LIKE without money proof goes to a person after its hold; anything else waits for its next reading."""
    hopeless = [v for v in facts.verdicts if v.failure_class is FailureClass.TIMEOUT_LIKE and v.final_word_at]
    if not hopeless or facts.net <= 0:
        return []
    due = max(v.final_word_at + v.hold for v in hopeless if v.final_word_at)
    if facts.now < due:
        return [_wait(due, "b01.timeout_hold")]
    evidence = tuple(i for v in facts.verdicts for i in v.evidence)
    note = "Penyedia menjawab waktu habis dan tidak ada bukti dana kembali. Periksa ke penyedia sebelum mengembalikan saldo."
    return remedy.to_staff(facts, KIND, rule="b01.timeout_like", evidence=evidence, note=note, amount=facts.net)


def _is_too_old(facts: Facts, verdict: LegVerdict) -> bool:
    """Say whether the last reading is older than the limit. A check-that-buys provider is never re-sent for age."""
    if verdict.failure_class is FailureClass.NEVER_FORMED or verdict.last_reading_at is None:
        return False
    if facts.providers[verdict.leg.provider].check is CheckKind.RESEND:
        return False
    return facts.now - verdict.last_reading_at > facts.policy.reading_age_max


def never_sent(facts: Facts) -> list[Decision]:
    """Give back what was taken for an order whose request never left the server (B17, own-book proof)."""
    if not facts.legs or any(leg.send_state is not SendState.NOT_SENT for leg in facts.legs):
        return []
    if facts.reports or facts.last_line_at is None:
        return []
    quiet_at = max(facts.last_line_at, facts.transaction.status_at) + facts.policy.quiet_wallet
    if facts.now < quiet_at:
        return [_wait(quiet_at, "b17.quiet")]
    evidence = tuple(f"leg:{leg.key}" for leg in facts.legs) + tuple(line.key for line in facts.own_lines)
    proof = remedy.Proof(
        kind=BreakKind.NOT_AT_PROVIDER,
        final_word=quiet_at - facts.policy.quiet_wallet,
        evidence=evidence,
        reason="busy",
        never_formed=False,
        own_books=True,
    )
    return remedy.give_back(facts, proof)


def not_found(facts: Facts) -> list[Decision]:
    """A reference the provider does not know goes to a person, never to a refund (I7, B17)."""
    lost = [v for v in facts.verdicts if _is_lost(facts, v)]
    if not lost or facts.transaction.order_status.value in ("failed", "refunded") or facts.net <= 0:
        return []
    kind = BreakKind.NOT_AT_PROVIDER
    evidence = tuple(r.report_id for v in lost for r in v.not_found)
    staff_at = lost[0].not_found[0].received_at + facts.policy.not_found_staff
    if facts.now < staff_at:
        record = Decision(action=Action.RECORD, rule="b17.not_found", break_kind=kind, evidence=evidence, amount=facts.net)
        return [record, _wait(staff_at, "b17.staff_wait")]
    note = "Penyedia tidak mengenal referensi ini, sedangkan catatan kami menyebut permintaan terkirim. Cocokkan dengan mutasi penyedia."
    return remedy.to_staff(facts, kind, rule="b17.staff", evidence=evidence, note=note, amount=facts.net)


def _is_lost(facts: Facts, verdict: LegVerdict) -> bool:
    said = verdict.not_found
    if len(said) < facts.policy.not_found_readings:
        return False
    return said[-1].received_at - said[0].received_at >= facts.policy.not_found_wait


def _wait(due_at: datetime, rule: str) -> Decision:
    return Decision(action=Action.WAIT, rule=rule, due_at=due_at)
