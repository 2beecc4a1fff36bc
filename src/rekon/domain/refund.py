"""The life of one refund (design 5)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rekon.domain.breaks import BreakKind
from rekon.domain.money import Money


class RefundState(StrEnum):
    """Where a refund stands."""

    REQUESTED = "requested"
    """A rule asks for it; its intent is not written yet."""
    AWAITING_APPROVAL = "awaiting_approval"
    """A person has to agree."""
    APPROVED = "approved"
    """A person agreed; the intent is not written yet."""
    REJECTED = "rejected"
    """A person refused."""
    SUBMITTED = "submitted"
    """The intent is committed; money may be on its way."""
    SETTLED = "settled"
    """The money is back, read in the wallet with our key."""
    FAILED = "failed"
    """The gateway said in plain words that nothing was paid."""
    UNKNOWN = "unknown"
    """Nobody knows; a person decides. Never sent again by itself."""


NEXT_REFUND_STATES: dict[RefundState, frozenset[RefundState]] = {
    RefundState.REQUESTED: frozenset(
        {RefundState.AWAITING_APPROVAL, RefundState.APPROVED, RefundState.SUBMITTED, RefundState.REJECTED}
    ),
    RefundState.AWAITING_APPROVAL: frozenset({RefundState.APPROVED, RefundState.REJECTED}),
    RefundState.APPROVED: frozenset({RefundState.SUBMITTED, RefundState.AWAITING_APPROVAL, RefundState.REJECTED}),
    RefundState.REJECTED: frozenset(),
    RefundState.SUBMITTED: frozenset({RefundState.SETTLED, RefundState.FAILED, RefundState.UNKNOWN}),
    RefundState.SETTLED: frozenset({RefundState.FAILED}),
    RefundState.FAILED: frozenset(),
    RefundState.UNKNOWN: frozenset({RefundState.SETTLED, RefundState.FAILED}),
}
"""SETTLED to FAILED is a gateway's later `returned`."""

COUNTS_AS_CREDIT = frozenset(RefundState) - {RefundState.REJECTED, RefundState.FAILED}
"""States in which a refund of ours already counts as money given back (design 2)."""


class IllegalMoveError(Exception):
    """A state machine was asked for a move it does not have. It is a defect, never an outside condition."""


def check_refund_move(before: RefundState, after: RefundState) -> None:
    """Allow only listed transitions (I8).

    Raises:
        IllegalMoveError: for any other move.
    """
    if after not in NEXT_REFUND_STATES[before]:
        text = f"a refund cannot go from {before} to {after}"
        raise IllegalMoveError(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money on its way back to whoever was charged."""

    key: str
    """The idempotency key, a pure function of business identity (I12)."""
    transaction_key: str
    break_kind: BreakKind
    sequence: int
    amount: Money
    state: RefundState
    settled_at: datetime | None = None


def refund_key(transaction: str, kind: BreakKind, sequence: int) -> str:
    """Build the idempotency key `refund:source:transaction:break:sequence`."""
    return f"refund:{transaction}:{kind.value}:{sequence}"


def voucher_key(code: str) -> str:
    """Build the idempotency key of a voucher's redemption."""
    return f"{VOUCHER_PREFIX}{code}"


VOUCHER_PREFIX = "voucher:"
"""Wallet lines whose reference starts so are gifts, never part of a transaction's own money."""


def result_key(transaction: str, status: str) -> str:
    """Build the idempotency key of telling a server how an order ended."""
    return f"result:{transaction}:{status}"
