"""DECIDE: look at due transactions, name breaks, and write down what has to happen.

Claim, decide and apply are one unit of work: nothing outside is called here, so a crash leaves either all or nothing.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from rekon.domain import complaint_text, ledger, wording
from rekon.domain.answer import sign_answer_token
from rekon.domain.breaks import BreakKind, Mode
from rekon.domain.decide import decide, gather
from rekon.domain.decision import Action, Decision, stable_id
from rekon.domain.facts import Facts
from rekon.domain.policy import ProviderRules
from rekon.domain.transaction import Leg
from rekon.stages.context import Context, log
from rekon.store import (
    agents,
    cases,
    complaints,
    decisions,
    dossier,
    evaluations,
    journal,
    messages,
    refunds,
    reports,
    results,
    schedule,
    vouchers,
)
from rekon.store.engine import Connection

BATCH = 200
_BALANCE_FRESH = timedelta(seconds=120)
_DEFECT_WAIT = timedelta(minutes=10)
_FOUND_ONLY = frozenset(
    {Action.RECORD, Action.ASK_STAFF, Action.ASK_SERVER_TO_RESEND, Action.RESOLVE, Action.CHECK_AGAIN}
)


async def work(context: Context) -> int:
    """Look at one batch of due transactions. Returns how many were looked at."""
    return await context.write(look_at_due, context=context, now=context.clock(), limit=BATCH)


def look_at_due(connection: Connection, *, context: Context, now: datetime, limit: int) -> int:
    """Claim due transactions, decide each and apply what is new."""
    keys = evaluations.claim(connection, now=now, limit=limit)
    found = dossier.load(connection, keys, sources=context.sources, twin_window=context.policy.duplicate_window)
    due: dict[str, datetime | None] = dict.fromkeys(keys)
    for one in found:
        due[one.transaction.key] = _look_alone(connection, one, context=context, now=now)
    evaluations.settle(connection, due)
    return len(keys)


def _look_alone(connection: Connection, one: dossier.Dossier, *, context: Context, now: datetime) -> datetime | None:
    """Look at one transaction so that a defect in it leaves nothing half done and does not stop the others."""
    try:
        with connection.begin_nested():
            return _look_at(connection, one, context=context, now=now)
    except Exception:  # noqa: BLE001 - one bad row must not stop the queue
        log.exception("transaction.undecidable", transaction=one.transaction.key)
        return now + _DEFECT_WAIT


def _look_at(connection: Connection, one: dossier.Dossier, *, context: Context, now: datetime) -> datetime | None:
    one = _with_balance(connection, one, now=now)
    providers = {leg.provider: context.rules_of(leg.provider) for leg in one.legs}
    wanted = decide_one(one, context=context, providers=providers, now=now)
    facts = gather(
        one.transaction, one.legs, one.wallet_lines, one.reports, context.policy, one.history, now, providers=providers
    )
    fresh = [
        d for d in wanted if d.action is not Action.WAIT and _apply(connection, facts, d, context=context, now=now)
    ]
    if fresh:
        decisions.append(connection, one, fresh, config_hash=context.config_hash, now=now)
        log.info("transaction.decided", transaction=one.transaction.key, rules=[d.rule for d in fresh])
    wait = next((d.due_at for d in wanted if d.action is Action.WAIT), None)
    return now if any(d.action in _FOLLOWED_AT_ONCE for d in fresh) else wait


_FOLLOWED_AT_ONCE = frozenset({Action.COMPENSATE, Action.RESOLVE})


def decide_one(
    one: dossier.Dossier, *, context: Context, providers: Mapping[str, ProviderRules], now: datetime
) -> list[Decision]:
    """Decide about one transaction as stored."""
    return decide(
        one.transaction, one.legs, one.wallet_lines, one.reports, context.policy, one.history, now, providers=providers
    )


def _with_balance(connection: Connection, one: dossier.Dossier, *, now: datetime) -> dossier.Dossier:
    """Add the agent's balance when the wallet book is fresh enough to quote it."""
    mark = one.history.wallet_read_to
    if not one.history.refunds or mark is None or now - mark > _BALANCE_FRESH:
        return one
    balance = dossier.agent_balance(connection, one.transaction.agent_id, not_before=now - timedelta(days=30))
    return replace(one, history=replace(one.history, agent_balance=balance))


Apply = Callable[..., bool]


def _apply(connection: Connection, facts: Facts, decision: Decision, *, context: Context, now: datetime) -> bool:
    """Make a decision true. Returns whether anything is new."""
    kind = decision.break_kind
    if kind is not None and context.policy.mode_of(kind) is Mode.OBSERVE and decision.action not in _FOUND_ONLY:
        return _open(connection, facts, decision, ask_staff=False, now=now)
    if kind is not None and decision.action in _OPENS_BREAK:
        _open(connection, facts, decision, ask_staff=False, now=now)
    return _APPLY[decision.action](connection, facts, decision, context=context, now=now)


def _open(connection: Connection, facts: Facts, decision: Decision, *, ask_staff: bool, now: datetime) -> bool:
    if decision.break_kind is None:
        return False
    return cases.open_break(
        connection,
        facts.transaction,
        kind=decision.break_kind,
        amount=decision.amount,
        rule=decision.rule,
        note=decision.note,
        ask_staff=ask_staff,
        now=now,
    )


def _record(connection: Connection, facts: Facts, decision: Decision, *, context: Context, now: datetime) -> bool:
    del context
    return _open(connection, facts, decision, ask_staff=False, now=now)


def _ask_staff(connection: Connection, facts: Facts, decision: Decision, *, context: Context, now: datetime) -> bool:
    del context
    return _open(connection, facts, decision, ask_staff=True, now=now)


def _issue_refund(connection: Connection, facts: Facts, decision: Decision, *, context: Context, now: datetime) -> bool:
    del context
    return refunds.request(connection, facts.transaction, decision, now=now)


def _mark_failed(connection: Connection, facts: Facts, decision: Decision, *, context: Context, now: datetime) -> bool:
    """Closing an order can move money at the server, so in propose mode a person does it."""
    if decision.break_kind and context.policy.mode_of(decision.break_kind) is Mode.PROPOSE:
        note = "Saran: beri tahu server bahwa order ini gagal."
        return _open(connection, facts, replace(decision, note=note), ask_staff=True, now=now)
    return results.request(
        connection, facts.transaction, status="failed", serial_number="", reason=decision.reason, now=now
    )


def _complete(connection: Connection, facts: Facts, decision: Decision, *, context: Context, now: datetime) -> bool:
    del context
    serial = decision.details["serial_number"]
    return results.request(connection, facts.transaction, status="success", serial_number=serial, reason="", now=now)


def _check_again(connection: Connection, facts: Facts, decision: Decision, *, context: Context, now: datetime) -> bool:
    del context
    leg = _leg(facts, decision)
    schedule.hasten(connection, leg.key, provider=leg.provider, now=now)
    return False


def _compensate(connection: Connection, facts: Facts, decision: Decision, *, context: Context, now: datetime) -> bool:
    if decision.break_kind is None or decision.amount is None:
        return False
    t = facts.transaction
    refused = vouchers.refusal(connection, agent_id=t.agent_id, amount=decision.amount, policy=context.policy, now=now)
    if refused:
        note = f"Voucher {decision.amount} menunggu petugas: {refused}"
        told = (
            _tell(connection, facts, _without_voucher(decision), context=context, now=now)
            if decision.rule == "comp.1"
            else False
        )
        return _open(connection, facts, replace(decision, note=note), ask_staff=True, now=now) or told
    code = voucher_code(t.key, secret=context.secret)
    issued = vouchers.issue(
        connection,
        t,
        code=code,
        kind=decision.break_kind,
        amount=decision.amount,
        rule=decision.rule,
        policy=context.policy,
        now=now,
    )
    if issued:
        journal.post(connection, ledger.voucher_issued(code, amount=decision.amount, at=now), now=now)
    return issued


def _without_voucher(decision: Decision) -> Decision:
    return replace(decision, action=Action.TELL, template="M06", amount=None)


def voucher_code(transaction_key: str, *, secret: bytes) -> str:
    """Derive a voucher code of 80 bits that nobody without the secret can guess, the same after a restore (I12)."""
    digest = hmac.new(secret, f"voucher\x00{transaction_key}".encode(), hashlib.sha256).digest()
    text = base64.b32encode(digest[:10]).decode()
    return "-".join(text[i : i + 4] for i in range(0, 16, 4))


def _open_complaint(
    connection: Connection, facts: Facts, decision: Decision, *, context: Context, now: datetime
) -> bool:
    leg = _leg(facts, decision)
    text = complaint_text.compose(
        complaint_text.ComplaintKind.PENDING,
        complaint_text.ComplaintFacts(
            ref_id=leg.ref_id,
            sent_at=leg.sent_at,
            product=leg.provider_product,
            family=facts.transaction.family,
            destination=leg.destination_sent,
        ),
        now=now,
    )
    links = complaint_text.contact_links(reports.contacts_of(connection, leg.key), text)
    kind = decision.break_kind or BreakKind.STUCK_PENDING
    new = complaints.open_complaint(connection, leg, kind=kind, text=text, links=[link.url for link in links], now=now)
    if new is None:
        return False
    case_id = cases.open_case(connection, facts.transaction, now=now)
    cases.add_event(connection, case_id, kind="complaint.opened", text=f"Laporan ke {leg.provider}", now=now)
    if context.words.complaint_channel:
        _send_complaint(connection, facts, leg, complaint_id=new, text=text, kind=kind, context=context, now=now)
    return True


def _send_complaint(
    connection: Connection,
    facts: Facts,
    leg: Leg,
    *,
    complaint_id: str,
    text: str,
    kind: BreakKind,
    context: Context,
    now: datetime,
) -> None:
    messages.add(
        connection,
        messages.NewMessage(
            event=f"complaint:{complaint_id}",
            case_id=None,
            transaction_key=facts.transaction.key,
            break_kind=kind,
            agent_id=f"provider:{leg.provider}",
            audience="provider",
            channel=context.words.complaint_channel,
            address=leg.provider,
            template="PC1",
            variant="standard",
            text=text,
            short_text=text,
            variables=(),
            answer_url="",
        ),
        now=now,
    )


def _claim(connection: Connection, facts: Facts, decision: Decision, *, context: Context, now: datetime) -> bool:
    """Claim a deposit back: the complaint to the provider, and a word to the operator."""
    _open_complaint(connection, facts, decision, context=context, now=now)
    return _tell(connection, facts, replace(decision, action=Action.TELL, template="M01"), context=context, now=now)


def _tell(connection: Connection, facts: Facts, decision: Decision, *, context: Context, now: datetime) -> bool:
    words, t = context.words, facts.transaction
    audience = wording.audience_of(facts)
    if decision.break_kind:
        cases.open_case(connection, t, now=now)
        facts = _with_number(facts)
    agent = agents.find(connection, t.agent_id)
    operator = audience == "operator"
    reader = wording.Reader(
        name=words.operator_name if operator else (agent["name"] if agent else "Agen"),
        zone=agent["zone"] if agent and not operator else "Asia/Jakarta",
        operator=operator,
    )
    case_id = stable_id("case", t.key)
    rendered = wording.write(
        words.book,
        words.reasons,
        facts,
        decision,
        reader=reader,
        case_id=case_id,
        provider_titles=words.provider_titles,
    )
    if rendered is None:
        return False
    kind = decision.break_kind.value if decision.break_kind else ""
    event = f"{t.key}:{kind}:{decision.template}"
    to_agent = agent if agent and not operator else None
    message = messages.NewMessage(
        event=event,
        case_id=case_id,
        transaction_key=t.key,
        break_kind=kind,
        agent_id=t.agent_id,
        audience=audience,
        channel=(to_agent["channel"] if to_agent else "")
        or (words.operator_channel if operator else words.default_channel),
        address=to_agent["address"] if to_agent else words.operator_address,
        template=decision.template,
        variant=rendered.variant,
        text=rendered.text,
        short_text=rendered.short_text,
        variables=rendered.variables,
        answer_url=answer_url(words.answer_base_url, messages.message_id(event), secret=context.secret),
        promise_at=decision.promise_at,
    )
    new = messages.add(connection, message, now=now)
    if new:
        cases.mark_felt(connection, case_id)
        cases.add_event(
            connection, case_id, kind="message.written", text=f"{decision.template} {rendered.variant}", now=now
        )
    return new


def _with_number(facts: Facts) -> Facts:
    if facts.history.case_number:
        return facts
    number = cases.case_number(facts.transaction.key)
    return replace(facts, history=replace(facts.history, case_number=number))


def answer_url(base: str, message_id: str, *, secret: bytes) -> str:
    """Build the signed link an agent answers by; without a base address there is none."""
    return f"{base.rstrip('/')}/answers/{sign_answer_token(message_id, secret)}" if base else ""


def _freeze(connection: Connection, facts: Facts, decision: Decision, *, context: Context, now: datetime) -> bool:
    del context, now
    reason = f"{decision.rule}: pengembalian melebihi potongan"
    return agents.freeze(connection, facts.transaction.agent_id, reason=reason)


def _resolve(connection: Connection, facts: Facts, decision: Decision, *, context: Context, now: datetime) -> bool:
    del context
    if decision.break_kind is None:
        return False
    return cases.resolve(connection, facts.transaction, kind=decision.break_kind, rule=decision.rule, now=now)


def _leg(facts: Facts, decision: Decision) -> Leg:
    return next((leg for leg in facts.legs if leg.key == decision.leg_key), facts.legs[-1])


_OPENS_BREAK = frozenset(
    {
        Action.ISSUE_REFUND,
        Action.MARK_FAILED_AT_SERVER,
        Action.COMPLETE,
        Action.CLAIM_ON_PROVIDER,
        Action.OPEN_COMPLAINT,
    }
)

_APPLY: Mapping[Action, Apply] = {
    Action.RECORD: _record,
    Action.ASK_STAFF: _ask_staff,
    Action.ASK_SERVER_TO_RESEND: _ask_staff,
    Action.ISSUE_REFUND: _issue_refund,
    Action.MARK_FAILED_AT_SERVER: _mark_failed,
    Action.COMPLETE: _complete,
    Action.CHECK_AGAIN: _check_again,
    Action.CLAIM_ON_PROVIDER: _claim,
    Action.OPEN_COMPLAINT: _open_complaint,
    Action.COMPENSATE: _compensate,
    Action.TELL: _tell,
    Action.FREEZE_AGENT: _freeze,
    Action.RESOLVE: _resolve,
}


__all__: Sequence[str] = ("BATCH", "answer_url", "decide_one", "look_at_due", "voucher_code", "work")
