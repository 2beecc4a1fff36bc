"""When to ask a provider again about one leg (rulebook 3.3 `poll.schedule`, design 6)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from rekon.domain.outcome import FailureClass, Outcome
from rekon.domain.policy import CheckKind, Policy, ProviderRules
from rekon.domain.transaction import Leg, LegState, SendState
from rekon.domain.verdict import LegVerdict

_EARLY = tuple(timedelta(minutes=m) for m in (1, 2, 4, 8, 15, 30))
_SLOW = (
    (timedelta(hours=24), timedelta(minutes=30)),
    (timedelta(hours=72), timedelta(hours=2)),
    (timedelta(days=7), timedelta(days=1)),
)
_SERIAL_REQUERIES = tuple(timedelta(minutes=m) for m in (2, 5, 9))
_LATE_WATCH = tuple(timedelta(minutes=m) for m in (15, 40, 120, 360, 1440))
RESEND_QUIET = timedelta(seconds=90)
RESEND_GAP = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextCheck:
    """When to ask next; `due_at` None ends the questions. `final` says whether the last word is known."""

    due_at: datetime | None
    final: bool
    watch: bool = False
    """The leg has its last word; this check only looks for a late success."""


def next_check(
    verdict: LegVerdict, *, rules: ProviderRules, policy: Policy, last_asked_at: datetime | None, now: datetime
) -> NextCheck:
    """Plan the next inquiry about a leg, from what is known of it now. A due time in the past means now.

    The plan is a function of the leg's own instants, not of how often it was asked, so a restart changes nothing. A
    step that was missed is caught up by one question, never skipped.
    """
    leg = verdict.leg
    if leg.send_state is SendState.NOT_SENT or now - leg.sent_at > rules.max_check_age:
        return NextCheck(due_at=None, final=False)
    if verdict.outcome is Outcome.DELIVERED:
        return _after_delivery(verdict, rules=rules, last_asked_at=last_asked_at)
    if verdict.outcome in (Outcome.REVERSED, Outcome.PARTIAL):
        return NextCheck(due_at=None, final=True)
    if verdict.outcome is Outcome.FAILED:
        return _after_failure(verdict, rules=rules, policy=policy, last_asked_at=last_asked_at, now=now)
    due = _scheduled(leg.sent_at, last_asked_at or leg.sent_at)
    return NextCheck(due_at=safe(due, leg, rules=rules, last_asked_at=last_asked_at), final=False)


def _scheduled(start: datetime, after: datetime) -> datetime | None:
    """Return the first instant of the poll schedule after `after`."""
    for step in _EARLY:
        if start + step > after:
            return start + step
    for limit, gap in _SLOW:
        passed = (after - start) // gap + 1
        due = start + passed * gap
        if due - start <= limit:
            return due
    return None


def safe(due: datetime | None, leg: Leg, *, rules: ProviderRules, last_asked_at: datetime | None) -> datetime | None:
    """Keep a check that re-sends away from the server's own last send and from our last question."""
    if due is None or rules.check is CheckKind.READ_ONLY:
        return due
    earliest = leg.sent_at + RESEND_QUIET
    if last_asked_at is not None:
        earliest = max(earliest, last_asked_at + RESEND_GAP)
    return max(due, earliest)


def _after_delivery(verdict: LegVerdict, *, rules: ProviderRules, last_asked_at: datetime | None) -> NextCheck:
    """Ask for a missing serial number a few times; otherwise the leg is done."""
    start, leg = verdict.final_word_at, verdict.leg
    if verdict.serial_number or start is None:
        return NextCheck(due_at=None, final=True)
    ahead = [start + step for step in _SERIAL_REQUERIES if start + step > (last_asked_at or leg.sent_at)]
    if not ahead:
        return NextCheck(due_at=None, final=True)
    return NextCheck(due_at=safe(ahead[0], leg, rules=rules, last_asked_at=last_asked_at), final=False)


def _after_failure(
    verdict: LegVerdict, *, rules: ProviderRules, policy: Policy, last_asked_at: datetime | None, now: datetime
) -> NextCheck:
    """Plan the missing reading for the end of the hold; then, where asking is harmless, watch for a late success."""
    start = verdict.final_word_at or verdict.leg.sent_at
    after = last_asked_at or verdict.leg.sent_at
    if not verdict.confirmed and not _is_asked_enough(verdict, rules):
        return _missing_reading(verdict, start=start, rules=rules, policy=policy, last_asked_at=last_asked_at)
    if verdict.failure_class is FailureClass.NEVER_FORMED or rules.check is CheckKind.RESEND:
        return NextCheck(due_at=None, final=True)
    fresh = _fresh_word(verdict, after=after, policy=policy, now=now)
    if fresh is not None:
        return NextCheck(due_at=fresh, final=False)
    ahead = [start + step for step in _LATE_WATCH if start + step > after]
    return NextCheck(due_at=ahead[0] if ahead else None, final=True, watch=True)


def _is_asked_enough(verdict: LegVerdict, rules: ProviderRules) -> bool:
    """Say whether another question could only buy: the readings are complete and the money proof comes by statement."""
    return rules.check is CheckKind.RESEND and verdict.has_readings and not verdict.doubted


def _fresh_word(verdict: LegVerdict, *, after: datetime, policy: Policy, now: datetime) -> datetime | None:
    """Plan the question that money asked for: a proved failure is open again only when its last word is too old."""
    if verdict.leg.state is not LegState.OPEN or verdict.last_reading_at is None:
        return None
    stale_at = verdict.last_reading_at + policy.reading_age_max
    if now <= stale_at:
        return None
    return now if after <= stale_at else _scheduled(stale_at, after)


def _missing_reading(
    verdict: LegVerdict, *, start: datetime, rules: ProviderRules, policy: Policy, last_asked_at: datetime | None
) -> NextCheck:
    after = last_asked_at or verdict.leg.sent_at
    last = verdict.last_reading_at or start
    steps = [start + verdict.hold]
    if verdict.failure_class is FailureClass.TIMEOUT_LIKE:
        steps = [start + timedelta(minutes=m) for m in (5, 15, 30, 45)]
    ahead = [due for due in steps if due > after and due >= last + policy.reading_gap]
    due = ahead[0] if ahead else _scheduled(verdict.leg.sent_at, max(after, last + policy.reading_gap))
    return NextCheck(due_at=safe(due, verdict.leg, rules=rules, last_asked_at=last_asked_at), final=False)
