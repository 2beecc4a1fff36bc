"""Orders that hang: B02, B03, B07, B21, B22 and B30."""

from datetime import datetime, timedelta

from rekon.domain import sla
from rekon.domain.breaks import BreakKind
from rekon.domain.decision import Action, Decision
from rekon.domain.facts import Facts
from rekon.domain.outcome import FailureClass, Outcome, ReportSource, StatusReport
from rekon.domain.policy import CheckKind, ProviderRules
from rekon.domain.rules import remedy
from rekon.domain.transaction import ChargedAccount, LegState, OrderStatus
from rekon.domain.verdict import LegVerdict, usable_serial

_FINAL = frozenset({Outcome.DELIVERED, Outcome.FAILED, Outcome.REVERSED, Outcome.PARTIAL})
_CONTRADICTIONS_TO_CARD = 3
_ASKED_FOR_FAILURE = frozenset({BreakKind.FAILED_NOT_REFUNDED})
"""One trouble, one card: a time-out that staff has on the desk is not put there again as a pending order."""


def stuck_pending(facts: Facts) -> list[Decision]:
    """Watch an order whose fate is unknown: tell, complain, ask staff; never refund (rulebook B02)."""
    stuck = [v for v in facts.attempts if _is_stuck(v)]
    if not stuck or not _is_awaited(facts) or any(_past_check_age(facts, v) for v in stuck):
        return []
    verdict = stuck[-1]
    waited = sla.waited(verdict.leg.sent_at, facts.now, rules=_rules(facts, verdict), family=facts.transaction.family)
    window_end = _window_end(facts, verdict)
    notice, complain, staff = _steps(facts)
    decisions: list[Decision] = []
    # People wait on through a maintenance window; only complaint and staff clocks pause in it (G11).
    if waited >= notice or (window_end and facts.now - verdict.leg.sent_at >= notice):
        decisions += _first_notice(facts, verdict, complain_at=facts.now + complain - waited, window_end=window_end)
    if waited >= complain and not window_end:
        decisions += _complain(facts, verdict, next_at=facts.now + max(staff - waited, timedelta(minutes=30)))
    if waited >= staff and not facts.history.staff_asked & _ASKED_FOR_FAILURE:
        note = "Transaksi belum final melewati batas tunggu. Hubungi penyedia dan minta jawaban tertulis."
        decisions += remedy.to_staff(
            facts,
            BreakKind.STUCK_PENDING,
            rule="b02.staff",
            evidence=_evidence(verdict),
            note=note,
            amount=facts.at_stake,
        )
    return decisions + _next_step(facts, verdict, waited=waited, window_end=window_end)


def _is_stuck(verdict: LegVerdict) -> bool:
    """A failure that may still turn out well is no better known than a pending order."""
    if verdict.outcome is Outcome.FAILED and not verdict.confirmed:
        return verdict.doubted or verdict.failure_class is FailureClass.TIMEOUT_LIKE
    return verdict.outcome not in _FINAL


def _is_awaited(facts: Facts) -> bool:
    """Say whether somebody still waits: the order is open, or the server failed it and kept the money."""
    status = facts.transaction.order_status
    kept = status is OrderStatus.FAILED and facts.transaction.charged_account is ChargedAccount.AGENT_WALLET
    return facts.delivered is None and (status is OrderStatus.PENDING or (kept and facts.net > 0))


def _steps(facts: Facts) -> tuple[timedelta, timedelta, timedelta]:
    policy, family = facts.policy, facts.transaction.family
    return policy.pending_notice, policy.complain_after(family), policy.staff_after(family)


def _next_step(facts: Facts, verdict: LegVerdict, *, waited: timedelta, window_end: datetime | None) -> list[Decision]:
    """Look again at the next step; inside a window its clock runs on only when the window ends."""
    resumes = window_end or facts.now
    due = [resumes + step - waited for step in _steps(facts) if step > waited]
    if window_end:
        due.append(window_end)
        due.append(verdict.leg.sent_at + facts.policy.pending_notice)
    ahead = [instant for instant in due if instant > facts.now]
    return [remedy.wait(min(ahead), "b02.next_step")] if ahead else []


def _first_notice(
    facts: Facts, verdict: LegVerdict, *, complain_at: datetime, window_end: datetime | None
) -> list[Decision]:
    kind = BreakKind.STUCK_PENDING
    record = Decision(
        action=Action.RECORD, rule="b02.pending", break_kind=kind, evidence=_evidence(verdict), amount=facts.at_stake
    )
    if not facts.is_recent:
        return [record]
    decisions = [record]
    if not any(facts.was_told(template, kind) for template in ("M02", "M03", "M04")):
        promise = window_end + timedelta(minutes=15) if window_end else complain_at
        decisions.append(
            Decision(
                action=Action.TELL,
                rule="b02.notice",
                break_kind=kind,
                template="M04" if window_end else "M02",
                promise_at=max(promise, facts.now + timedelta(minutes=5)),
                details={"window_end": window_end.isoformat()} if window_end else {},
            )
        )
    if _only_server_may_ask(facts, verdict):
        note = (
            "Rekon tidak boleh menanyakan referensi ini karena pertanyaannya dapat menjadi pembelian baru."
            " Minta server mengirim ulang cek status."
        )
        decisions.append(
            Decision(
                action=Action.ASK_SERVER_TO_RESEND,
                rule="b02.unsafe_check",
                break_kind=kind,
                note=note,
                leg_key=verdict.leg.key,
            )
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


def _rules(facts: Facts, verdict: LegVerdict) -> ProviderRules:
    return facts.providers[verdict.leg.provider]


def _past_check_age(facts: Facts, verdict: LegVerdict) -> bool:
    return facts.now - verdict.leg.sent_at > _rules(facts, verdict).max_check_age


def _window_end(facts: Facts, verdict: LegVerdict) -> datetime | None:
    return sla.window_end(facts.now, rules=_rules(facts, verdict), family=facts.transaction.family)


def check_age_passed(facts: Facts) -> list[Decision]:
    """Stop asking about an order that is older than the provider may safely be asked (G1, B30)."""
    old = [v for v in facts.attempts if v.outcome not in _FINAL and _past_check_age(facts, v)]
    if not old or not _is_awaited(facts):
        return []
    note = "Umur transaksi melewati batas cek penyedia. Tutup dengan jawaban tertulis penyedia atau mutasi."
    evidence = tuple(f"leg:{v.leg.key}" for v in old)
    return remedy.to_staff(
        facts, BreakKind.CHECK_AGE_PASSED, rule="b30.too_old", evidence=evidence, note=note, amount=facts.at_stake
    )


def delivered_not_recorded(facts: Facts) -> list[Decision]:
    """The provider delivered, the server still waits: give it the result and tell the agent (B03)."""
    verdict = facts.delivered
    if verdict is None or verdict.serial_number is None or verdict.final_word_at is None:
        return []
    if verdict.failed_after_success is not None:
        return []
    if facts.transaction.order_status is not OrderStatus.PENDING:
        return _told_after_waiting(facts, verdict)
    due = verdict.final_word_at + facts.policy.recorded_late
    if facts.now < due:
        return [remedy.wait(due, "b03.grace")]
    if not facts.fresh_since(due):
        return [remedy.look_again(facts, "b03.stale_books", since=due)]
    if facts.history.order_result:
        return _after_result(facts, verdict)
    return [
        Decision(
            action=Action.COMPLETE,
            rule="b03.complete",
            break_kind=BreakKind.DELIVERED_NOT_RECORDED,
            evidence=verdict.evidence,
            details={"serial_number": verdict.serial_number},
        )
    ]


def _after_result(facts: Facts, verdict: LegVerdict) -> list[Decision]:
    """Tell the agent once the server took the success; a server that did not is put right by a person."""
    result = facts.history.order_result
    if result == "success:accepted":
        return _told_after_waiting(facts, verdict)
    if result == "success:pending":
        return []
    note = "Penyedia berhasil mengirim, tetapi server belum mencatatnya. Catat hasil dan nomor seri di server."
    return remedy.to_staff(
        facts,
        BreakKind.DELIVERED_NOT_RECORDED,
        rule="b03.not_recorded",
        evidence=verdict.evidence,
        note=note,
        amount=facts.at_stake,
    )


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
    if not facts.history.complaint_state and not _window_end(facts, verdict):
        decisions.append(
            Decision(
                action=Action.OPEN_COMPLAINT,
                rule="b07.complain",
                break_kind=kind,
                leg_key=verdict.leg.key,
                template="PC1",
            )
        )
    notice = verdict.final_word_at + facts.policy.serial_notice
    if facts.now < notice:
        return [*decisions, remedy.wait(notice, "b07.notice_wait")]
    if facts.is_recent and not facts.was_told("M11", kind):
        promise = facts.now + timedelta(minutes=60)
        decisions.append(
            Decision(action=Action.TELL, rule="b07.notice", break_kind=kind, template="M11", promise_at=promise)
        )
    return decisions


def contradiction(facts: Facts) -> list[Decision]:
    """Two signals disagree and asking again did not help, or only a part arrived: a person reads the replies (B21)."""
    partial = [r for v in facts.attempts if v.outcome is Outcome.PARTIAL for r in v.readings]
    torn = [r for v in facts.attempts if v.outcome not in _FINAL for r in v.contradictions]
    if partial:
        rule, said, note = "b21.partial", partial, "Penyedia menyatakan hanya sebagian yang terkirim."
    elif len(torn) >= _CONTRADICTIONS_TO_CARD:
        rule, said = "b21.persists", torn
        note = "Status, kode, dan teks penyedia saling bertentangan setelah ditanya ulang."
    else:
        return []
    return remedy.to_staff(
        facts,
        BreakKind.CONTRADICTION,
        rule=rule,
        evidence=tuple(r.report_id for r in said),
        note=f"{note} Baca jawaban aslinya sebelum memutuskan.",
        amount=facts.at_stake,
    )


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
                    action=Action.RECORD,
                    rule="b22.polled",
                    break_kind=BreakKind.CALLBACK_LOST,
                    evidence=(first.report_id,),
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
