"""CHECK: ask providers about open legs, and read what they sent by themselves.

Claim (one unit of work, the lease is the intent) -> ask (no unit of work open) -> record (many results to a commit).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from rekon.connectors.providers.callbacks import read_callback
from rekon.connectors.providers.inquiry import SKEW_AGE_MAX, CheckProof, Unsafe, UnsafeInquiryError
from rekon.connectors.providers.reading import proves_formed, read_reply
from rekon.domain.callback import Verdict
from rekon.domain.outcome import Reading, ReportSource, StatusReport
from rekon.domain.policy import CheckKind
from rekon.domain.transaction import Leg
from rekon.stages.check.planning import Answered, Case, plan, plan_after, plan_row
from rekon.stages.context import Context, Gathering, log
from rekon.store import evaluations, health, inbox, legs, reports, schedule
from rekon.store.engine import Connection

BATCH = 256
_ROUND_SECONDS = 1.0
"""How long a round goes on claiming: the other stages wait for it."""
_INBOX_BATCH = 500
LEASE = timedelta(seconds=60)


async def work(context: Context) -> int:
    """Read new callbacks and ask about due legs for about a second. Returns how much was done.

    Legs are claimed ahead of the answers, and answers are written as they come, so that a slow one holds up no other.
    """
    done, ahead, lease, loop = 0, _ahead(context), context.mint(), asyncio.get_running_loop()
    ends_at = loop.time() + _ROUND_SECONDS
    async with asyncio.TaskGroup() as tasks:
        answers = Gathering[Answered](tasks)
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


def _may_buy(context: Context, asks: Sequence[Case]) -> bool:
    return any(context.rules_of(case.leg.provider).check is CheckKind.RESEND for case in asks)


def take_in(connection: Connection, *, context: Context, lease: str, now: datetime) -> tuple[list[Case], int]:
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


def claim(connection: Connection, *, context: Context, lease: str, now: datetime) -> tuple[list[Case], int]:
    """Claim due legs, read first replies, and plan. Legs that need no question are settled at once."""
    due = schedule.claim(connection, now=now, limit=BATCH, lease=lease, lease_until=now + LEASE)
    first = [report for one in due if (report := _first_reply(one.leg, context)) is not None]
    reports.append(connection, first)
    cases = _load(connection, due)
    asks: list[Case] = []
    plans: list[schedule.Plan] = []
    for case in cases:
        planned = plan(case, context=context, now=now)
        if planned.due_at is not None and planned.due_at <= now:
            asks.append(case)
        else:
            plans.append(plan_row(case, planned, asked=False, now=now))
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


def _load(connection: Connection, due: Sequence[schedule.Due]) -> list[Case]:
    said = reports.of_legs(connection, [one.leg.key for one in due])
    credited = legs.credited_back(connection, [one.leg for one in due])
    return [
        Case(
            leg=one.leg,
            asked_at=one.asked_at,
            said=tuple(said[one.leg.key]),
            credited_at=credited.get((one.leg.provider, one.leg.ref_id)),
        )
        for one in due
    ]


def _record_plans(connection: Connection, plans: Sequence[schedule.Plan], *, lease: str, now: datetime) -> None:
    written = set(schedule.record(connection, plans, lease=lease))
    touched = {one.leg.transaction_key for one in plans if one.leg.key in written}
    evaluations.touch(connection, sorted(touched), due_at=now)


async def _ask_all(context: Context, cases: Sequence[Case], answers: Gathering[Answered]) -> None:
    """Send a question about every claimed leg, each provider within its own limits."""
    if cases:
        known = await _refresh_clocks(context, cases, await context.read(health.all_of))
        for case in cases:
            answers.add(_ask(context, case, known))


async def _refresh_clocks(
    context: Context, cases: Sequence[Case], known: Mapping[tuple[str, str], health.Row]
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


async def _ask(context: Context, case: Case, known: Mapping[tuple[str, str], health.Row]) -> Answered:
    key = (case.leg.provider, case.leg.provider_account)
    client = context.connectors.clients.get(key)
    if client is None:
        return Answered(case=case, result=None, unsafe=Unsafe.WRONG_ACCOUNT)
    try:
        proof = build_proof(context, case, known.get(key))
        result = await client.inquire(case.leg, now=context.clock(), proof=proof)
    except UnsafeInquiryError as error:
        return Answered(case=case, result=None, unsafe=error.reason)
    return Answered(case=case, result=result)


def build_proof(context: Context, case: Case, row: health.Row | None) -> CheckProof:
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
    connection: Connection, *, context: Context, answered: Sequence[Answered], lease: str, now: datetime
) -> None:
    """Write every answer and the next due times in one commit."""
    reports.append(connection, [_report(one, now=now) for one in answered if one.result is not None])
    said = reports.of_legs(connection, [one.case.leg.key for one in answered])
    plans = []
    for one in answered:
        case = replace(one.case, said=tuple(said[one.case.leg.key]), asked_at=now if one.result else one.case.asked_at)
        planned = plan_after(one, case, context=context, now=now)
        plans.append(plan_row(case, planned, asked=one.result is not None, now=now))
    _record_plans(connection, plans, lease=lease, now=now)
    _note_clocks(connection, answered, now=now)


def _report(one: Answered, *, now: datetime) -> reports.NewReport:
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


def _note_clocks(connection: Connection, answered: Sequence[Answered], *, now: datetime) -> None:
    """Every dated reply tells the provider's clock."""
    newest: dict[tuple[str, str], datetime] = {}
    for one in answered:
        if one.result is not None and one.result.server_date is not None:
            newest[one.case.leg.provider, one.case.leg.provider_account] = one.result.server_date
    for (provider, account), date in newest.items():
        health.note(connection, provider=provider, account=account, skew_seconds=_skew(now, date), skew_read_at=now)
