"""Rows of the other books: agents and provider statements."""

from dataclasses import dataclass
from datetime import datetime

from rekon.domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A reseller with a balance at the operator."""

    agent_id: str
    name: str
    zone: str = "Asia/Jakarta"
    """IANA zone of his clock."""
    channel: str = ""
    """Channel he is told by; empty means the installation's default."""
    address: str = ""
    """Where that channel reaches him. Never written to a log."""
    registered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One line of a provider's statement. `amount` is signed: negative was charged to us."""

    provider: str
    account: str
    line_id: str
    posted_at: datetime
    ref_id: str
    amount: Money
    kind: str
    """charge, reversal, deposit or other; opening and closing are balances and move nothing."""
    balance_after: Money | None = None
