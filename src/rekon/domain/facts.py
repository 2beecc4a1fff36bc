"""Everything a rule may look at, gathered before deciding. Pure data with derived views."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from rekon.domain.books import StatementLine
from rekon.domain.breaks import BreakKind, BreakState
from rekon.domain.money import Money
from rekon.domain.outcome import Outcome, StatusReport
from rekon.domain.policy import Policy, ProviderRules
from rekon.domain.refund import COUNTS_AS_CREDIT, VOUCHER_PREFIX, Refund
from rekon.domain.transaction import (
    ChargedAccount,
    Leg,
    OrderStatus,
    RefundOwner,
    Transaction,
    WalletLine,
    WalletLineKind,
)
from rekon.domain.verdict import LegVerdict, judge_leg

_OWN_MONEY = frozenset({WalletLineKind.DEBIT, WalletLineKind.REFUND})


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakFact:
    """A break that is already written down."""

    kind: BreakKind
    state: BreakState
    opened_at: datetime
    felt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """Another order of the same agent for the same product and number."""

    key: str
    ordered_at: datetime
    order_status: str
    repeat_counter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What rekon itself already knows and did about a transaction, and how fresh its books are."""

    refund_owner: RefundOwner
    orders_read_to: datetime | None
    wallet_read_to: datetime | None
    source_lag: timedelta
    breaks: tuple[BreakFact, ...] = ()
    refunds: tuple[Refund, ...] = ()
    twins: tuple[Twin, ...] = ()
    told: frozenset[str] = frozenset()
    """Keys `template:kind` of the messages that exist already."""
    order_result: str = ""
    """Empty, or `<failed|success>:<pending|accepted|conflict|unsupported|unknown>` of what we told the server."""
    order_result_at: datetime | None = None
    complaint_state: str = ""
    """Empty, draft, sent, answered or closed: the complaint about this transaction."""
    complaint_sent_at: datetime | None = None
    case_number: str = ""
    vouchers: Mapping[BreakKind, tuple[str, int, datetime]] = field(default_factory=dict)
    """Voucher per break kind: code, amount, expiry."""
    staff_asked: frozenset[BreakKind] = frozenset()
    statement_lines: tuple[StatementLine, ...] = ()
    agent_balance: int | None = None
    """Newest known balance of the agent, or None when unknown or stale."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One transaction with its books, ready for the rules."""

    transaction: Transaction
    legs: tuple[Leg, ...]
    wallet_lines: tuple[WalletLine, ...]
    reports: tuple[StatusReport, ...]
    policy: Policy
    history: History
    providers: Mapping[str, ProviderRules]
    now: datetime

    @cached_property
    def verdicts(self) -> tuple[LegVerdict, ...]:
        """One verdict a leg, in leg order."""
        return tuple(self._verdict(leg) for leg in self.legs)

    def _verdict(self, leg: Leg) -> LegVerdict:
        mine = [r for r in self.reports if r.leg_key == leg.key]
        return judge_leg(
            leg,
            mine,
            rules=self.providers[leg.provider],
            policy=self.policy,
            credited_back=self.deposit_credit(leg) is not None,
        )

    @cached_property
    def attempts(self) -> tuple[LegVerdict, ...]:
        """Verdicts of the legs that left the server, or that a provider spoke about all the same."""
        return tuple(v for v in self.verdicts if not v.never_left)

    def deposit_lines(self, leg: Leg) -> tuple[StatementLine, ...]:
        """List the lines of the provider's statement about this leg."""
        return tuple(s for s in self.history.statement_lines if (s.provider, s.ref_id) == (leg.provider, leg.ref_id))

    def deposit_credit(self, leg: Leg) -> StatementLine | None:
        """Find the line that gave the whole charge of this leg back; a credit that leaves a charge standing is none."""
        lines = self.deposit_lines(leg)
        credit = next((s for s in lines if s.amount > 0), None)
        return credit if sum(s.amount for s in lines) >= 0 else None

    @cached_property
    def deposit_owed(self) -> Money:
        """What the providers' statements still charge for this purchase."""
        return Money(-sum(s.amount for leg in self.legs for s in self.deposit_lines(leg)))

    @property
    def at_stake(self) -> Money:
        """Money that somebody lacks if this purchase failed, by whose account was charged; 0 when nobody does."""
        account = self.transaction.charged_account
        if account is ChargedAccount.AGENT_WALLET:
            return Money(max(self.net, 0))
        if self.transaction.order_status is OrderStatus.REFUNDED:
            return Money(0)
        if account is ChargedAccount.PROVIDER_DEPOSIT and any(self.deposit_lines(leg) for leg in self.legs):
            return Money(max(self.deposit_owed, 0))
        return self.transaction.price

    @cached_property
    def own_lines(self) -> tuple[WalletLine, ...]:
        """Wallet lines that belong to the purchase itself: debits and refunds, gifts left out."""
        return tuple(
            line
            for line in self.wallet_lines
            if line.kind in _OWN_MONEY and not line.reference.startswith(VOUCHER_PREFIX)
        )

    @property
    def debits(self) -> tuple[WalletLine, ...]:
        """Lines that took money."""
        return tuple(line for line in self.own_lines if line.amount < 0)

    @property
    def credits(self) -> tuple[WalletLine, ...]:
        """Lines that gave money back."""
        return tuple(line for line in self.own_lines if line.amount > 0)

    @cached_property
    def net(self) -> Money:
        """Money still taken for this purchase: lines of the wallet, plus our own unsettled refunds as credits."""
        references = {line.reference for line in self.own_lines if line.reference}
        pending = sum(r.amount for r in self.history.refunds if r.state in COUNTS_AS_CREDIT and r.key not in references)
        return Money(-sum(line.amount for line in self.own_lines) - pending)

    @property
    def last_line_at(self) -> datetime | None:
        """When the wallet last moved for this purchase."""
        return max((line.posted_at for line in self.own_lines), default=None)

    @property
    def all_failed(self) -> bool:
        """Say whether every leg that left the server has a standing failure: none open, unknown or delivered (G5)."""
        return bool(self.attempts) and all(v.outcome is Outcome.FAILED for v in self.attempts)

    @property
    def delivered(self) -> LegVerdict | None:
        """The first leg the provider says was delivered."""
        return next((v for v in self.verdicts if v.outcome is Outcome.DELIVERED), None)

    def fresh_since(self, instant: datetime) -> bool:
        """Say whether both books were read past `instant` plus the source's lag (I25)."""
        marks = (self.history.orders_read_to, self.history.wallet_read_to)
        return all(mark is not None and mark >= instant + self.history.source_lag for mark in marks)

    def break_of(self, kind: BreakKind) -> BreakFact | None:
        """Find the break of this kind, whatever its state."""
        return next((b for b in self.history.breaks if b.kind is kind), None)

    def is_open(self, kind: BreakKind) -> bool:
        """Say whether a break of this kind is written down and not closed."""
        fact = self.break_of(kind)
        return fact is not None and fact.state in (BreakState.OPEN, BreakState.IN_REVIEW)

    def refunds_of(self, kind: BreakKind) -> Sequence[Refund]:
        """List our refunds of this kind."""
        return [r for r in self.history.refunds if r.break_kind is kind]

    def was_told(self, template: str, kind: BreakKind) -> bool:
        """Say whether this message exists already."""
        return f"{template}:{kind.value}" in self.history.told

    @property
    def is_recent(self) -> bool:
        """Say whether the order is young enough for an agent to care by message."""
        return self.now - self.transaction.ordered_at <= self.policy.told_within
