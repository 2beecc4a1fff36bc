"""What must never be true after any run, judged from the outside's own journals and from the stored rows.

No oracle knows which faults a run had. The expectations about money are those of the demonstration's judge.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
from sqlalchemy import select

from rekon.domain.refund import RefundState
from rekon.sandbox import judge_books, judge_facts, judge_money, judge_rules
from rekon.sandbox.judge_facts import Books, OrderFacts
from rekon.sandbox.judge_rules import MUST
from rekon.sandbox.world import World
from rekon.simulation.memory import Memory, raw
from rekon.store import schema, verify

Rows = Sequence[Mapping[Any, Any]]
_PATIENCE: Final = timedelta(minutes=15)
_WITH_PEOPLE: Final = frozenset(
    {RefundState.AWAITING_APPROVAL, RefundState.APPROVED, RefundState.UNKNOWN, RefundState.REJECTED, RefundState.FAILED}
)


class Sentinel:
    """Sees every request before it leaves: money moves only behind a committed intent (I11), never inside one."""

    def __init__(self, memory: Memory) -> None:
        """Look into the one database."""
        self._memory = memory
        self._bodies: dict[str, bytes] = {}
        self.violations: list[str] = []

    def __call__(self, request: httpx.Request) -> None:
        """Judge one request."""
        if raw(self._memory).in_transaction:
            self.violations.append(f"network inside a unit of work: {request.url.path}")
        if request.method == "POST" and request.url.path.endswith("/refunds"):
            self._judge_refund(request)

    def _judge_refund(self, request: httpx.Request) -> None:
        key = request.headers.get("idempotency-key", "")
        body = request.content
        if self._bodies.setdefault(key, body) != body:
            self.violations.append(f"one key, two bodies: {key}")
        if key.startswith("voucher:"):
            query = "SELECT 1 FROM vouchers WHERE code = ? AND sent_at IS NOT NULL"
            found = raw(self._memory).execute(query, (key.removeprefix("voucher:"),)).fetchone()
        else:
            query = "SELECT 1 FROM refunds WHERE key = ? AND submitted_at IS NOT NULL"
            found = raw(self._memory).execute(query, (key,)).fetchone()
        if found is None:
            self.violations.append(f"money asked for without a committed intent: {key}")


def books_of(world: World) -> Books:
    """Read the journals of a world that was played in memory."""
    return judge_facts.gather({name: journal.rows() for name, journal in world.journals.items()})


def violations(world: World, memory: Memory) -> list[str]:
    """Name everything that must not be so at the end of a run."""
    books = books_of(world)
    state = _State(memory)
    found: list[str] = []
    for oracle in _ORACLES:
        found += oracle(books, state)
    return found


class _State:
    """Stored rows the oracles compare with the journals."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        with memory.engine.connect() as connection:
            self.refunds: Rows = connection.execute(select(schema.refunds)).mappings().all()
            self.breaks: Rows = connection.execute(select(schema.breaks)).mappings().all()
            self.vouchers: Rows = connection.execute(select(schema.vouchers)).mappings().all()
            self.complaints: Rows = connection.execute(select(schema.complaints)).mappings().all()
            self.messages: Rows = connection.execute(select(schema.messages)).mappings().all()

    def is_with_people(self, transaction: str) -> bool:
        """Say whether somebody was asked about this purchase, or its money waits for a person."""
        asked = any(row["staff_asked"] for row in self.breaks if row["transaction_key"] == transaction)
        return asked or any(
            row["state"] in _WITH_PEOPLE for row in self.refunds if row["transaction_key"] == transaction
        )


def _money(books: Books, state: _State) -> list[str]:
    """No refund that was not owed, too early, without its readings, or twice (I1, I6)."""
    del state
    expected = judge_rules.breaks(books)
    defensible = {kind: dict.fromkeys(verdicts, MUST) for kind, verdicts in expected.items()}
    settlement = judge_money.settle(books, defensible)
    return [f"wrong refund: {text}" for text in settlement.wrong] + [
        f"double refund: {text}" for text in settlement.double
    ]


def _more_than_taken(books: Books, state: _State) -> list[str]:
    """No agent has more than he paid, as far as rekon's own money goes (I1)."""
    del state
    return [f"{order.key}: more given back than taken" for order in books.orders.values() if _overpaid(order)]


def _overpaid(order: OrderFacts) -> bool:
    ours = sum(line.amount for line in order.credits if line.reference.startswith(judge_facts.REFUND))
    taken = -sum(line.amount for line in order.debits)
    return ours > taken


def _never_lost(books: Books, state: _State) -> list[str]:
    """What is owed was paid by the end, or somebody was asked (I14)."""
    settlement = judge_money.settle(books, judge_rules.breaks(books))
    missed = (text.split(" ", 1)[0] for text in settlement.missed)
    return [f"owed, unpaid and nobody was asked: {key}" for key in missed if not state.is_with_people(key)]


def _no_purchases(books: Books, state: _State) -> list[str]:
    """No order came into being through a call of rekon's (I5)."""
    del state
    return judge_books.purchases(books)


def _books_close(books: Books, state: _State) -> list[str]:
    """The outside's own books add up, and no push was refused."""
    del state
    _, unbalanced = judge_books.bridge(books, None)
    return [*unbalanced, *judge_books.refused_pushes(books)]


def _nothing_hangs(books: Books, state: _State) -> list[str]:
    """No intent is still on its way long after the faults ended (I14)."""
    ends_at = books.last_instant
    return [
        f"still on its way at the end: {row['key']}"
        for row in state.refunds
        if row["state"] == RefundState.SUBMITTED and _before(row["submitted_at"], ends_at)
    ]


def _before(at: datetime | None, ends_at: datetime) -> bool:
    return at is not None and at < ends_at - _PATIENCE


def _vouchers_once(books: Books, state: _State) -> list[str]:
    """No voucher is credited twice or without having been issued (I4)."""
    findings = {
        "vouchers": [
            {"transaction": v["transaction_key"], "amount": v["amount"], "state": v["state"]} for v in state.vouchers
        ]
    }
    said = judge_books.vouchers(books, findings, judge_money.settle(books, {}))
    return [text for text in said if "credited" in text]


def _one_complaint(books: Books, state: _State) -> list[str]:
    """One open complaint a purchase (I4)."""
    del books
    keys = [row["transaction_key"] for row in state.complaints]
    return [f"{key}: more than one complaint" for key in sorted({key for key in keys if keys.count(key) > 1})]


def _messages_arrive_once(books: Books, state: _State) -> list[str]:
    """What is called sent arrived, nothing arrived that was not written down."""
    arrived = {row["message_id"] for row in books.rows("inbox", "message")}
    sent = {row["message_id"] for row in state.messages if row["state"] == "sent"}
    known = {row["message_id"] for row in state.messages}
    return [f"called sent, never arrived: {i}" for i in sorted(sent - arrived)] + [
        f"arrived, unknown to its sender: {i}" for i in sorted(arrived - known)
    ]


def _settled_is_seen(books: Books, state: _State) -> list[str]:
    """A refund called settled stands in the wallet with its key."""
    seen = {line.reference for order in books.orders.values() for line in order.credits}
    return [
        f"called settled, never credited: {row['key']}"
        for row in state.refunds
        if row["state"] == RefundState.SETTLED and row["key"] not in seen
    ]


def _stored_rows_agree(books: Books, state: _State) -> list[str]:
    """The nightly audit finds nothing (I2, I3, I8, I16)."""
    del books
    return [str(finding) for check in verify.CHECKS for finding in state.memory.read(check)]


_ORACLES: tuple[Callable[[Books, _State], list[str]], ...] = (
    _money,
    _more_than_taken,
    _never_lost,
    _no_purchases,
    _books_close,
    _nothing_hangs,
    _vouchers_once,
    _one_complaint,
    _messages_arrive_once,
    _settled_is_seen,
    _stored_rows_agree,
)
