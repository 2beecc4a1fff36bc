"""B01: the provider failed, the money is still gone. And B17 where our own books prove that nothing was sent."""

from datetime import datetime, timedelta

from rekon.domain.breaks import BreakKind
from rekon.domain.decision import Action, Decision
from rekon.domain.facts import Facts
from rekon.domain.outcome import FailureClass
from rekon.domain.policy import CheckKind
from rekon.domain.refund import RefundState
from rekon.domain.rules import remedy
from rekon.domain.transaction import LegState
from rekon.domain.verdict import LegVerdict

KIND = BreakKind.FAILED_NOT_REFUNDED
_PROVED_BY_CREDIT = frozenset({FailureClass.SOFT, FailureClass.TIMEOUT_LIKE})
_SILENT_LOOK = timedelta(minutes=30)
_UNSENT = frozenset({RefundState.REQUESTED, RefundState.APPROVED})
_NEEDS_FRESH_WORD = frozenset({Action.ISSUE_REFUND, Action.MARK_FAILED_AT_SERVER})
_NOTES = {
    "b01.timeout_like": "Penyedia menjawab waktu habis dan tidak ada bukti dana kembali."
    " Periksa ke penyedia sebelum mengembalikan saldo.",
    "b01.doubted": "Penyedia menyatakan gagal, lalu ada jawaban lain yang meragukan."
    " Baca jawaban aslinya sebelum mengembalikan saldo.",
    "b01.reading_missing": "Penyedia baru sekali menyatakan gagal dan jawaban kedua tidak didapat."
    " Pastikan ke penyedia sebelum mengembalikan saldo.",
    "b01.cannot_ask": "Penyedia menyatakan gagal, tetapi jawabannya sudah lama dan tidak dapat ditanyakan lagi."
    " Pastikan ke penyedia sebelum mengembalikan saldo.",
}


def failed_not_refunded(facts: Facts) -> list[Decision]:
    """Find money not given back for a purchase whose every leg failed (rulebook B01, design 6)."""
    if not facts.all_failed:
        return []
    unproven = [v for v in facts.attempts if not v.confirmed]
    if unproven:
        return _unproven(facts, unproven)
    ready_at = max(v.ready_at for v in facts.attempts if v.ready_at)
    if facts.now < ready_at:
        return [remedy.wait(ready_at, "b01.hold")]
    proof = remedy.Proof(
        kind=KIND,
        final_word=max(v.final_word_at for v in facts.attempts if v.final_word_at),
        evidence=_evidence(facts),
        reason=facts.attempts[-1].reason,
        never_formed=all(v.failure_class is FailureClass.NEVER_FORMED for v in facts.attempts),
        own_books=False,
    )
    wanted = remedy.give_back(facts, proof)
    stale = [v for v in facts.attempts if _is_too_old(facts, v)]
    return _ask_again(facts, stale) if stale and _moves_money(facts, wanted) else wanted


def _evidence(facts: Facts) -> tuple[str, ...]:
    """Name the readings that suffice, and the provider's credit where the class rests on it."""
    found: tuple[str, ...] = ()
    for verdict in facts.attempts:
        credit = facts.deposit_credit(verdict.leg) if verdict.failure_class in _PROVED_BY_CREDIT else None
        found += verdict.evidence + ((f"stl:{credit.line_id}",) if credit else ())
    return found


def _moves_money(facts: Facts, wanted: list[Decision]) -> bool:
    """Say whether the next step needs a word of the last minutes: it is asked for now, or was and is not sent yet."""
    unsent = any(r.state in _UNSENT for r in facts.refunds_of(KIND))
    return unsent or any(d.action in _NEEDS_FRESH_WORD for d in wanted)


def _is_too_old(facts: Facts, verdict: LegVerdict) -> bool:
    """Say whether the last reading is older than the limit. A check-that-buys provider is never re-sent for age."""
    if verdict.failure_class is FailureClass.NEVER_FORMED or verdict.last_reading_at is None:
        return False
    if facts.providers[verdict.leg.provider].check is CheckKind.RESEND:
        return False
    return facts.now - verdict.last_reading_at > facts.policy.reading_age_max


def _ask_again(facts: Facts, stale: list[LegVerdict]) -> list[Decision]:
    """Have the provider asked once more. An open leg is on its way to be asked, a stopped one cannot be asked."""
    closed = [v for v in stale if v.leg.state is LegState.FINAL]
    decisions = [Decision(action=Action.CHECK_AGAIN, rule="b01.reading_too_old", leg_key=v.leg.key) for v in closed]
    patience = facts.policy.reading_age_max + facts.policy.staff_after(facts.transaction.family)
    staff_at = min(v.last_reading_at for v in stale if v.last_reading_at) + patience
    if any(v.leg.state is LegState.STOPPED for v in stale) or facts.now >= staff_at:
        decisions += _card(facts, "b01.cannot_ask")
    if any(v.leg.state is LegState.OPEN for v in stale):
        due = staff_at if facts.now < staff_at else facts.now + _SILENT_LOOK
        decisions.append(remedy.wait(due, "b01.being_asked"))
    return decisions


def _unproven(facts: Facts, unproven: list[LegVerdict]) -> list[Decision]:
    """A failure without its whole proof never moves money: it waits for the proof, then for a person."""
    if facts.at_stake <= 0:
        return []
    due, rule = max(_patience(facts, v) for v in unproven)
    if facts.now < due:
        return [remedy.wait(due, "b01.unproven")]
    return _card(facts, rule)


def _patience(facts: Facts, verdict: LegVerdict) -> tuple[datetime, str]:
    """Say until when the missing proof is awaited, and why a person looks then."""
    held_to = (verdict.final_word_at or verdict.leg.sent_at) + verdict.hold
    if verdict.failure_class is FailureClass.TIMEOUT_LIKE and not verdict.doubted:
        return held_to, "b01.timeout_like"
    rule = "b01.doubted" if verdict.doubted else "b01.reading_missing"
    hopeless = verdict.leg.state is LegState.STOPPED
    return held_to + (timedelta(0) if hopeless else facts.policy.staff_after(facts.transaction.family)), rule


def _card(facts: Facts, rule: str) -> list[Decision]:
    return remedy.to_staff(facts, KIND, rule=rule, evidence=_evidence(facts), note=_NOTES[rule], amount=facts.at_stake)


def never_sent(facts: Facts) -> list[Decision]:
    """Give back what was taken for an order whose request never left the server (B17, own-book proof)."""
    if not facts.legs or facts.attempts:
        return []
    moved_at = max(facts.last_line_at or facts.transaction.status_at, facts.transaction.status_at)
    quiet_at = moved_at + facts.policy.quiet_wallet
    if facts.now < quiet_at:
        return [remedy.wait(quiet_at, "b17.quiet")]
    evidence = tuple(f"leg:{leg.key}" for leg in facts.legs) + tuple(line.key for line in facts.own_lines)
    proof = remedy.Proof(
        kind=BreakKind.NOT_AT_PROVIDER,
        final_word=moved_at,
        evidence=evidence,
        reason="busy",
        never_formed=False,
        own_books=True,
    )
    return remedy.give_back(facts, proof)


def not_found(facts: Facts) -> list[Decision]:
    """A reference the provider does not know goes to a person, never to a refund (I7, B17)."""
    lost = [v for v in facts.attempts if _is_lost(facts, v)]
    if not lost or facts.delivered is not None or facts.at_stake <= 0:
        return []
    kind = BreakKind.NOT_AT_PROVIDER
    evidence = tuple(r.report_id for v in lost for r in v.not_found)
    staff_at = lost[0].not_found[0].received_at + facts.policy.not_found_staff
    if facts.now < staff_at:
        record = Decision(
            action=Action.RECORD, rule="b17.not_found", break_kind=kind, evidence=evidence, amount=facts.at_stake
        )
        return [record, remedy.wait(staff_at, "b17.staff_wait")]
    note = (
        "Penyedia tidak mengenal referensi ini, sedangkan catatan kami menyebut permintaan terkirim."
        " Cocokkan dengan mutasi penyedia."
    )
    return remedy.to_staff(facts, kind, rule="b17.staff", evidence=evidence, note=note, amount=facts.at_stake)


def _is_lost(facts: Facts, verdict: LegVerdict) -> bool:
    said = verdict.not_found
    if len(said) < facts.policy.not_found_readings:
        return False
    return said[-1].received_at - said[0].received_at >= facts.policy.not_found_wait
