"""The leak report's questions to stored history: where money stayed away, what a provider may still owe. Reads only.

A book that is missing makes orders "cannot be checked"; they are counted, never taken for zero (design 2).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select

from rekon.domain.refund import COUNTS_AS_CREDIT, VOUCHER_PREFIX
from rekon.domain.transaction import ChargedAccount, OrderStatus, SendState, WalletLineKind
from rekon.store import schema

GRACE = timedelta(minutes=15)
"""Younger orders are still being dealt with; the server has ten minutes to give money back."""
PENDING_LONG = timedelta(hours=24)
_CHUNK = 400
_FAILED = (OrderStatus.FAILED, OrderStatus.REFUNDED)

Row = Mapping[Any, Any]


class LeakKind(StrEnum):
    """What kind of money stayed away."""

    FAILED_NOT_RETURNED = "failed_not_returned"
    """The order failed and its money never came back."""
    DEBITED_TWICE = "debited_twice"
    """More than one debit, and more taken than the price."""
    CREDITS_EXCEED_DEBITS = "credits_exceed_debits"
    """More came back than was taken: our loss."""
    PENDING_LONG = "pending_long"
    """Still pending after a day, the money still taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which orders are looked at: by their own instant, of one source or of all."""

    since: datetime
    until: datetime
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Money that stayed away in one purchase, whole rupiah."""

    kind: LeakKind
    transaction_key: str
    source: str
    agent_id: str
    product: str
    ordered_at: datetime
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a provider may owe for one leg. `proved` says that its own statement shows the charge and no reversal."""

    provider: str
    transaction_key: str
    ref_id: str
    sent_at: datetime
    amount: int
    proved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much could be looked at."""

    orders: int
    without_wallet_lines: int
    """Orders an agent paid for of which no wallet line is known: they cannot be checked."""
    cash: int
    """Orders paid in cash: there is no wallet book to check."""


def coverage(connection: Connection, window: Window) -> Coverage:
    """Count the orders of the window, and those no wallet book speaks of."""
    t, w = schema.transactions.c, schema.wallet_lines.c
    silent = ~select(w.key).where(w.transaction_key == t.key).exists()
    is_agents = t.charged_account == ChargedAccount.AGENT_WALLET
    query = select(
        func.count(),
        _count_if(and_(is_agents, silent)),
        _count_if(t.charged_account == ChargedAccount.CASH),
    ).where(_inside(window))
    orders, without, cash = connection.execute(query).one()
    return Coverage(orders=orders, without_wallet_lines=int(without), cash=int(cash))


def find_leaks(connection: Connection, window: Window) -> list[Leak]:
    """Find every purchase of the window whose wallet lines do not come out even, the largest first."""
    rows = connection.execute(_suspicious(window)).mappings().all()
    on_the_way = _own_refunds(connection, [row["key"] for row in rows])
    found = [leak for row in rows if (leak := judge(row, on_the_way=on_the_way[row["key"]], now=window.until))]
    return sorted(found, key=lambda one: (-one.amount, one.transaction_key))


def judge(row: Row, *, on_the_way: int, now: datetime) -> Leak | None:
    """Name the leak of one purchase, or none. `on_the_way` are our own refunds that no wallet line shows yet."""
    net = row["debits"] - row["credits"] - on_the_way
    kind: LeakKind | None = None
    amount = net
    if net < 0:
        kind, amount = LeakKind.CREDITS_EXCEED_DEBITS, -net
    elif row["order_status"] in _FAILED:
        kind = LeakKind.FAILED_NOT_RETURNED if net > 0 else None
    elif row["debit_count"] > 1 and net > row["price"]:
        kind, amount = LeakKind.DEBITED_TWICE, net - row["price"]
    elif row["order_status"] == OrderStatus.PENDING and net > 0 and now - row["ordered_at"] >= PENDING_LONG:
        kind = LeakKind.PENDING_LONG
    if kind is None:
        return None
    return Leak(
        kind=kind,
        transaction_key=row["key"],
        source=row["source"],
        agent_id=row["agent_id"],
        product=row["product"],
        ordered_at=row["ordered_at"],
        amount=amount,
    )


def find_claims(connection: Connection, window: Window, leaks: Sequence[Leak]) -> list[Claim]:
    """List what providers may owe: charges of failed orders their statement never took back, and unproved leaks.

    A leg whose provider's statement comes out even is not claimed. Where no line of a statement speaks of a leg, the
    amount at stake is the agent's money.
    """
    proved = {(one.provider, one.ref_id): one for one in _charged(connection, window)}
    at_stake = {
        leak.transaction_key: leak.amount
        for leak in leaks
        if leak.kind in (LeakKind.FAILED_NOT_RETURNED, LeakKind.PENDING_LONG)
    }
    asked = [one for one in _unspoken(connection, at_stake) if (one.provider, one.ref_id) not in proved]
    return sorted([*proved.values(), *asked], key=lambda one: (one.provider, one.sent_at, one.ref_id))


def _suspicious(window: Window) -> Select[Any]:
    """Select the orders whose sums say that somebody should look: the judging itself is done in Python."""
    t, w = schema.transactions.c, schema.wallet_lines.c
    own = and_(
        w.transaction_key == t.key,
        w.kind.in_([WalletLineKind.DEBIT, WalletLineKind.REFUND]),
        ~w.reference.startswith(VOUCHER_PREFIX, autoescape=True),
    )
    debits = func.coalesce(func.sum(case((w.amount < 0, -w.amount), else_=0)), 0)
    back = func.coalesce(func.sum(case((w.amount > 0, w.amount), else_=0)), 0)
    debit_count = func.coalesce(func.sum(case((w.amount < 0, 1), else_=0)), 0)
    return (
        select(
            *(t[name] for name in ("key", "source", "agent_id", "product", "ordered_at", "order_status", "price")),
            debits.label("debits"),
            back.label("credits"),
            debit_count.label("debit_count"),
        )
        .join(schema.wallet_lines, own)
        .where(_inside(window), t.charged_account == ChargedAccount.AGENT_WALLET, t.ordered_at <= window.until - GRACE)
        .group_by(t.key)
        .having(
            or_(
                back > debits,
                and_(t.order_status.in_(_FAILED), debits > back),
                and_(debit_count > 1, debits - back > t.price),
                and_(t.order_status == OrderStatus.PENDING, debits > back),
            )
        )
    )


def _own_refunds(connection: Connection, keys: Sequence[str]) -> Mapping[str, int]:
    """Add up our refunds of these purchases that no wallet line carries yet."""
    r, w = schema.refunds.c, schema.wallet_lines.c
    seen = select(w.key).where(w.transaction_key == r.transaction_key, w.reference == r.key).exists()
    found: dict[str, int] = defaultdict(int)
    for part in _parts(keys):
        query = select(r.transaction_key, func.sum(r.amount)).where(
            r.transaction_key.in_(part), r.state.in_(sorted(COUNTS_AS_CREDIT)), ~seen
        )
        found.update({key: int(amount) for key, amount in connection.execute(query.group_by(r.transaction_key))})
    return found


def _charged(connection: Connection, window: Window) -> list[Claim]:
    """Find legs of failed orders that a statement charges and never takes back."""
    t, leg, s = schema.transactions.c, schema.legs.c, schema.statement_lines.c
    total = func.sum(s.amount)
    query = (
        select(leg.provider, leg.transaction_key, leg.ref_id, leg.sent_at, total)
        .join(schema.transactions, t.key == leg.transaction_key)
        .join(schema.statement_lines, and_(s.provider == leg.provider, s.ref_id == leg.ref_id))
        .where(_inside(window), t.order_status.in_(_FAILED), t.ordered_at <= window.until - GRACE)
        .group_by(leg.key)
        .having(total < 0)
    )
    return [
        Claim(provider=provider, transaction_key=key, ref_id=ref_id, sent_at=sent_at, amount=-int(amount), proved=True)
        for provider, key, ref_id, sent_at, amount in connection.execute(query)
    ]


def _unspoken(connection: Connection, at_stake: Mapping[str, int]) -> Iterator[Claim]:
    """Find the last sent leg of each leak of which no statement speaks."""
    leg, s = schema.legs.c, schema.statement_lines.c
    spoken = select(s.key).where(s.provider == leg.provider, s.ref_id == leg.ref_id).exists()
    for part in _parts(list(at_stake)):
        query = (
            select(leg.provider, leg.transaction_key, leg.ref_id, leg.sent_at, spoken.label("spoken"))
            .where(leg.transaction_key.in_(part), leg.send_state != SendState.NOT_SENT)
            .order_by(leg.transaction_key, leg.leg_no)
        )
        last = {row.transaction_key: row for row in connection.execute(query)}
        for row in last.values():
            if not row.spoken:
                yield Claim(
                    provider=row.provider,
                    transaction_key=row.transaction_key,
                    ref_id=row.ref_id,
                    sent_at=row.sent_at,
                    amount=at_stake[row.transaction_key],
                    proved=False,
                )


def _inside(window: Window) -> ColumnElement[bool]:
    t = schema.transactions.c
    inside = t.ordered_at.between(window.since, window.until)
    return inside if window.source is None else and_(inside, t.source == window.source)


def _count_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]
