"""Fold every word a provider said about one leg into one verdict.

Success is absorbing and failure is not (I8): the order in which reports arrive does not matter for DELIVERED and
REVERSED, and a failure counts only while no inquiry after it says "still pending" (I6, I9).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rekon.domain.outcome import FailureClass, Outcome, ReportSource, StatusReport
from rekon.domain.policy import HOLDS, SOFT_HOLD_MAX, SOFT_HOLD_WITH_CREDIT, CheckKind, Policy, ProviderRules
from rekon.domain.transaction import Leg, SendState

_SAYS_NOTHING = frozenset({Outcome.UNKNOWN, Outcome.PENDING, Outcome.NOT_FOUND})
_SERVED = frozenset({Outcome.DELIVERED, Outcome.PARTIAL})
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
    proof: tuple[StatusReport, ...] = ()
    """The earliest readings that suffice. A later one that says the same adds nothing, so an approval stays valid."""
    hold: timedelta = timedelta(0)
    has_readings: bool = False
    """A failure with all the readings its class needs; its money proof may be missing."""
    confirmed: bool = False
    """A failure with all its proof; the hold may still run."""
    doubted: bool = False
    """Since the last failed word something spoke against it: not found, a contradiction, an unsigned success (I6)."""
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
        return max(self.final_word_at + self.hold, self.proof[-1].received_at if self.proof else self.last_reading_at)

    @property
    def evidence(self) -> tuple[str, ...]:
        """Ids of the reports the outcome stands on."""
        return tuple(report.report_id for report in self.proof or self.readings)

    @property
    def never_left(self) -> bool:
        """Say whether the server's log shows that nothing was sent, and no provider says anything else."""
        silent = self.outcome in (Outcome.UNKNOWN, Outcome.NOT_FOUND) and not self.contradictions
        return self.leg.send_state is SendState.NOT_SENT and silent


def usable_serial(serial: str | None, *, forbidden: Sequence[str] = ()) -> str | None:
    """Return the serial number if it is one: blank, dashes, zeros and our own ids are none (B07)."""
    text = (serial or "").strip()
    if text.lower() in _BLANK_SERIALS or not text.strip("0-") or text in forbidden:
        return None
    return text


def judge_leg(
    leg: Leg, reports: Sequence[StatusReport], *, rules: ProviderRules, policy: Policy, credited_back: bool
) -> LegVerdict:
    """Fold the reports of one leg. `credited_back`: the provider's statement shows its credit for this leg."""
    about = _in_order(reports)
    words = [r for r in about if r.is_reading and r.failure_class is not FailureClass.CHECK_ERROR]
    contradictions = tuple(r for r in about if r.contradiction)
    for outcome in (Outcome.REVERSED, Outcome.DELIVERED, Outcome.PARTIAL):
        said = [r for r in words if r.outcome is outcome]
        if said:
            return _settled(leg, outcome, said=said, words=words, contradictions=contradictions)
    failed = _failures_that_stand(_without_refuted(words))
    if not failed:
        return _undecided(leg, words, contradictions=contradictions)
    verdict = _failed(leg, failed, rules=rules, policy=policy, credited_back=credited_back)
    doubted = any(r.received_at >= failed[-1].received_at for r in about if _speaks_against(r))
    return replace(verdict, doubted=doubted, confirmed=verdict.confirmed and not doubted, contradictions=contradictions)


def _in_order(reports: Sequence[StatusReport]) -> list[StatusReport]:
    """Sort by instant, each report once. At one instant an inquiry's "pending" counts as the later word."""
    about = {r.report_id: r for r in reports if r.about_this_leg}.values()
    plain = (replace(r, outcome=Outcome.UNKNOWN, failure_class=None) if r.contradiction else r for r in about)
    return sorted(plain, key=lambda r: (r.received_at, _says_still_pending(r), r.report_id))


def _says_still_pending(report: StatusReport) -> bool:
    return report.source is ReportSource.INQUIRY and report.outcome is Outcome.PENDING


def _speaks_against(report: StatusReport) -> bool:
    """Say whether a word makes a failure doubtful. An unsigned callback proves nothing, and still it stops money."""
    if report.contradiction:
        return True
    return report.outcome is Outcome.NOT_FOUND if report.is_reading else report.outcome in _SERVED


def _without_refuted(words: list[StatusReport]) -> list[StatusReport]:
    """Read "nothing was created" as a mere time-out once the provider spoke of the purchase as being worked on."""
    if not any(r.outcome is Outcome.PENDING and r.source is not ReportSource.FIRST_REPLY for r in words):
        return words
    return [
        replace(r, failure_class=FailureClass.TIMEOUT_LIKE) if r.failure_class is FailureClass.NEVER_FORMED else r
        for r in words
    ]


def _settled(
    leg: Leg,
    outcome: Outcome,
    *,
    said: list[StatusReport],
    words: list[StatusReport],
    contradictions: tuple[StatusReport, ...],
) -> LegVerdict:
    own_ids = (leg.ref_id, leg.transaction_key.partition(":")[2])
    serials = (usable_serial(r.serial_number, forbidden=own_ids) for r in reversed(said))
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
        elif _says_still_pending(report):
            standing.clear()
    return standing


def _failed(
    leg: Leg, failed: list[StatusReport], *, rules: ProviderRules, policy: Policy, credited_back: bool
) -> LegVerdict:
    kind = worst_class(failed, leg=leg)
    rule = HOLDS[kind]
    hold = rule.hold
    if kind is FailureClass.SOFT:
        of_codes = (rules.soft_holds.get(r.raw_code, hold) for r in failed)
        measured = min(max(hold, rules.soft_hold or hold, *of_codes), SOFT_HOLD_MAX)
        hold = SOFT_HOLD_WITH_CREDIT if credited_back else measured
    counted = _counted(failed, rules=rules, policy=policy)
    enough = len(counted) >= rule.readings
    return LegVerdict(
        leg=leg,
        outcome=Outcome.FAILED,
        failure_class=kind,
        final_word_at=failed[0].received_at,
        last_reading_at=failed[-1].received_at,
        readings=tuple(failed),
        proof=tuple(counted[: rule.readings]),
        hold=hold,
        has_readings=enough,
        confirmed=enough and (credited_back or not rule.money_proof),
        reason=failed[-1].reason,
    )


def worst_class(failed: Sequence[StatusReport], *, leg: Leg) -> FailureClass:
    """Take the class that asks for the most. NEVER_FORMED holds only as first reply to the only send (design 6)."""
    classes = {r.failure_class or FailureClass.SOFT for r in failed}
    unformed = [r for r in failed if r.failure_class is FailureClass.NEVER_FORMED]
    first_only = all(r.source is ReportSource.FIRST_REPLY for r in unformed)
    if unformed and not (first_only and leg.send_count == 1):
        classes = (classes - {FailureClass.NEVER_FORMED}) | {FailureClass.TIMEOUT_LIKE}
    return next(kind for kind in _HARDNESS if kind in classes)


def _counted(failed: list[StatusReport], *, rules: ProviderRules, policy: Policy) -> list[StatusReport]:
    """Keep the readings that are far enough apart.

    Where the check is a re-sent purchase, the first reply and the signed callback are two by nature (design 6).
    """
    counted: list[StatusReport] = []
    for report in failed:
        apart = not counted or report.received_at - counted[-1].received_at >= policy.reading_gap
        if apart or (rules.check is CheckKind.RESEND and _is_pair(counted, report)):
            counted.append(report)
    return counted


def _is_pair(counted: list[StatusReport], report: StatusReport) -> bool:
    first_only = [r.source for r in counted] == [ReportSource.FIRST_REPLY]
    return first_only and report.source is ReportSource.CALLBACK


def _undecided(leg: Leg, words: list[StatusReport], *, contradictions: tuple[StatusReport, ...]) -> LegVerdict:
    not_found: list[StatusReport] = []
    for report in words:
        if report.outcome is Outcome.NOT_FOUND:
            not_found.append(report)
        elif report.outcome is Outcome.PENDING:
            not_found.clear()
    last = words[-1] if words else None
    outcome = last.outcome if last and last.outcome in _SAYS_NOTHING else Outcome.UNKNOWN
    return LegVerdict(
        leg=leg,
        outcome=outcome,
        last_reading_at=last.received_at if last else None,
        not_found=tuple(not_found),
        contradictions=contradictions,
    )
