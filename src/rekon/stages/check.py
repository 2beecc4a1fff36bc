"""CHECK: ask providers about open legs, and read what they sent by themselves.

Claim (one unit of work, the lease is the intent) -> ask (no unit of work open) -> record (many results to a commit).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import takewhile
from typing import Any

from rekon.connectors.providers.callbacks import read_callback
from rekon.connectors.providers.client import InquiryResult
from rekon.connectors.providers.inquiry import SKEW_AGE_MAX, CheckProof, Unsafe, UnsafeInquiryError
from rekon.connectors.providers.reading import proves_formed, read_reply
from rekon.domain import polling
from rekon.domain.callback import Verdict
from rekon.domain.outcome import Outcome, Reading, ReportSource, StatusReport
from rekon.domain.policy import CheckKind
from rekon.domain.transaction import Leg, LegState
from rekon.domain.verdict import LegVerdict, judge_leg
from rekon.stages.context import Context, Gathering, log
from rekon.store import evaluations, health, inbox, legs, reports, schedule
from rekon.store.engine import Connection

BATCH = 256
_ROUND_SECONDS = 1.0
"""How long a round goes on claiming: the other stages wait for it."""
_INBOX_BATCH = 500
LEASE = timedelta(seconds=60)
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
class _Case:
    """One claimed leg with everything said about it."""

    leg: Leg
    asked_at: datetime | None
    said: tuple[StatusReport, ...]
    credited_back: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    """What became of one question. `result` None: it was not asked, and `unsafe` says why."""

    case: _Case
    result: InquiryResult | None
    unsafe: Unsafe | None = None


async def work(context: Context) -> int:
    """Read new callbacks and ask about due legs for about a second. Returns how much was done.

    Legs are claimed ahead of the answers, and answers are written as they come, so that a slow one holds up no other.
    """
    done, ahead, lease, loop = 0, _ahead(context), context.mint(), asyncio.get_running_loop()
    ends_at = loop.time() + _ROUND_SECONDS
    async with asyncio.TaskGroup() as tasks:
        answers = Gathering[_Answered](tasks)
        while True:
            reading = partial(take_in, context=context, lease=lease, now=context.clock())
            asks, count = await context.intend(reading, has_intent=lambda found: _may_buy(context, found[0]))
            done += count
            await _ask_all(context, asks, answers)
            is_last = count < BATCH or loop.time() >= ends_at
            while answers.open > (0 if is_last else ahead):
                answered = await answers.take()
                await context.write(record, context=context, answered=answered, lease=lease, now=context.clock())
            if is_last:
                return done


def _ahead(context: Context) -> int:
    """Say how many questions may be open when the next are claimed: as many again as providers take at once."""
    asked = {provider for provider, _ in context.connectors.clients}
    return sum(2 * context.connectors.definitions[provider].limits.concurrency for provider in asked)


def _may_buy(context: Context, asks: Sequence[_Case]) -> bool:
    return any(context.rules_of(case.leg.provider).check is CheckKind.RESEND for case in asks)


def take_in(connection: Connection, *, context: Context, lease: str, now: datetime) -> tuple[list[_Case], int]:
    """Read callbacks, then claim what is due, which a callback may just have made due. One commit for both."""
    read = read_inbox(connection, context=context, now=now)
    asks, seen = claim(connection, context=context, lease=lease, now=now)
    return asks, read + seen


def read_inbox(connection: Connection, *, context: Context, now: datetime) -> int:
    """Turn stored callbacks into reports (signed) or hints (unsigned). Any order and repetition ends the same (I9)."""
    waiting = inbox.unread(connection, limit=_INBOX_BATCH)
    inbox.mark_read(connection, [callback.id for callback in waiting])
    for callback in waiting:
        _read_callback(connection, callback, context=context, now=now)
    return len(waiting)


def _read_callback(connection: Connection, callback: inbox.StoredCallback, *, context: Context, now: datetime) -> None:
    definition = context.connectors.definitions.get(callback.provider)
    if definition is None:
        return
    word = read_callback(definition, callback.body, content_type=callback.content_type)
    found = legs.of_ref(connection, provider=callback.provider, ref_id=word.ref_id) if word.ref_id else []
    if not found:
        log.info("callback.early", provider=callback.provider, inbox=callback.id)
        inbox.keep_early(connection, callback.id, ref_id=word.ref_id)
    signed = callback.verdict is Verdict.SIGNED
    for leg in found:
        reading = read_callback(definition, callback.body, content_type=callback.content_type, leg=leg).reading
        report = reports.NewReport(
            leg_key=leg.key,
            source=ReportSource.CALLBACK,
            reading=reading,
            raw=callback.body,
            received_at=callback.received_at,
            body_signed=signed,
            discriminator=callback.fingerprint,
        )
        reports.append(connection, [report])
        schedule.hasten(connection, leg.key, provider=leg.provider, now=now)
        evaluations.touch(connection, [leg.transaction_key], due_at=now)


def claim(connection: Connection, *, context: Context, lease: str, now: datetime) -> tuple[list[_Case], int]:
    """Claim due legs, read first replies, and plan. Legs that need no question are settled at once."""
    due = schedule.claim(connection, now=now, limit=BATCH, lease=lease, lease_until=now + LEASE)
    first = [report for one in due if (report := _first_reply(one.leg, context)) is not None]
    reports.append(connection, first)
    cases = _load(connection, due)
    asks: list[_Case] = []
    plans: list[schedule.Plan] = []
    for case in cases:
        planned = plan(case, context=context, now=now)
        if planned.due_at is not None and planned.due_at <= now:
            asks.append(case)
        else:
            plans.append(_plan_row(case, planned, asked=False, now=now))
    _record_plans(connection, plans, lease=lease, now=now)
    return asks, len(due)


def _first_reply(leg: Leg, context: Context) -> reports.NewReport | None:
    """Read the provider's answer to the purchase itself. It was said when the server sent the request."""
    definition = context.connectors.definitions.get(leg.provider)
    if definition is None or not leg.first_reply:
        return None
    raw = leg.first_reply.encode()
    reading = read_reply(definition, leg=leg, source=ReportSource.FIRST_REPLY, raw=raw)
    return reports.NewReport(
        leg_key=leg.key, source=ReportSource.FIRST_REPLY, reading=reading, raw=raw, received_at=leg.sent_at
    )


def _load(connection: Connection, due: Sequence[schedule.Due]) -> list[_Case]:
    said = reports.of_legs(connection, [one.leg.key for one in due])
    credited = legs.credited_back(connection, [one.leg for one in due])
    return [
        _Case(
            leg=one.leg,
            asked_at=one.asked_at,
            said=tuple(said[one.leg.key]),
            credited_back=(one.leg.provider, one.leg.ref_id) in credited,
        )
        for one in due
    ]


def plan(case: _Case, *, context: Context, now: datetime) -> polling.NextCheck:
    """Plan a leg's next question from everything said about it."""
    verdict = _verdict(case, context)
    rules = context.rules_of(case.leg.provider)
    planned = polling.next_check(verdict, rules=rules, policy=context.policy, last_asked_at=case.asked_at, now=now)
    hinted = _hinted(case)
    if hinted and not planned.final and planned.due_at is not None and rules.check is CheckKind.READ_ONLY:
        return replace(planned, due_at=now)
    retry_at = _retry_at(case, check=rules.check)
    if retry_at is not None and planned.due_at is not None and not planned.final:
        return replace(planned, due_at=min(planned.due_at, retry_at))
    if planned.final and planned.watch and (hinted or _wants_fresh_word(case, verdict, context=context, now=now)):
        return replace(planned, due_at=now)
    return planned


def _wants_fresh_word(case: _Case, verdict: LegVerdict, *, context: Context, now: datetime) -> bool:
    """A closed leg that was opened again, because money waits for a reading that is not too old (design 6)."""
    if case.leg.state is not LegState.OPEN or verdict.last_reading_at is None:
        return False
    return now - verdict.last_reading_at > context.policy.reading_age_max


def _verdict(case: _Case, context: Context) -> LegVerdict:
    rules = context.rules_of(case.leg.provider)
    return judge_leg(case.leg, case.said, rules=rules, policy=context.policy, credited_back=case.credited_back)


def _hinted(case: _Case) -> bool:
    """An unsigned callback newer than our last question makes the next one due now (design 6)."""
    return any(
        report.source is ReportSource.CALLBACK
        and not report.body_signed
        and (case.asked_at is None or report.received_at > case.asked_at)
        for report in case.said
    )


def _plan_row(case: _Case, planned: polling.NextCheck, *, asked: bool, now: datetime) -> schedule.Plan:
    state = LegState.OPEN
    if planned.final:
        state = LegState.FINAL
    elif planned.due_at is None:
        state = LegState.STOPPED
    asked_at = now if asked else case.asked_at
    return schedule.Plan(leg=case.leg, due_at=planned.due_at, state=state, asked_at=asked_at, asked=asked)


def _record_plans(connection: Connection, plans: Sequence[schedule.Plan], *, lease: str, now: datetime) -> None:
    written = set(schedule.record(connection, plans, lease=lease))
    touched = {one.leg.transaction_key for one in plans if one.leg.key in written}
    evaluations.touch(connection, sorted(touched), due_at=now)


async def _ask_all(context: Context, cases: Sequence[_Case], answers: Gathering[_Answered]) -> None:
    """Send a question about every claimed leg, each provider within its own limits."""
    if cases:
        known = await _refresh_clocks(context, cases, await context.read(health.all_of))
        for case in cases:
            answers.add(_ask(context, case, known))


async def _refresh_clocks(
    context: Context, cases: Sequence[_Case], known: Mapping[tuple[str, str], health.Row]
) -> Mapping[tuple[str, str], health.Row]:
    """Read the clock of providers whose check can buy by a balance call, never by a check (reliability 4.1 c)."""
    wanted = {
        (case.leg.provider, case.leg.provider_account)
        for case in cases
        if context.rules_of(case.leg.provider).check is CheckKind.RESEND
    }
    stale = [key for key in sorted(wanted) if _clock_is_stale(known.get(key), context.clock())]
    for key in stale:
        await _read_balance(context, key)
    return await context.read(health.all_of) if stale else known


def _clock_is_stale(row: health.Row | None, now: datetime) -> bool:
    read_at = row["skew_read_at"] if row else None
    return read_at is None or now - read_at > SKEW_AGE_MAX - timedelta(minutes=1)


async def _read_balance(context: Context, key: tuple[str, str]) -> None:
    client = context.connectors.clients.get(key)
    if client is None:
        return
    result = await client.balance()
    now = context.clock()
    values: dict[str, Any] = {}
    if result.server_date is not None:
        values = {"skew_seconds": _skew(now, result.server_date), "skew_read_at": now}
    if result.amount is not None:
        values |= {"balance": result.amount, "balance_at": now}
    if values:
        await context.write(partial(health.note, provider=key[0], account=key[1], **values))


def _skew(now: datetime, server_date: datetime) -> Decimal:
    return Decimal(str((now - server_date).total_seconds()))


async def _ask(context: Context, case: _Case, known: Mapping[tuple[str, str], health.Row]) -> _Answered:
    key = (case.leg.provider, case.leg.provider_account)
    client = context.connectors.clients.get(key)
    if client is None:
        return _Answered(case=case, result=None, unsafe=Unsafe.WRONG_ACCOUNT)
    try:
        proof = build_proof(context, case, known.get(key))
        result = await client.inquire(case.leg, now=context.clock(), proof=proof)
    except UnsafeInquiryError as error:
        return _Answered(case=case, result=None, unsafe=error.reason)
    return _Answered(case=case, result=result)


def build_proof(context: Context, case: _Case, row: health.Row | None) -> CheckProof:
    """Gather what the guard of a check that can buy needs to know (reliability 4.1)."""
    leg = case.leg
    definition = context.connectors.definitions[leg.provider]
    account = context.connectors.accounts[leg.provider, leg.provider_account]
    first = None
    if leg.first_reply:
        first = read_reply(definition, leg=leg, source=ReportSource.FIRST_REPLY, raw=leg.first_reply.encode())
    signed = [r for r in case.said if r.source is ReportSource.CALLBACK and r.body_signed]
    skew = row["skew_seconds"] if row else None
    now = context.clock()
    return CheckProof(
        first_reply=first,
        signed_callback=any(proves_formed(definition, _as_reading(report)) for report in signed),
        check_codes=tuple(r.raw_code for r in case.said if r.source is ReportSource.INQUIRY),
        account_matches=leg.provider_account == account.name,
        generation_matches=True,
        testing_matches=leg.testing == account.testing,
        restored_epoch=context.restored_epoch,
        skew_seconds=None if skew is None else float(skew),
        skew_read_at=row["skew_read_at"] if row else None,
        high_water_mark=now,
        last_sent_at=leg.sent_at,
        last_checked_at=case.asked_at,
    )


def _as_reading(report: StatusReport) -> Reading:
    return Reading(
        outcome=report.outcome,
        failure_class=report.failure_class,
        raw_code=report.raw_code,
        about_this_leg=report.about_this_leg,
        contradiction=report.contradiction,
    )


def record(
    connection: Connection, *, context: Context, answered: Sequence[_Answered], lease: str, now: datetime
) -> None:
    """Write every answer and the next due times in one commit."""
    reports.append(connection, [_report(one, now=now) for one in answered if one.result is not None])
    said = reports.of_legs(connection, [one.case.leg.key for one in answered])
    plans = []
    for one in answered:
        case = replace(one.case, said=tuple(said[one.case.leg.key]), asked_at=now if one.result else one.case.asked_at)
        planned = _plan_after(one, case, context=context, now=now)
        plans.append(_plan_row(case, planned, asked=one.result is not None, now=now))
    _record_plans(connection, plans, lease=lease, now=now)
    _note_clocks(connection, answered, now=now)


def _plan_after(one: _Answered, case: _Case, *, context: Context, now: datetime) -> polling.NextCheck:
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


def _retry_at(case: _Case, *, check: CheckKind) -> datetime | None:
    """Ask again soon after an answer nobody could read, later after each further one: an outage is left in peace."""
    asked = [report for report in case.said if report.source is ReportSource.INQUIRY]
    silent = sum(1 for _ in takewhile(_says_nothing, reversed(asked)))
    if not 0 < silent < _RETRIES_MAX:
        return None
    wait: timedelta = min(_FIRST_RETRY * 2 ** (silent - 1), _LAST_RETRY)
    return asked[-1].received_at + (max(wait, polling.RESEND_GAP) if check is CheckKind.RESEND else wait)


def _says_nothing(report: StatusReport) -> bool:
    return report.outcome is Outcome.UNKNOWN and not report.contradiction and not report.raw_code


def _report(one: _Answered, *, now: datetime) -> reports.NewReport:
    if one.result is None:
        text = "only an answered question becomes a report"
        raise ValueError(text)
    return reports.NewReport(
        leg_key=one.case.leg.key,
        source=ReportSource.INQUIRY,
        reading=one.result.reading,
        raw=one.result.raw,
        received_at=now,
        discriminator=f"{one.case.leg.checks_done}:{now.isoformat()}",
    )


def _note_clocks(connection: Connection, answered: Sequence[_Answered], *, now: datetime) -> None:
    """Every dated reply tells the provider's clock."""
    newest: dict[tuple[str, str], datetime] = {}
    for one in answered:
        if one.result is not None and one.result.server_date is not None:
            newest[one.case.leg.provider, one.case.leg.provider_account] = one.result.server_date
    for (provider, account), date in newest.items():
        health.note(connection, provider=provider, account=account, skew_seconds=_skew(now, date), skew_read_at=now)
