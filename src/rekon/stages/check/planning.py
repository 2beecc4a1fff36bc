"""Plan a leg's next question from everything said about it. No store and no network: rows in, due times out."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile

from rekon.connectors.providers.client import InquiryResult
from rekon.connectors.providers.inquiry import Unsafe
from rekon.domain import polling
from rekon.domain.outcome import Outcome, ReportSource, StatusReport
from rekon.domain.policy import CheckKind, ProviderRules
from rekon.domain.transaction import Leg, LegState
from rekon.domain.verdict import LegVerdict, judge_leg
from rekon.stages.context import Context, log
from rekon.store import schedule

_TOO_SOON = timedelta(seconds=5)
_FOR_NOW = frozenset(
    {Unsafe.TOO_SOON, Unsafe.IN_FLIGHT, Unsafe.CLOCK_UNKNOWN, Unsafe.CLOCK_SKEW, Unsafe.RESTORED_BOOKS}
)
_RETRY_UNSAFE = timedelta(seconds=60)
_FIRST_RETRY = timedelta(seconds=3)
_LAST_RETRY = timedelta(minutes=5)
_RETRIES_MAX = 8
"""After so many unreadable answers in a row only the ordinary schedule goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One claimed leg with everything said about it."""

    leg: Leg
    asked_at: datetime | None
    said: tuple[StatusReport, ...]
    credited_at: datetime | None
    """When we learnt that the provider credited its charge back; None when no statement says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What became of one question. `result` None: it was not asked, and `unsafe` says why."""

    case: Case
    result: InquiryResult | None
    unsafe: Unsafe | None = None


def plan(case: Case, *, context: Context, now: datetime) -> polling.NextCheck:
    """Plan a leg's next question from everything said about it."""
    verdict = _verdict(case, context)
    rules = context.rules_of(case.leg.provider)
    planned = polling.next_check(verdict, rules=rules, policy=context.policy, last_asked_at=case.asked_at, now=now)
    hinted = _hinted(case)
    if hinted and not planned.final and planned.due_at is not None and rules.check is CheckKind.READ_ONLY:
        return replace(planned, due_at=now)
    sooner = [at for at in (_retry_at(case, check=rules.check), _after_credit(case, rules=rules)) if at is not None]
    if sooner and planned.due_at is not None and not planned.final:
        return replace(planned, due_at=min(planned.due_at, *sooner))
    if planned.final and planned.watch and (hinted or _wants_fresh_word(case, verdict, context=context, now=now)):
        return replace(planned, due_at=now)
    return planned


def _after_credit(case: Case, *, rules: ProviderRules) -> datetime | None:
    """A charge that the provider gave back while we believe the order open says that there is news: ask now."""
    at, asked_at = case.credited_at, case.asked_at
    if at is None or (asked_at is not None and asked_at >= at):
        return None
    return polling.safe(at, case.leg, rules=rules, last_asked_at=asked_at)


def _wants_fresh_word(case: Case, verdict: LegVerdict, *, context: Context, now: datetime) -> bool:
    """A closed leg that was opened again, because money waits for a reading that is not too old (design 6)."""
    if case.leg.state is not LegState.OPEN or verdict.last_reading_at is None:
        return False
    return now - verdict.last_reading_at > context.policy.reading_age_max


def _verdict(case: Case, context: Context) -> LegVerdict:
    rules = context.rules_of(case.leg.provider)
    return judge_leg(
        case.leg, case.said, rules=rules, policy=context.policy, credited_back=case.credited_at is not None
    )


def _hinted(case: Case) -> bool:
    """An unsigned callback newer than our last question makes the next one due now (design 6)."""
    return any(
        report.source is ReportSource.CALLBACK
        and not report.body_signed
        and (case.asked_at is None or report.received_at > case.asked_at)
        for report in case.said
    )


def plan_row(case: Case, planned: polling.NextCheck, *, asked: bool, now: datetime) -> schedule.Plan:
    """Say what to write about a leg that was looked at."""
    state = LegState.OPEN
    if planned.final:
        state = LegState.FINAL
    elif planned.due_at is None:
        state = LegState.STOPPED
    asked_at = now if asked else case.asked_at
    return schedule.Plan(leg=case.leg, due_at=planned.due_at, state=state, asked_at=asked_at, asked=asked)


def plan_after(one: Answered, case: Case, *, context: Context, now: datetime) -> polling.NextCheck:
    """Plan after a question: what refuses it for now is tried again, what refuses it for good ends the questions."""
    if one.unsafe in _FOR_NOW:
        gap = _TOO_SOON if one.unsafe is Unsafe.IN_FLIGHT else _RETRY_UNSAFE
        return polling.NextCheck(due_at=now + gap, final=False)
    if one.unsafe is not None:
        log.warning("inquiry.refused", leg=case.leg.key, reason=one.unsafe.value)
        return polling.NextCheck(due_at=None, final=False)
    planned = plan(case, context=context, now=now)
    wait = one.result.reading.retry_after_seconds if one.result else None
    if wait and planned.due_at is not None:
        return replace(planned, due_at=max(planned.due_at, now + timedelta(seconds=wait)))
    if planned.due_at is not None and planned.due_at <= now:
        return replace(planned, due_at=now + _TOO_SOON)
    return planned


def _retry_at(case: Case, *, check: CheckKind) -> datetime | None:
    """Ask again soon after an answer nobody could read, later after each further one: an outage is left in peace."""
    asked = [report for report in case.said if report.source is ReportSource.INQUIRY]
    silent = sum(1 for _ in takewhile(_says_nothing, reversed(asked)))
    if not 0 < silent < _RETRIES_MAX:
        return None
    wait: timedelta = min(_FIRST_RETRY * 2 ** (silent - 1), _LAST_RETRY)
    return asked[-1].received_at + (max(wait, polling.RESEND_GAP) if check is CheckKind.RESEND else wait)


def _says_nothing(report: StatusReport) -> bool:
    return report.outcome is Outcome.UNKNOWN and not report.contradiction and not report.raw_code
