"""Orders that hang: B02, B03, B07, B21, B22 and B30."""

from datetime import datetime, timedelta

from rekon.domain import sla
from rekon.domain.breaks import BreakKind
from rekon.domain.decision import Action, Decision
from rekon.domain.facts import Facts
from rekon.domain.outcome import Outcome, ReportSource, StatusReport
from rekon.domain.policy import CheckKind
from rekon.domain.rules import remedy
from rekon.domain.transaction import LegState, OrderStatus, SendState
from rekon.domain.verdict import LegVerdict, usable_serial

_FINAL = frozenset({Outcome.DELIVERED, Outcome.FAILED, Outcome.REVERSED, Outcome.PARTIAL})
_CONTRADICTIONS_TO_CARD = 3


def stuck_pending(facts: Facts) -> list[Decision]:
    """Watch an order whose fate is unknown: tell, complain, ask staff; never refund (rulebook B02)."""
    stuck = [v for v in facts.verdicts if v.outcome not in _FINAL and v.leg.send_state is not SendState.NOT_SENT]
    if not stuck or facts.transaction.order_status is not OrderStatus.PENDING or _too_old(facts, stuck):
        return []
    verdict = stuck[-1]
    waited = sla.waited(verdict.leg.sent_at, facts.now, rules=facts.providers[verdict.leg.provider], family=facts.transaction.family)
    policy, family = facts.policy, facts.transaction.family
    steps = (policy.pending_notice, policy.complain_after(family), policy.staff_after(family))
    decisions: list[Decision] = []
    if waited >= steps[0]:
        decisions += _first_notice(facts, verdict, complain_at=facts.now + steps[1] - waited)
    if waited >= steps[1]:
        decisions += _complain(facts, verdict, next_at=facts.now + max(steps[2] - waited, timedelta(minutes=30)))
    if waited >= steps[2]:
        note = "Transaksi belum final melewati batas tunggu. Hubungi penyedia dan minta jawaban tertulis."
        decisions += remedy.to_staff(
            facts, BreakKind.STUCK_PENDING, rule="b02.staff", evidence=_evidence(verdict), note=note, amount=facts.net
        )
    ahead = [facts.now + step - waited for step in steps if step > waited]
    return decisions + [remedy.wait(due, "b02.next_step") for due in ahead[:1]]


def _first_notice(facts: Facts, verdict: LegVerdict, *, complain_at: datetime) -> list[Decision]:
    kind = BreakKind.STUCK_PENDING
    record = Decision(
        action=Action.RECORD, rule="b02.pending", break_kind=kind, evidence=_evidence(verdict), amount=facts.net
    )
    if not facts.is_recent:
        return [record]
    rules, family = facts.providers[verdict.leg.provider], facts.transaction.family
    window_end = sla.window_end(facts.now, rules=rules, family=family)
    template = "M04" if window_end else "M02"
    promise = max(complain_at, facts.now + timedelta(minutes=5))
    if window_end:
        promise = window_end + timedelta(minutes=15)
    decisions = [record]
    if not facts.was_told("M02", kind) and not facts.was_told("M04", kind) and not facts.was_told("M03", kind):
        details = {"window_end": window_end.isoformat()} if window_end else {}
        decisions.append(
            Decision(
                action=Action.TELL,
                rule="b02.notice",
                break_kind=kind,
                template=template,
                promise_at=promise,
                details=details,
            )
        )
    if _only_server_may_ask(facts, verdict):
        note = "Rekon tidak boleh menanyakan referensi ini karena pertanyaannya dapat menjadi pembelian baru. Minta server mengirim ulang cek status."
        decisions.append(
            Decision(action=Action.ASK_SERVER_TO_RESEND, rule="b02.unsafe_check", break_kind=kind, note=note, leg_key=verdict.leg.key)
        )
    return decisions


def _only_server_may_ask(facts: Facts, verdict: LegVerdict) -> bool:
    """A check that can buy, about a reference nobody proved to exist."""
    resend = facts.providers[verdict.leg.provider].check is CheckKind.RESEND
    return resend and verdict.leg.state is LegState.STOPPED and BreakKind.STUCK_PENDING not in facts.history.staff_asked


def _complain(facts: Facts, verdict: LegVerdict, *, next_at: datetime) -> list[Decision]:
    kind = BreakKind.STUCK_PENDING
    decisions = []
    if not facts.history.complaint_state:
        decisions.append(
            Decision(
                action=Action.OPEN_COMPLAINT,
                rule="b02.complain",
                break_kind=kind,
                evidence=_evidence(verdict),
                leg_key=verdict.leg.key,
                template="PC1",
            )
        )
    if facts.history.complaint_state == "sent" and facts.is_recent and not facts.was_told("M03", kind):
        decisions.append(
            Decision(action=Action.TELL, rule="b02.complained", break_kind=kind, template="M03", promise_at=next_at)
        )
    return decisions


def _too_old(facts: Facts, stuck: list[LegVerdict]) -> bool:
    return any(_past_check_age(facts, v) for v in stuck)


def _past_check_age(facts: Facts, verdict: LegVerdict) -> bool:
    return facts.now - verdict.leg.sent_at > facts.providers[verdict.leg.provider].max_check_age


def check_age_passed(facts: Facts) -> list[Decision]:
    """Stop asking about an order that is older than the provider may safely be asked (G1, B30)."""
    old = [v for v in facts.verdicts if v.outcome not in _FINAL and _past_check_age(facts, v)]
    if not old or facts.transaction.order_status is not OrderStatus.PENDING:
        return []
    note = "Umur transaksi melewati batas cek penyedia. Tutup dengan jawaban tertulis penyedia atau mutasi."
    evidence = tuple(f"leg:{v.leg.key}" for v in old)
    return remedy.to_staff(facts, BreakKind.CHECK_AGE_PASSED, rule="b30.too_old", evidence=evidence, note=note, amount=facts.net)


def delivered_not_recorded(facts: Facts) -> list[Decision]:
    """The provider delivered, the server still waits: give it the result and tell the agent (B03)."""
    verdict = facts.delivered
    if verdict is None or verdict.serial_number is None or verdict.final_word_at is None:
        return []
    if facts.transaction.order_status is not OrderStatus.PENDING:
        return _told_after_waiting(facts, verdict)
    due = verdict.final_word_at + facts.policy.recorded_late
    if facts.now < due:
        return [remedy.wait(due, "b03.grace")]
    if not facts.fresh_since(due):
        return [remedy.look_again(facts, "b03.stale_books")]
    if facts.history.order_result:
        return _told_after_waiting(facts, verdict) if facts.history.order_result == "success:accepted" else []
    return [
        Decision(
            action=Action.COMPLETE,
            rule="b03.complete",
            break_kind=BreakKind.DELIVERED_NOT_RECORDED,
            evidence=verdict.evidence,
            details={"serial_number": verdict.serial_number},
        )
    ]


def _told_after_waiting(facts: Facts, verdict: LegVerdict) -> list[Decision]:
    """Whoever waited long enough to be told gets the good news too, once."""
    kinds = (BreakKind.DELIVERED_NOT_RECORDED, BreakKind.STUCK_PENDING)
    waited = [k for k in kinds if facts.break_of(k) is not None]
    if not waited or any(facts.was_told("M05", k) for k in kinds) or not facts.is_recent:
        return []
    if waited == [BreakKind.STUCK_PENDING] and not any(
        facts.was_told(t, BreakKind.STUCK_PENDING) for t in ("M02", "M03", "M04")
    ):
        return []
    return [
        Decision(
            action=Action.TELL,
            rule="b03.good_news",
            break_kind=waited[0],
            template="M05",
            details={"serial_number": verdict.serial_number or ""},
        )
    ]


def serial_missing(facts: Facts) -> list[Decision]:
    """A success without a serial number is asked again, then complained about (B07)."""
    verdict = facts.delivered
    kind = BreakKind.SERIAL_MISSING
    if verdict is None or verdict.serial_number or verdict.final_word_at is None:
        return []
    if usable_serial(facts.transaction.serial_number, forbidden=(verdict.leg.ref_id, facts.transaction.transaction_id)):
        return []
    due = verdict.final_word_at + facts.policy.serial_wait
    if facts.now < due:
        return [remedy.wait(due, "b07.requery")]
    decisions = [Decision(action=Action.RECORD, rule="b07.no_serial", break_kind=kind, evidence=verdict.evidence)]
    if not facts.history.complaint_state:
        decisions.append(
            Decision(
                action=Action.OPEN_COMPLAINT, rule="b07.complain", break_kind=kind, leg_key=verdict.leg.key, template="PC1"
            )
        )
    notice = verdict.final_word_at + facts.policy.serial_notice
    if facts.now < notice:
        return [*decisions, remedy.wait(notice, "b07.notice_wait")]
    if facts.is_recent and not facts.was_told("M11", kind):
        promise = facts.now + timedelta(minutes=60)
        decisions.append(Decision(action=Action.TELL, rule="b07.notice", break_kind=kind, template="M11", promise_at=promise))
    return decisions


def contradiction(facts: Facts) -> list[Decision]:
    """Two signals disagree and asking again did not help: a person reads the raw replies (B21)."""
    torn = [v for v in facts.verdicts if v.contradictions and v.outcome not in _FINAL]
    said = [r for v in torn for r in v.contradictions]
    if len(said) < _CONTRADICTIONS_TO_CARD:
        return []
    note = "Status, kode, dan teks penyedia saling bertentangan setelah ditanya ulang. Baca jawaban aslinya sebelum memutuskan."
    evidence = tuple(r.report_id for r in said)
    return remedy.to_staff(facts, BreakKind.CONTRADICTION, rule="b21.persists", evidence=evidence, note=note, amount=facts.net)


def callback_lost(facts: Facts) -> list[Decision]:
    """Record a final state that only polling found, while the provider's callback did not come (B22)."""
    decisions = []
    for verdict in facts.verdicts:
        if verdict.outcome not in (Outcome.DELIVERED, Outcome.FAILED) or not verdict.readings:
            continue
        first = verdict.readings[0]
        if first.source is not ReportSource.INQUIRY or not facts.providers[verdict.leg.provider].sends_callbacks:
            continue
        due = first.received_at + facts.policy.callback_lag
        if _callback_came(facts, verdict, until=due):
            continue
        if facts.now < due:
            decisions.append(remedy.wait(due, "b22.callback_wait"))
        elif not facts.break_of(BreakKind.CALLBACK_LOST):
            decisions.append(
                Decision(
                    action=Action.RECORD, rule="b22.polled", break_kind=BreakKind.CALLBACK_LOST, evidence=(first.report_id,)
                )
            )
    return decisions


def _callback_came(facts: Facts, verdict: LegVerdict, *, until: datetime) -> bool:
    return any(
        r.leg_key == verdict.leg.key
        and r.source is ReportSource.CALLBACK
        and r.outcome is not Outcome.PENDING
        and r.received_at <= until
        for r in facts.reports
    )


def _evidence(verdict: LegVerdict) -> tuple[str, ...]:
    reports: tuple[StatusReport, ...] = verdict.readings or verdict.not_found or verdict.contradictions
    return tuple(r.report_id for r in reports) or (f"leg:{verdict.leg.key}",)
