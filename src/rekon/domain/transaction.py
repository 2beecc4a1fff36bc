"""A customer's purchase and everything the three books say about it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rekon.domain.money import Money


class ChargedAccount(StrEnum):
    """Whose money paid for the purchase; it decides the remedy and who is told (design 2)."""

    AGENT_WALLET = "agent_wallet"
    """An agent's balance at the operator's server."""
    PROVIDER_DEPOSIT = "provider_deposit"
    """The operator himself, buying directly."""
    CASH = "cash"
    """A customer, in cash or QRIS."""


class OrderStatus(StrEnum):
    """What the server's order book says."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"
    REFUNDED = "refunded"

    @property
    def is_final(self) -> bool:
        """Say whether the server itself has closed the order."""
        return self is not OrderStatus.PENDING


class SendState(StrEnum):
    """Whether the server's own log says the request left for the provider."""

    SENT = "sent"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class LegState(StrEnum):
    """Whether rekon still asks about a leg."""

    OPEN = "open"
    """Still being checked; it has exactly one schedule row."""
    FINAL = "final"
    """The provider's last word is known; no more checks are planned."""
    STOPPED = "stopped"
    """Checks ended without a last word: the age guard, or a check that could buy (B30, I5)."""


class RefundOwner(StrEnum):
    """Who gives money back for failures at this source (design 2)."""

    REKON = "rekon"
    SERVER = "server"
    PROVIDER = "provider"
    MANUAL = "manual"


class WalletLineKind(StrEnum):
    """Kind of a wallet mutation."""

    DEBIT = "debit"
    REFUND = "refund"
    DEPOSIT = "deposit"
    TRANSFER = "transfer"
    FEE = "fee"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One airtime purchase as the server sold it. Instants are aware UTC."""

    key: str
    """`source:transaction_id`, the identity of the purchase everywhere in rekon."""
    source: str
    transaction_id: str
    agent_id: str
    charged_account: ChargedAccount
    ordered_at: datetime
    product: str
    family: str
    """pulsa, data, pln_token, ewallet, game, voucher, postpaid or other."""
    destination: str
    """The number as the server stored it. Never written to a log."""
    price: Money
    order_status: OrderStatus
    status_at: datetime
    """When the server's order last changed, as far as rekon saw."""
    face_value: Money | None = None
    serial_number: str | None = None
    channel: str = ""
    raw_order: str = ""
    repeat_counter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One attempt to buy at one provider. `key` is `<transaction key>#<leg_no>`."""

    key: str
    transaction_key: str
    leg_no: int
    provider: str
    provider_account: str
    ref_id: str
    provider_product: str
    destination_sent: str
    sent_at: datetime
    send_state: SendState
    send_count: int = 1
    testing: bool = False
    max_price: Money | None = None
    allow_dot: bool = False
    cb_url: str = ""
    first_reply: str | None = None
    """The provider's raw answer to the server's purchase call, if the server kept it."""
    state: LegState = LegState.OPEN
    checks_done: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletLine:
    """One mutation of an agent's wallet. `amount` is signed: negative takes money from the agent."""

    key: str
    """`source:line_id`."""
    source: str
    agent_id: str
    posted_at: datetime
    amount: Money
    kind: WalletLineKind
    transaction_id: str | None
    balance_after: Money | None = None
    reference: str = ""
    sequence: int | None = None


def transaction_key(source: str, transaction_id: str) -> str:
    """Build the identity of a purchase."""
    return f"{source}:{transaction_id}"


def leg_key(transaction: str, leg_no: int) -> str:
    """Build the identity of a leg from its transaction's key."""
    return f"{transaction}#{leg_no}"
