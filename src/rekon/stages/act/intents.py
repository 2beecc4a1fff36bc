"""Write the intents of refunds: the rules run again on the stored books, limits are counted, all in one unit of work.

Refunds are judged one after the other, so that each sees what those before it took of the limits, and written together.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from rekon.domain import ledger
from rekon.domain.breaks import BreakKind
from rekon.domain.decide import decide
from rekon.domain.decision import Action, Decision, evidence_digest
from rekon.domain.refund import RefundState
from rekon.domain.transaction import SendState
from rekon.stages.act.lanes import LEASE
from rekon.stages.act.patience import HALTED_WAIT
from rekon.stages.context import Context
from rekon.store import dossier, evaluations, journal, limits, refunds, schedule
from rekon.store.engine import Connection

LOOK_AGAIN = timedelta(seconds=2)

Row = refunds.Row


def submit(
    connection: Connection, *, context: Context, rows: Sequence[Row], lease: str, now: datetime
) -> Sequence[Row]:
    """Write the intents of those refunds that the rules still ask for and the limits allow; return them as they stand.

    Two refunds of one purchase never come in one call: the second is judged by what became of the first.
    """
    if context.restored_epoch:
        return []
    limits.take_turn(connection)
    held = refunds.still_held(connection, rows, lease=lease)
    keys = [row["transaction_key"] for row in held]
    found = dossier.load(connection, keys, sources=context.sources, twin_window=context.policy.duplicate_window)
    room = limits.Room(connection, [row["agent_id"] for row in held], policy=context.policy, now=now)
    batch = _Intents(connection, context=context, room=room, lease=lease, now=now)
    for row, one in zip(held, found, strict=True):
        batch.judge(row, one)
    return batch.write()


class _Intents:
    """Judges one refund after the other, and writes what becomes of them."""

    def __init__(
        self, connection: Connection, *, context: Context, room: limits.Room, lease: str, now: datetime
    ) -> None:
        self._connection = connection
        self._context = context
        self._room = room
        self._lease = lease
        self._now = now
        self._moves: list[refunds.Move] = []
        self._entries: list[ledger.Entry] = []
        self._touched: set[str] = set()

    def judge(self, row: Row, one: dossier.Dossier) -> None:
        """Let a refund pass if the rules ask for exactly it, what was agreed still stands, and money may move."""
        wanted = _decide_again(one, row, context=self._context, now=self._now)
        asked = next((d for d in wanted if d.action is Action.ISSUE_REFUND and d.break_kind == row["break_kind"]), None)
        if asked is None:
            self._not_wanted_now(row, wanted)
        elif self._is_still_agreed(row, asked) and self._may_move(row, one):
            self._pass(row, one)

    def write(self) -> Sequence[Row]:
        """Write what became of every refund. Returns the refunds whose intent is written."""
        refunds.move_held(self._connection, self._moves, lease=self._lease)
        journal.post_all(self._connection, self._entries, now=self._now)
        evaluations.touch(self._connection, self._touched, due_at=self._now)
        return [move.moved() for move in self._moves if move.to is RefundState.SUBMITTED]

    def _move(self, row: Row, to: RefundState, **values: object) -> None:
        self._moves.append(refunds.Move(row=row, to=to, values=values))

    def _pass(self, row: Row, one: dossier.Dossier) -> None:
        """Mean it: the same worker goes on to send it, so the lease stays."""
        if row["automatic"]:
            self._room.take(agent_id=row["agent_id"], amount=row["amount"], never_formed=row["never_formed"])
        intent = {"lease": self._lease, "submitted_at": self._now, "due_at": self._now + LEASE, "attempts": 0}
        self._move(row, RefundState.SUBMITTED, **intent)
        provider = "" if row["break_kind"] == BreakKind.DEBITED_TWICE or not one.legs else one.legs[-1].provider
        entry = ledger.refund_submitted(row["key"], provider=provider, amount=row["amount"], at=self._now)
        self._entries.append(entry)

    def _not_wanted_now(self, row: Row, wanted: Sequence[Decision]) -> None:
        """The rules wait, or no longer ask: postpone, or withdraw the request. Nothing was sent."""
        again = [d.leg_key for d in wanted if d.action is Action.CHECK_AGAIN and d.leg_key]
        for leg_key in again:
            schedule.hasten_leg(self._connection, leg_key, now=self._now)
        if again or any(d.action is Action.WAIT for d in wanted):
            self._move(row, RefundState(row["state"]), due_at=self._now + LOOK_AGAIN)
        else:
            self._move(row, RefundState.REJECTED, due_at=None, note="tidak lagi diperlukan")
        self._touched.add(row["transaction_key"])

    def _is_still_agreed(self, row: Row, asked: Decision) -> bool:
        """Amount as requested; for an approved refund also the very evidence the person saw (I17)."""
        digest = evidence_digest(asked, transaction=row["transaction_key"])
        was_seen = RefundState(row["state"]) is not RefundState.APPROVED or digest == row["digest"]
        if asked.amount == row["amount"] and was_seen:
            return True
        self._move(
            row,
            RefundState.AWAITING_APPROVAL,
            due_at=None,
            amount=asked.amount,
            evidence=list(asked.evidence),
            digest=digest,
            automatic=False,
            hold_reason="bukti atau jumlah berubah setelah diajukan",
        )
        return False

    def _may_move(self, row: Row, one: dossier.Dossier) -> bool:
        """Ask HALTs and limits. Approved money waits for a HALT to end; automatic money goes before a person (I18)."""
        proved_by = _proved_by(row, one)
        if not row["automatic"]:
            if self._room.halted(proved_by) is None:
                return True
            self._move(row, RefundState(row["state"]), due_at=self._now + HALTED_WAIT)
            return False
        refused = self._room.refusal(
            agent_id=row["agent_id"], amount=row["amount"], never_formed=row["never_formed"], providers=proved_by
        )
        if refused is None:
            return True
        if refused.halts:
            self._room.halt(refused.reason)
        self._moves.append(before_a_person(row, reason=refused.reason))
        self._touched.add(row["transaction_key"])
        return False


def before_a_person(row: Row, *, reason: str) -> refunds.Move:
    """Put a refund before a person. One that may have been sent stays automatic: the limits go on counting it."""
    was_sent = row["state"] == RefundState.SUBMITTED
    to = RefundState.UNKNOWN if was_sent else RefundState.AWAITING_APPROVAL
    automatic = was_sent and row["automatic"]
    return refunds.Move(row=row, to=to, values={"due_at": None, "automatic": automatic, "hold_reason": reason[:200]})


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
