"""Fold every word a provider said about one leg into one verdict.

Success is absorbing and failure is not (I8): the order in which reports arrive does not matter for DELIVERED and
REVERSED, and a failure counts only while no inquiry after it says "still pending" (I6, I9).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rekon.domain.outcome import FailureClass, Outcome, ReportSource, StatusReport
from rekon.domain.policy import HOLDS, SOFT_HOLD_WITH_CREDIT, CheckKind, Policy, ProviderRules
from rekon.domain.transaction import Leg

_SAYS_NOTHING = frozenset({Outcome.UNKNOWN, Outcome.PENDING, Outcome.NOT_FOUND})
_BLANK_SERIALS = frozenset({"", "-", "0", "null", "none"})
_HARDNESS = (FailureClass.TIMEOUT_LIKE, FailureClass.SOFT, FailureClass.DEFINITE, FailureClass.NEVER_FORMED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegVerdict:
    """What is known of one leg."""

    leg: Leg
    outcome: Outcome
    failure_class: FailureClass | None = None
    final_word_at: datetime | None = None
    """When the word that made the outcome was first heard."""
    last_reading_at: datetime | None = None
    """When the newest report saying this outcome was heard."""
    readings: tuple[StatusReport, ...] = ()
    """The reports that say this outcome, oldest first."""
    hold: timedelta = timedelta(0)
    confirmed: bool = False
    """A failure with all its readings; the hold may still run."""
    serial_number: str | None = None
    reason: str = ""
    failed_after_success: StatusReport | None = None
    not_found: tuple[StatusReport, ...] = ()
    contradictions: tuple[StatusReport, ...] = ()

    @property
    def ready_at(self) -> datetime | None:
        """Earliest instant at which the provider's proof alone allows a refund; None while readings are missing."""
        if not self.confirmed or self.final_word_at is None or self.last_reading_at is None:
            return None
        return max(self.final_word_at + self.hold, self.last_reading_at)

    @property
    def evidence(self) -> tuple[str, ...]:
        """Ids of the reports behind the outcome."""
        return tuple(report.report_id for report in self.readings)


def usable_serial(serial: str | None, *, forbidden: Sequence[str] = ()) -> str | None:
    """Return the serial number if it is one: blank, dashes, zeros and our own ids are none (B07)."""
    text = (serial or "").strip()
    if text.lower() in _BLANK_SERIALS or not text.strip("0") or text in forbidden:
        return None
    return text


def judge_leg(
    leg: Leg, reports: Sequence[StatusReport], *, rules: ProviderRules, policy: Policy, credited_back: bool
) -> LegVerdict:
    """Fold the reports of one leg. `credited_back`: the provider's statement shows its credit for this leg."""
    about = sorted((r for r in reports if r.about_this_leg), key=lambda r: (r.received_at, r.report_id))
    words = [r for r in about if r.is_reading and r.failure_class is not FailureClass.CHECK_ERROR]
    contradictions = tuple(r for r in about if r.contradiction)
    for outcome in (Outcome.REVERSED, Outcome.DELIVERED, Outcome.PARTIAL):
        said = [r for r in words if r.outcome is outcome]
        if said:
            return _settled(leg, outcome, said=said, words=words, contradictions=contradictions)
    failed = _failures_that_stand(words)
    if failed:
        return _failed(leg, failed, rules=rules, policy=policy, credited_back=credited_back, contradictions=contradictions)
    return _undecided(leg, words, contradictions=contradictions)


def _settled(
    leg: Leg,
    outcome: Outcome,
    *,
    said: list[StatusReport],
    words: list[StatusReport],
    contradictions: tuple[StatusReport, ...],
) -> LegVerdict:
    serials = (usable_serial(r.serial_number, forbidden=(leg.ref_id,)) for r in reversed(words))
    later = [r for r in words if r.outcome is Outcome.FAILED and r.received_at > said[0].received_at]
    return LegVerdict(
        leg=leg,
        outcome=outcome,
        final_word_at=said[0].received_at,
        last_reading_at=said[-1].received_at,
        readings=tuple(said),
        confirmed=True,
        serial_number=next((s for s in serials if s), None),
        reason=said[-1].reason,
        failed_after_success=later[0] if outcome is Outcome.DELIVERED and later else None,
        contradictions=contradictions,
    )


def _failures_that_stand(words: list[StatusReport]) -> list[StatusReport]:
    """Keep the failures after the last inquiry that said otherwise. A late "created" callback takes nothing back."""
    standing: list[StatusReport] = []
    for report in words:
        if report.outcome is Outcome.FAILED:
            standing.append(report)
        elif report.source is ReportSource.INQUIRY and report.outcome is Outcome.PENDING:
            standing.clear()
    return standing


def _failed(
    leg: Leg,
    failed: list[StatusReport],
    *,
    rules: ProviderRules,
    policy: Policy,
    credited_back: bool,
    contradictions: tuple[StatusReport, ...],
) -> LegVerdict:
    kind = worst_class(failed, leg=leg)
    rule = HOLDS[kind]
    hold = rule.hold
    if kind is FailureClass.SOFT:
        hold = SOFT_HOLD_WITH_CREDIT if credited_back else max(hold, rules.soft_hold or hold)
    enough = _spaced(failed, rules=rules, policy=policy) >= rule.readings
    return LegVerdict(
        leg=leg,
        outcome=Outcome.FAILED,
        failure_class=kind,
        final_word_at=failed[0].received_at,
        last_reading_at=failed[-1].received_at,
        readings=tuple(failed),
        hold=hold,
        confirmed=enough and (credited_back or not rule.money_proof),
        reason=failed[-1].reason,
        contradictions=contradictions,
    )


def worst_class(failed: Sequence[StatusReport], *, leg: Leg) -> FailureClass:
    """Take the class that asks for the most. NEVER_FORMED holds only as first reply to the only send (design 6)."""
    classes = {r.failure_class or FailureClass.SOFT for r in failed}
    first_only = all(r.source is ReportSource.FIRST_REPLY for r in failed if r.failure_class is FailureClass.NEVER_FORMED)
    if FailureClass.NEVER_FORMED in classes and not (first_only and leg.send_count == 1):
        classes = (classes - {FailureClass.NEVER_FORMED}) | {FailureClass.TIMEOUT_LIKE}
    return next(kind for kind in _HARDNESS if kind in classes)


def _spaced(failed: list[StatusReport], *, rules: ProviderRules, policy: Policy) -> int:
    """Count readings that are far enough apart.

    Where the check is a re-sent purchase, the first reply and the signed callback are two by nature (design 6).
    """
    sources = {r.source for r in failed}
    pair = {ReportSource.FIRST_REPLY, ReportSource.CALLBACK} <= sources
    count, last = 0, None
    for report in failed:
        if last is None or report.received_at - last >= policy.reading_gap:
            count, last = count + 1, report.received_at
    return max(count, 2) if pair and rules.check is CheckKind.RESEND else count


def _undecided(leg: Leg, words: list[StatusReport], *, contradictions: tuple[StatusReport, ...]) -> LegVerdict:
    not_found = tuple(r for r in words if r.outcome is Outcome.NOT_FOUND)
    last = words[-1] if words else None
    outcome = last.outcome if last and last.outcome in _SAYS_NOTHING else Outcome.UNKNOWN
    return LegVerdict(
        leg=leg,
        outcome=outcome,
        last_reading_at=last.received_at if last else None,
        not_found=not_found,
        contradictions=contradictions,
    )
