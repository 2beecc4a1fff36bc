"""Write what gateways answered about refunds: many answers to a commit, each refund by compare-and-set."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rekon.connectors.gateways.contract import GatewayClass, PayAnswer, PayState
from rekon.domain import ledger
from rekon.domain.breaks import BreakKind
from rekon.domain.refund import RefundState
from rekon.stages.act.intents import LOOK_AGAIN, before_a_person
from rekon.stages.act.patience import ATTEMPTS_MAX
from rekon.stages.act.wallets import Wallet, lines_of
from rekon.stages.context import log
from rekon.store import books, cases, evaluations, journal, refunds
from rekon.store.engine import Connection

Row = refunds.Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a gateway said about one refund, and the wallet read after it was paid."""

    row: Row
    answer: PayAnswer
    wallet: Wallet | None
    gateway_class: GatewayClass


def move_those_held(connection: Connection, moves: Sequence[refunds.Move], *, lease: str) -> list[refunds.Move]:
    """Move those refunds that are still ours (I16). Returns these moves."""
    held = refunds.still_held(connection, [move.row for move in moves], lease=lease)
    ids = {row["refund_id"] for row in held}
    ours = [move for move in moves if move.row["refund_id"] in ids]
    refunds.move_held(connection, ours, lease=lease)
    return ours


def postponed(row: Row, *, now: datetime) -> refunds.Move:
    """Without the wallet nothing is paid: try again more and more slowly, then ask a person (I25)."""
    if row["attempts"] >= ATTEMPTS_MAX:
        return before_a_person(row, reason="mutasi saldo di server tidak dapat dibaca")
    later = now + LOOK_AGAIN * 2 ** row["attempts"]
    values = {"due_at": later, "attempts": row["attempts"] + 1}
    return refunds.Move(row=row, to=RefundState(row["state"]), values=values)


def unknown(row: Row, *, note: str) -> refunds.Move:
    """Leave it to a person: nobody can say what became of it."""
    return refunds.Move(row=row, to=RefundState.UNKNOWN, values={"due_at": None, "note": note[:400]})


def record(connection: Connection, *, answered: Sequence[Answered], lease: str, now: datetime) -> None:
    """Write gateways' answers. SETTLED only once the wallet line with our key was read (design 5)."""
    lines = lines_of([one.wallet for one in answered])
    if lines:
        books.record_wallet_lines(connection, lines, now=now)
    seen = _seen(connection, answered)
    moves = [_move(one, is_seen=one.row["key"] in seen, now=now) for one in answered]
    moved = move_those_held(connection, moves, lease=lease)
    answers = {one.row["refund_id"]: one.answer for one in answered}
    entries = [ledger.refund_settled(m.row["key"], amount=m.row["amount"], at=now) for m in moved if _is_settled(m)]
    entries += [
        _failed(connection, move.row, note=answers[move.row["refund_id"]].note, now=now)
        for move in moved
        if move.to is RefundState.FAILED
    ]
    journal.post_all(connection, entries, now=now)
    evaluations.touch(connection, [one.row["transaction_key"] for one in answered], due_at=now)
    for move in filter(_is_settled, moved):
        log.info("refund.settled", refund=move.row["refund_id"])


def _is_settled(move: refunds.Move) -> bool:
    return move.to is RefundState.SETTLED


def _seen(connection: Connection, answered: Sequence[Answered]) -> set[str]:
    """Name the keys read in a wallet: in the lines just shown, or in the books where a server only pushes them."""
    shown = {line.reference for one in answered if one.wallet for line in one.wallet.lines}
    hidden = [one.row for one in answered if one.wallet is not None and not one.wallet.is_shown]
    return {row["key"] for row in (one.row for one in answered) if row["key"] in shown} | books.referenced(
        connection, [(row["transaction_key"], row["key"]) for row in hidden]
    )


def _move(one: Answered, *, is_seen: bool, now: datetime) -> refunds.Move:
    row, answer = one.row, one.answer
    if answer.state is PayState.SUCCEEDED and is_seen:
        values = {"settled_at": now, "due_at": None, "gateway_ref": answer.gateway_ref}
        return refunds.Move(row=row, to=RefundState.SETTLED, values=values)
    if answer.state is PayState.FAILED:
        return refunds.Move(row=row, to=RefundState.FAILED, values={"due_at": None, "note": answer.note[:400]})
    if one.gateway_class is GatewayClass.G0 and answer.state is not PayState.SUCCEEDED:
        return unknown(row, note=answer.note or "jawaban gerbang tidak pasti")
    wait = timedelta(seconds=answer.retry_after_seconds or min(2 * 2 ** row["attempts"], 600))
    values = {"due_at": now + wait, "attempts": row["attempts"] + 1, "note": answer.note}
    return refunds.Move(row=row, to=RefundState.SUBMITTED, values=values)


def _failed(connection: Connection, row: Row, *, note: str, now: datetime) -> ledger.Entry:
    """The gateway said in plain words that it paid nothing: ask a person, and take the posting back."""
    account = journal.debit_account(connection, f"{row['key']}:submitted").removeprefix("recoverable:")
    provider = "" if account == "own_errors" else account
    cases.ask_staff(
        connection, row["transaction_key"], BreakKind(row["break_kind"]), note=f"Gerbang menolak: {note}", now=now
    )
    return ledger.refund_failed(row["key"], provider=provider, amount=row["amount"], at=now)
