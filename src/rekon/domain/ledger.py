"""Journal entries: two or more postings that balance, and what each event of rekon's life posts.

Clearing accounts return to zero: `refunds_in_transit` once money arrived, `voucher_liability` once vouchers are used.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

_POSTINGS_MIN = 2


class Side(StrEnum):
    """The side of a posting."""

    DEBIT = "debit"
    CREDIT = "credit"


class UnbalancedError(ValueError):
    """Debits and credits differ, or an amount is not a positive whole rupiah. A defect, never an outside condition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A positive amount on one side of one account."""

    account: str
    side: Side
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event in money. `event` is unique and names business identity; `reverses` names the event it takes back."""

    event: str
    description: str
    occurred_at: datetime
    postings: tuple[Posting, ...]
    reverses: str | None = None

    def __post_init__(self) -> None:
        """Refuse an entry that does not balance (I2, I3)."""
        if len(self.postings) < _POSTINGS_MIN or any(type(p.amount) is not int or p.amount <= 0 for p in self.postings):
            text = f"{self.event}: an entry needs two or more positive whole amounts"
            raise UnbalancedError(text)
        total = sum(p.amount if p.side is Side.DEBIT else -p.amount for p in self.postings)
        if total:
            text = f"{self.event}: debits and credits differ by {total}"
            raise UnbalancedError(text)


def move(
    event: str,
    description: str,
    *,
    debit: str,
    credit: str,
    amount: int,
    occurred_at: datetime,
    reverses: str | None = None,
) -> Entry:
    """Build the usual entry of two postings."""
    postings = (
        Posting(account=debit, side=Side.DEBIT, amount=amount),
        Posting(account=credit, side=Side.CREDIT, amount=amount),
    )
    return Entry(event=event, description=description, occurred_at=occurred_at, postings=postings, reverses=reverses)


def refund_submitted(key: str, *, provider: str, amount: int, at: datetime) -> Entry:
    """Money leaves towards the agent; what the provider owes for it is recoverable."""
    account = f"recoverable:{provider}" if provider else "own_errors"
    return move(
        f"{key}:submitted",
        "refund submitted",
        debit=account,
        credit="refunds_in_transit",
        amount=amount,
        occurred_at=at,
    )


def refund_settled(key: str, *, amount: int, at: datetime) -> Entry:
    """The agent has it."""
    return move(
        f"{key}:settled",
        "refund settled",
        debit="refunds_in_transit",
        credit="customer_funds",
        amount=amount,
        occurred_at=at,
    )


def refund_failed(key: str, *, provider: str, amount: int, at: datetime) -> Entry:
    """The gateway paid nothing: take the submission back by a new entry."""
    account = f"recoverable:{provider}" if provider else "own_errors"
    event = f"{key}:submitted"
    return move(
        f"{key}:failed",
        "refund failed",
        debit="refunds_in_transit",
        credit=account,
        amount=amount,
        occurred_at=at,
        reverses=event,
    )


def refund_returned(key: str, *, amount: int, at: datetime) -> Entry:
    """A settled refund came back days later."""
    event = f"{key}:settled"
    return move(
        f"{key}:returned",
        "refund returned",
        debit="customer_funds",
        credit="refunds_in_transit",
        amount=amount,
        occurred_at=at,
        reverses=event,
    )


def voucher_issued(code: str, *, amount: int, at: datetime) -> Entry:
    """A promise to the agent."""
    return move(
        f"voucher:{code}:issued",
        "voucher issued",
        debit="compensation_promised",
        credit="voucher_liability",
        amount=amount,
        occurred_at=at,
    )


def voucher_redeemed(code: str, *, amount: int, at: datetime) -> tuple[Entry, Entry]:
    """The promise is kept: liability becomes cost."""
    paid = move(
        f"voucher:{code}:paid",
        "voucher paid",
        debit="voucher_liability",
        credit="customer_funds",
        amount=amount,
        occurred_at=at,
    )
    cost = move(
        f"voucher:{code}:cost",
        "voucher cost",
        debit="compensation_cost",
        credit="compensation_promised",
        amount=amount,
        occurred_at=at,
    )
    return paid, cost


def voucher_expired(code: str, *, amount: int, at: datetime) -> Entry:
    """Nobody used it."""
    return move(
        f"voucher:{code}:expired",
        "voucher expired",
        debit="voucher_liability",
        credit="compensation_promised",
        amount=amount,
        occurred_at=at,
    )
