"""Make decisions true. Each function writes only what is not there yet, so deciding twice changes nothing."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping

from rekon.domain import ledger
from rekon.domain.breaks import Mode
from rekon.domain.decision import Action
from rekon.stages.decide import letters
from rekon.stages.decide.turn import Turn
from rekon.store import agents, cases, journal, refunds, results, schedule, vouchers

_FOUND_ONLY = frozenset(
    {Action.RECORD, Action.ASK_STAFF, Action.ASK_SERVER_TO_RESEND, Action.RESOLVE, Action.CHECK_AGAIN}
)
"""What an installation that only observes does: find and write down."""
_OPENS_BREAK = frozenset(
    {
        Action.ISSUE_REFUND,
        Action.MARK_FAILED_AT_SERVER,
        Action.COMPLETE,
        Action.CLAIM_ON_PROVIDER,
        Action.OPEN_COMPLAINT,
    }
)


def apply(turn: Turn) -> bool:
    """Make a decision true. Returns whether anything is new."""
    if turn.mode is Mode.OBSERVE and turn.decision.action not in _FOUND_ONLY:
        return turn.open_break(ask_staff=False)
    if turn.decision.action in _OPENS_BREAK:
        turn.open_break(ask_staff=False)
    return _APPLY[turn.decision.action](turn)


def _record(turn: Turn) -> bool:
    return turn.open_break(ask_staff=False)


def _ask_staff(turn: Turn) -> bool:
    return turn.open_break(ask_staff=True)


def _issue_refund(turn: Turn) -> bool:
    return refunds.request(turn.connection, turn.facts.transaction, turn.decision, now=turn.now)


def _mark_failed(turn: Turn) -> bool:
    """Closing an order can move money at the server, so in propose mode a person does it."""
    if turn.mode is Mode.PROPOSE:
        return turn.saying("Saran: beri tahu server bahwa order ini gagal.").open_break(ask_staff=True)
    reason = turn.decision.reason
    return results.request(
        turn.connection, turn.facts.transaction, status="failed", serial_number="", reason=reason, now=turn.now
    )


def _complete(turn: Turn) -> bool:
    serial = turn.decision.details["serial_number"]
    return results.request(
        turn.connection, turn.facts.transaction, status="success", serial_number=serial, reason="", now=turn.now
    )


def _check_again(turn: Turn) -> bool:
    schedule.hasten(turn.connection, turn.leg.key, provider=turn.leg.provider, now=turn.now)
    return False


def _compensate(turn: Turn) -> bool:
    """Issue the voucher, or put it before a person when a cap is reached; the apology goes out either way."""
    kind, amount, t = turn.decision.break_kind, turn.decision.amount, turn.facts.transaction
    if kind is None or amount is None:
        return False
    policy = turn.context.policy
    refused = vouchers.refusal(turn.connection, agent_id=t.agent_id, amount=amount, policy=policy, now=turn.now)
    if refused:
        told = letters.apologise_without_voucher(turn) if turn.decision.rule == "comp.1" else False
        return turn.saying(f"Voucher {amount} menunggu petugas: {refused}").open_break(ask_staff=True) or told
    code = voucher_code(t.key, secret=turn.context.secret)
    issued = vouchers.issue(
        turn.connection, t, code=code, kind=kind, amount=amount, rule=turn.decision.rule, policy=policy, now=turn.now
    )
    if issued:
        journal.post(turn.connection, ledger.voucher_issued(code, amount=amount, at=turn.now), now=turn.now)
    return issued


def voucher_code(transaction_key: str, *, secret: bytes) -> str:
    """Derive a voucher code of 80 bits that nobody without the secret can guess, the same after a restore (I12)."""
    digest = hmac.new(secret, f"voucher\x00{transaction_key}".encode(), hashlib.sha256).digest()
    text = base64.b32encode(digest[:10]).decode()
    return "-".join(text[i : i + 4] for i in range(0, 16, 4))


def _claim(turn: Turn) -> bool:
    """Claim a deposit back: the complaint to the provider, and a word to the operator."""
    letters.complain(turn)
    return letters.tell(turn, template="M01")


def _tell(turn: Turn) -> bool:
    return letters.tell(turn, template=turn.decision.template)


def _freeze(turn: Turn) -> bool:
    reason = f"{turn.decision.rule}: pengembalian melebihi potongan"
    return agents.freeze(turn.connection, turn.facts.transaction.agent_id, reason=reason)


def _resolve(turn: Turn) -> bool:
    kind = turn.decision.break_kind
    if kind is None:
        return False
    return cases.resolve(turn.connection, turn.facts.transaction, kind=kind, rule=turn.decision.rule, now=turn.now)


_APPLY: Mapping[Action, Callable[[Turn], bool]] = {
    Action.RECORD: _record,
    Action.ASK_STAFF: _ask_staff,
    Action.ASK_SERVER_TO_RESEND: _ask_staff,
    Action.ISSUE_REFUND: _issue_refund,
    Action.MARK_FAILED_AT_SERVER: _mark_failed,
    Action.COMPLETE: _complete,
    Action.CHECK_AGAIN: _check_again,
    Action.CLAIM_ON_PROVIDER: _claim,
    Action.OPEN_COMPLAINT: letters.complain,
    Action.COMPENSATE: _compensate,
    Action.TELL: _tell,
    Action.FREEZE_AGENT: _freeze,
    Action.RESOLVE: _resolve,
}
