"""Which refunds rekon owed, which it paid, and how long after the earliest permitted instant.

Owed are (design 2 and 6, rulebook 3.4): at `toko`, which refunds nothing itself, B01 and B17 where the server's log
says not sent; at both servers the excess of B10. Only agents' wallets are paid. Above Rp 210.000 (own books,
NEVER_FORMED) or Rp 105.000 (DEFINITE, SOFT, TIMEOUT_LIKE) and for every B05 a person decides, and a missing refund is
no fault.

Earliest permitted instant: B01 NEVER_FORMED the first reply; other B01 the first failed word that reached rekon plus
its hold (SOFT: 120 s once a statement with the returned charge arrived, else 540 s; TIMEOUT_LIKE also not before that
statement); B10 and B17 120 s after the last wallet line and the order's
last change before that; always at least until a push of the server's orders read past the word plus 2 s, the time in
which a server hears the word itself (I25). A refund paid before it, or with fewer readings than its class asks, counts
as wrong.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from rekon.sandbox import judge_facts, judge_failures
from rekon.sandbox.judge_facts import REFUND, Books, Heard, OrderFacts
from rekon.sandbox.judge_failures import DEFINITE, HOLDS, NEVER_FORMED, SOFT, TIMEOUT_LIKE, Failure
from rekon.sandbox.judge_rules import MUST

QUIET: Final = timedelta(seconds=120)
SOURCE_LAG: Final = timedelta(seconds=2)
OWN_BOOKS_MAX: Final = 210_000
PROVIDER_PROOF_MAX: Final = 105_000
READINGS: Final[Mapping[str, int]] = {NEVER_FORMED: 1, DEFINITE: 2, SOFT: 2, TIMEOUT_LIKE: 3}
READING_GAP: Final = timedelta(seconds=60)
_SLACK: Final = timedelta(seconds=1)
_KEY_PARTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Money rekon owes an agent."""

    transaction: str
    kind: str
    amount: int
    earliest: datetime | None
    """None while it cannot be told, because rekon never heard the word."""
    automatic: bool
    """Whether rekon may pay it without a person."""
    reading_at: datetime | None = None
    """When the last reading its class asks for was heard; None where none is asked for."""
    lacks_readings: bool = False
    until: datetime | None = None
    """When the provider delivered after all; from then on nothing is owed any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """Money rekon gave an agent: one credit line."""

    transaction: str
    kind: str
    amount: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """All refunds of a run, compared."""

    due: tuple[Due, ...]
    paid: tuple[Paid, ...]
    wrong: tuple[str, ...]
    double: tuple[str, ...]
    missed: tuple[str, ...]
    seconds: tuple[float, ...]
    """Virtual seconds from the earliest permitted instant to the credit, automatic refunds only, sorted."""


def settle(books: Books, expected: Mapping[str, Mapping[str, str]]) -> Settlement:
    """Compare what was owed with what was credited; every fault is one sentence."""
    due = [d for order in books.orders.values() for d in dues(order, books, expected)]
    paid = payments(books)
    wrong, double, seconds = _compare(due, paid)
    settled = {(p.transaction, p.kind) for p in paid}
    missed = [
        f"{d.transaction} {d.kind}: Rp {d.amount} never came back"
        for d in due
        if d.automatic and (d.transaction, d.kind) not in settled
    ]
    missed += _unpaid_by_server(books, expected)
    return Settlement(
        due=tuple(due),
        paid=tuple(paid),
        wrong=tuple(wrong),
        double=tuple(double),
        missed=tuple(missed),
        seconds=tuple(sorted(seconds)),
    )


def payments(books: Books) -> list[Paid]:
    """List every credit line that carries a refund key of rekon's, in order of posting."""
    found = []
    for source in judge_facts.SOURCES:
        for row in books.rows(f"server-{source}", "wallet"):
            parts = row["reference"].split(":")
            if row["amount"] > 0 and row["reference"].startswith(REFUND) and len(parts) == _KEY_PARTS:
                found.append(
                    Paid(
                        transaction=f"{parts[1]}:{parts[2]}",
                        kind=parts[3],
                        amount=row["amount"],
                        at=judge_facts.when(row["at"]),
                    )
                )
    return sorted(found, key=lambda paid: paid.at)


def dues(order: OrderFacts, books: Books, expected: Mapping[str, Mapping[str, str]]) -> list[Due]:
    """List what rekon owes for one order."""
    if order.account != "agent_wallet":
        return []
    found = []
    for kind, work_out in _DUES.items():
        asked = expected.get(kind, {}).get(order.key) == MUST
        due = work_out(order, books) if asked and (order.source == "toko" or kind == "B10") else None
        if due is not None:
            found.append(due)
    return found


def percentile(sorted_values: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank percentile, None of nothing."""
    if not sorted_values:
        return None
    return sorted_values[max(0, math.ceil(share * len(sorted_values)) - 1)]


def _compare(due: Sequence[Due], paid: Sequence[Paid]) -> tuple[list[str], list[str], list[float]]:
    owed = {(d.transaction, d.kind): d for d in due}
    wrong: list[str] = []
    double: list[str] = []
    seconds: list[float] = []
    seen: set[tuple[str, str]] = set()
    for payment in paid:
        name = (payment.transaction, payment.kind)
        what = f"{payment.transaction} {payment.kind} at {payment.at.isoformat()}"
        if name in seen:
            double.append(f"{what}: paid again, Rp {payment.amount}")
            continue
        seen.add(name)
        fault = _fault(owed.get(name), payment)
        if fault:
            wrong.append(f"{what}: {fault}")
        elif (d := owed[name]).automatic and d.earliest is not None:
            seconds.append((payment.at - d.earliest).total_seconds())
    return wrong, double, seconds


def _fault(due: Due | None, payment: Paid) -> str:
    if due is None:
        return f"Rp {payment.amount} was not owed"
    if due.amount != payment.amount:
        return f"Rp {payment.amount} instead of Rp {due.amount}"
    if due.lacks_readings or due.earliest is None:
        return "the readings its class asks for were never heard"
    allowed = max(due.earliest, due.reading_at or due.earliest)
    if payment.at < allowed - _SLACK:
        return f"too early, permitted from {allowed.isoformat()}"
    if due.until is not None and payment.at >= due.until:
        return f"the provider had delivered at {due.until.isoformat()}"
    return ""


def _due_for_failure(order: OrderFacts, books: Books) -> Due:
    failure = _believed(order, books)
    kind = failure.failure_class
    readings = _readings(order, failure)
    needed = _spaced(readings, pair=order.provider == "digiflazz")
    enough = len(needed) >= READINGS[kind]
    amount = -sum(line.amount for line in (*order.debits, *order.server_credits))
    return Due(
        transaction=order.key,
        kind="B01",
        amount=min(amount, order.price),
        earliest=_earliest(order, books, failure, readings),
        automatic=amount <= (OWN_BOOKS_MAX if kind == NEVER_FORMED else PROVIDER_PROOF_MAX),
        reading_at=needed[READINGS[kind] - 1] if enough else None,
        lacks_readings=not enough,
        until=failure.until,
    )


def _believed(order: OrderFacts, books: Books) -> Failure:
    return max(judge_failures.failures(order), key=lambda failure: failure.lasted(books.last_instant))


def _readings(order: OrderFacts, failure: Failure) -> list[datetime]:
    """List when rekon heard this failure in a way that counts: unsigned callbacks do not."""
    heard: list[Heard] = list(order.inquiries)
    if order.provider == "digiflazz":
        heard += order.callbacks
    times = [h.at for h in heard if failure.at <= h.at and (failure.until is None or h.at < failure.until)]
    if order.has_reply and (order.refused is not None or failure.at == order.states[0].at):
        times.append(order.sent_at)
    if order.proved_at is not None and order.proved_at >= failure.at:
        times.append(order.proved_at)
    return sorted(times)


def _spaced(times: Sequence[datetime], *, pair: bool) -> list[datetime]:
    """Keep readings at least a minute apart; where a check may buy, the first two count as they come."""
    kept: list[datetime] = []
    for at in times:
        if not kept or at - kept[-1] >= READING_GAP or (pair and len(kept) == 1):
            kept.append(at)
    return kept


def _earliest(order: OrderFacts, books: Books, failure: Failure, readings: Sequence[datetime]) -> datetime | None:
    if not readings:
        return None
    word, kind = readings[0], failure.failure_class
    allowed = word + HOLDS[kind]
    if kind == SOFT and order.proved_at is not None:
        allowed = max(word + HOLDS[DEFINITE], min(allowed, order.proved_at))
    if kind == TIMEOUT_LIKE:
        allowed = max(allowed, order.proved_at or allowed)
    return _after_fresh(order, books, word, allowed)


def _due_for_double_debit(order: OrderFacts, books: Books) -> Due | None:
    closed = order.closed_at()
    if closed is None:
        return None
    last = max(line.at for line in order.debits)
    excess = -sum(line.amount for line in order.debits) - order.price
    return Due(
        transaction=order.key,
        kind="B10",
        amount=excess,
        earliest=_after_fresh(order, books, last, max(last, closed) + QUIET),
        automatic=excess <= OWN_BOOKS_MAX,
    )


def _due_for_never_sent(order: OrderFacts, books: Books) -> Due | None:
    if order.send_state != "not_sent":
        return None
    last = max(line.at for line in order.debits)
    return Due(
        transaction=order.key,
        kind="B17",
        amount=order.price,
        earliest=_after_fresh(order, books, last, last + QUIET),
        automatic=order.price <= OWN_BOOKS_MAX,
    )


def _after_fresh(order: OrderFacts, books: Books, word: datetime, allowed: datetime) -> datetime:
    fresh = books.fresh_after(order.source, word + SOURCE_LAG)
    return allowed if fresh is None else max(allowed, fresh)


def _unpaid_by_server(books: Books, expected: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Name failures at a server that refunds by itself where the agent's money is still gone at the end."""
    found = []
    for order in books.orders.values():
        asked = expected.get("B01", {}).get(order.key) == MUST
        if asked and order.source != "toko" and order.account == "agent_wallet":
            left = -sum(line.amount for line in (*order.debits, *order.credits))
            if left > 0:
                found.append(f"{order.key} B01: the server was never told, Rp {left} still gone")
    return found


_DUES: Final = {
    "B01": _due_for_failure,
    "B10": _due_for_double_debit,
    "B17": _due_for_never_sent,
}
