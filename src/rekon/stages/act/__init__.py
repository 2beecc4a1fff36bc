"""ACT: move money, tell servers how orders ended, pay vouchers out. Intent, then send, then record.

A refund's intent is written only if the rules, run again on the stored books in that same unit of work, still ask for
exactly it (I25); limits are counted there too (I18). Nothing is ever sent twice on a guess (reliability 4.3).
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from rekon.connectors.gateways.contract import (
    Gateway,
    GatewayClass,
    OrderResult,
    PayAnswer,
    PayState,
    RefundOrder,
    ResultAnswer,
    ResultState,
    WalletUnreadableError,
)
from rekon.domain import ledger
from rekon.domain.breaks import BreakKind
from rekon.domain.decide import decide
from rekon.domain.decision import Action, Decision, evidence_digest
from rekon.domain.intake import RowError, parse_wallet_line
from rekon.domain.money import Money
from rekon.domain.refund import RefundState
from rekon.domain.sla import WIB
from rekon.domain.transaction import SendState
from rekon.stages.act.patience import ATTEMPTS_MAX, HALTED_WAIT, may_tell_again
from rekon.stages.act.payouts import step_voucher
from rekon.stages.context import Context, log
from rekon.store import books, cases, dossier, evaluations, journal, limits, refunds, results, schedule, vouchers
from rekon.store.engine import Connection

BATCH = 50
LEASE = timedelta(seconds=30)
_LOOK_AGAIN = timedelta(seconds=2)
_RESULTATTEMPTS_MAX = 12

Row = refunds.Row


async def work(context: Context) -> int:
    """Take one step for a batch of due refunds, order results and vouchers. Returns how many steps were taken."""
    now, lease = context.clock(), context.mint()
    claimed = await context.intend(partial(_claim_all, lease=lease, now=now), has_intent=lambda found: bool(found[1]))
    jobs: list[Awaitable[None]] = []
    for claimed_rows, step in zip(claimed, (_step_refund, _step_result, step_voucher), strict=True):
        jobs += [step(context, row, lease=lease) for row in claimed_rows]
    await asyncio.gather(*jobs)
    return len(jobs)


def _claim_all(
    connection: Connection, *, lease: str, now: datetime
) -> tuple[Sequence[Row], Sequence[Row], Sequence[Row]]:
    until = now + LEASE
    return (
        refunds.claim_due(connection, now=now, limit=BATCH, lease=lease, lease_until=until),
        results.claim_due(connection, now=now, limit=BATCH, lease=lease, lease_until=until),
        vouchers.claim_due(connection, now=now, limit=BATCH, lease=lease, lease_until=until),
    )


async def _step_refund(context: Context, row: Row, *, lease: str) -> None:
    gateway = context.connectors.gateways.get(row["source"])
    if context.restored_epoch and row["state"] == RefundState.SUBMITTED:
        return  # its lease ends by itself, and it is asked about once the books are reconciled
    if gateway is None or context.restored_epoch:
        reason = "sumber ini tidak punya jalan pengembalian" if gateway is None else "basis data hasil pemulihan"
        await context.write(_hold, row=row, lease=lease, reason=reason)
        return
    if RefundState(row["state"]) is RefundState.SUBMITTED:
        await _settle(context, row, gateway, lease=lease)
        return
    if await _read_wallet(context, row, gateway) is None:
        await context.write(_postpone, row=row, lease=lease, now=context.clock())
        return
    submitted = await context.intend(partial(submit, context=context, row=row, lease=lease, now=context.clock()))
    if submitted is not None:
        await _pay(context, submitted, gateway, lease=lease)


async def _read_wallet(context: Context, row: Row, gateway: Gateway) -> bool | None:
    """Read the purchase's wallet lines live and store them. Returns whether our credit is among them.

    None says that the server should have shown them and did not. One that never does leaves what it pushes.
    """
    transaction_id = row["transaction_key"].partition(":")[2]
    try:
        found = await gateway.read_wallet(transaction_id)
    except WalletUnreadableError as error:
        if error.is_unsupported:
            return await _is_in_books(context, row)
        log.warning("wallet.unreadable", source=row["source"])
        return None
    lines = []
    now = context.clock()
    for index, raw in enumerate(found.rows):
        try:
            lines.append((index, parse_wallet_line(raw, source=row["source"], zone=WIB, now=now)))
        except RowError:
            log.warning("wallet.row_refused", source=row["source"])
            return None
    if lines:
        await context.write(books.record_wallet_lines, lines, now=now)
    return any(line.reference == row["key"] for _, line in lines)


async def _is_in_books(context: Context, row: Row) -> bool:
    keys, window = [row["transaction_key"]], context.policy.duplicate_window
    found = await context.read(dossier.load, keys, sources=context.sources, twin_window=window)
    return any(line.reference == row["key"] for one in found for line in one.wallet_lines)


def _postpone(connection: Connection, *, row: Row, lease: str, now: datetime) -> None:
    """Without the wallet nothing is paid: try again more and more slowly, then ask a person (I25)."""
    if row["attempts"] >= ATTEMPTS_MAX:
        _hold(connection, row=row, lease=lease, reason="mutasi saldo di server tidak dapat dibaca")
        return
    state, later = RefundState(row["state"]), now + _LOOK_AGAIN * 2 ** row["attempts"]
    refunds.move(connection, row, to=state, lease=lease, due_at=later, attempts=row["attempts"] + 1)


def submit(connection: Connection, *, context: Context, row: Row, lease: str, now: datetime) -> Row | None:
    """Write the intent if the rules still ask for exactly this refund and the limits allow it; return it then."""
    limits.take_turn(connection)
    one = dossier.load(
        connection, [row["transaction_key"]], sources=context.sources, twin_window=context.policy.duplicate_window
    )[0]
    wanted = _decide_again(one, row, context=context, now=now)
    asked = next((d for d in wanted if d.action is Action.ISSUE_REFUND and d.break_kind == row["break_kind"]), None)
    if asked is None:
        _not_wanted_now(connection, row, wanted, lease=lease, now=now)
        return None
    if not _still_agreed(connection, row, asked, lease=lease):
        return None
    if not _may_move(connection, row, one, context=context, lease=lease, now=now):
        return None
    provider = "" if row["break_kind"] == BreakKind.DEBITED_TWICE or not one.legs else one.legs[-1].provider
    moved = refunds.move(
        connection, row, to=RefundState.SUBMITTED, lease=lease, submitted_at=now, due_at=now + LEASE, attempts=0
    )
    if not moved:
        return None
    journal.post(
        connection, ledger.refund_submitted(row["key"], provider=provider, amount=row["amount"], at=now), now=now
    )
    refunds.hold_lease(connection, row["refund_id"], lease=lease)
    return refunds.get(connection, row["refund_id"])


def _may_move(
    connection: Connection, row: Row, one: dossier.Dossier, *, context: Context, lease: str, now: datetime
) -> bool:
    """Ask HALTs and limits. Approved money waits for a HALT to end; automatic money goes before a person (I18)."""
    proved_by = _proved_by(row, one)
    if not row["automatic"]:
        if not any(limits.halted(connection, scope) for scope in limits.scopes(proved_by)):
            return True
        refunds.move(connection, row, to=RefundState(row["state"]), lease=lease, due_at=now + HALTED_WAIT)
        return False
    refused = limits.check(
        connection,
        agent_id=row["agent_id"],
        amount=row["amount"],
        never_formed=row["never_formed"],
        providers=proved_by,
        policy=context.policy,
        now=now,
    )
    if refused is None:
        return True
    if refused.halts:
        limits.halt(connection, scope=limits.GLOBAL, reason=refused.reason, by="rule", now=now)
    _hold(connection, row=row, lease=lease, reason=refused.reason)
    evaluations.touch(connection, [row["transaction_key"]], due_at=now)
    return False


def _proved_by(row: Row, one: dossier.Dossier) -> list[str]:
    """Name the providers on whose word this money goes back; none where our own books prove it."""
    if row["break_kind"] == BreakKind.DEBITED_TWICE:
        return []
    return sorted({leg.provider for leg in one.legs if leg.send_state is not SendState.NOT_SENT})


def _decide_again(one: dossier.Dossier, row: Row, *, context: Context, now: datetime) -> list[Decision]:
    """Run the rules as if this refund did not exist yet (I25)."""
    history = replace(one.history, refunds=dossier.refund_facts(one.history, without=row["key"]))
    providers = {leg.provider: context.rules_of(leg.provider) for leg in one.legs}
    return decide(
        one.transaction, one.legs, one.wallet_lines, one.reports, context.policy, history, now, providers=providers
    )


def _not_wanted_now(connection: Connection, row: Row, wanted: Sequence[Decision], *, lease: str, now: datetime) -> None:
    """The rules wait, or no longer ask: postpone, or withdraw the request. Nothing was sent."""
    again = [d.leg_key for d in wanted if d.action is Action.CHECK_AGAIN and d.leg_key]
    for leg_key in again:
        schedule.hasten_leg(connection, leg_key, now=now)
    waits = bool(again) or any(d.action is Action.WAIT for d in wanted)
    state = RefundState(row["state"])
    if waits:
        refunds.move(connection, row, to=state, lease=lease, due_at=now + _LOOK_AGAIN)
    else:
        refunds.move(connection, row, to=RefundState.REJECTED, lease=lease, due_at=None, note="tidak lagi diperlukan")
    evaluations.touch(connection, [row["transaction_key"]], due_at=now)


def _still_agreed(connection: Connection, row: Row, asked: Decision, *, lease: str) -> bool:
    """Amount as requested; for an approved refund also the very evidence the person saw (I17)."""
    approved = RefundState(row["state"]) is RefundState.APPROVED
    same = asked.amount == row["amount"]
    if approved:
        same = same and evidence_digest(asked, transaction=row["transaction_key"]) == row["digest"]
    if same:
        return True
    digest = evidence_digest(asked, transaction=row["transaction_key"])
    refunds.move(
        connection,
        row,
        to=RefundState.AWAITING_APPROVAL,
        lease=lease,
        due_at=None,
        amount=asked.amount,
        evidence=list(asked.evidence),
        digest=digest,
        automatic=False,
        hold_reason="bukti atau jumlah berubah setelah diajukan",
    )
    return False


def _hold(connection: Connection, *, row: Row, lease: str, reason: str) -> None:
    """Put a refund before a person. One that may have been sent stays automatic: the limits go on counting it."""
    was_sent = row["state"] == RefundState.SUBMITTED
    to = RefundState.UNKNOWN if was_sent else RefundState.AWAITING_APPROVAL
    automatic = was_sent and row["automatic"]
    refunds.move(connection, row, to=to, lease=lease, due_at=None, automatic=automatic, hold_reason=reason[:200])


async def _pay(context: Context, row: Row, gateway: Gateway, *, lease: str) -> None:
    """Tell the gateway once, then write what it said."""
    answer = await gateway.pay(order_of(row))
    await _take_answer(context, row, gateway, answer, lease=lease)


def order_of(row: Row) -> RefundOrder:
    """Build the order of a refund: the same row always gives the same bytes (I11)."""
    return RefundOrder(
        key=row["key"],
        refund_id=row["refund_id"],
        agent_id=row["agent_id"],
        transaction_id=row["transaction_key"].partition(":")[2],
        amount=Money(row["amount"]),
        reason=row["break_kind"],
    )


async def _settle(context: Context, row: Row, gateway: Gateway, *, lease: str) -> None:
    """Find out what became of a refund that was told, or may have been told, to the gateway."""
    if gateway.gateway_class is GatewayClass.G0:
        await context.write(_unknown, row=row, lease=lease, note="gerbang tidak dapat ditanya; periksa di server")
        return
    if row["attempts"] >= ATTEMPTS_MAX:
        await context.write(_unknown, row=row, lease=lease, note="gerbang tidak memberi jawaban pasti")
        return
    answer = await gateway.find(order_of(row))
    age = context.clock() - row["submitted_at"]
    if answer.state is PayState.NOT_FOUND and may_tell_again(gateway, age):
        answer = await gateway.pay(order_of(row))
    await _take_answer(context, row, gateway, answer, lease=lease)


async def _take_answer(context: Context, row: Row, gateway: Gateway, answer: PayAnswer, *, lease: str) -> None:
    seen = answer.state is PayState.SUCCEEDED and bool(await _read_wallet(context, row, gateway))
    await context.write(
        record, row=row, answer=answer, seen=seen, gateway_class=gateway.gateway_class, lease=lease, now=context.clock()
    )


def record(
    connection: Connection,
    *,
    row: Row,
    answer: PayAnswer,
    seen: bool,
    gateway_class: GatewayClass,
    lease: str,
    now: datetime,
) -> None:
    """Write a gateway's answer. SETTLED only once the wallet line with our key was read (design 5)."""
    if answer.state is PayState.SUCCEEDED and seen:
        moved = refunds.move(
            connection,
            row,
            to=RefundState.SETTLED,
            lease=lease,
            settled_at=now,
            due_at=None,
            gateway_ref=answer.gateway_ref,
        )
        if moved:
            journal.post(connection, ledger.refund_settled(row["key"], amount=row["amount"], at=now), now=now)
            log.info("refund.settled", refund=row["refund_id"])
    elif answer.state is PayState.FAILED:
        _failed(connection, row, note=answer.note, lease=lease, now=now)
    elif gateway_class is GatewayClass.G0 and answer.state is not PayState.SUCCEEDED:
        _unknown(connection, row=row, lease=lease, note=answer.note or "jawaban gerbang tidak pasti")
    else:
        wait = timedelta(seconds=answer.retry_after_seconds or min(2 * 2 ** row["attempts"], 600))
        refunds.move(
            connection,
            row,
            to=RefundState.SUBMITTED,
            lease=lease,
            due_at=now + wait,
            attempts=row["attempts"] + 1,
            note=answer.note,
        )
    evaluations.touch(connection, [row["transaction_key"]], due_at=now)


def _failed(connection: Connection, row: Row, *, note: str, lease: str, now: datetime) -> None:
    """The gateway said in plain words that it paid nothing: take the posting back and ask a person."""
    if not refunds.move(connection, row, to=RefundState.FAILED, lease=lease, due_at=None, note=note[:400]):
        return
    account = journal.debit_account(connection, f"{row['key']}:submitted").removeprefix("recoverable:")
    provider = "" if account == "own_errors" else account
    journal.post(connection, ledger.refund_failed(row["key"], provider=provider, amount=row["amount"], at=now), now=now)
    cases.ask_staff(
        connection, row["transaction_key"], BreakKind(row["break_kind"]), note=f"Gerbang menolak: {note}", now=now
    )


def _unknown(connection: Connection, *, row: Row, lease: str, note: str) -> None:
    refunds.move(connection, row, to=RefundState.UNKNOWN, lease=lease, due_at=None, note=note[:400])


async def _step_result(context: Context, row: Row, *, lease: str) -> None:
    if context.restored_epoch:
        return
    gateway = context.connectors.gateways.get(row["source"])
    if gateway is None:
        answer = ResultAnswer(state=ResultState.UNSUPPORTED)
    else:
        answer = await gateway.report_result(
            OrderResult(
                transaction_id=row["transaction_id"],
                key=row["key"],
                status=row["status"],
                serial_number=row["serial_number"],
                reason=row["reason"],
            )
        )
    await context.write(record_result, row=row, answer=answer, lease=lease, now=context.clock())


def record_result(connection: Connection, *, row: Row, answer: ResultAnswer, lease: str, now: datetime) -> None:
    """Write a server's answer to how an order ended. The key makes asking again harmless."""
    unclear = answer.state is ResultState.UNKNOWN and row["attempts"] + 1 < _RESULTATTEMPTS_MAX
    wait = timedelta(seconds=answer.retry_after_seconds or min(2 * 2 ** row["attempts"], 600))
    state = "pending" if unclear else answer.state.value
    if results.record(connection, row, lease=lease, state=state, due_at=now + wait if unclear else None, now=now):
        evaluations.touch(connection, [row["transaction_key"]], due_at=now)
