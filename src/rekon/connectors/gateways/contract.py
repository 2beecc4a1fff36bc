"""What every gateway promises: how money goes back, and how rekon learns whether it did (design 5).

A payment is told once per call and never repeated by a gateway itself. Whatever is not exactly the answer expected is
UNKNOWN; the caller looks it up by key before it does anything else (I7, I11).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

from rekon.domain.money import Money


class GatewayClass(StrEnum):
    """How safely a gateway can be told the same thing twice (reliability 4.3)."""

    G0 = "G0"
    """Neither look-up nor idempotency: send once, anything unclear goes to a person."""
    G1 = "G1"
    """Look-up by our key: always asked before it is told again."""
    G2 = "G2"
    """Idempotent by our key within a window."""


class PayState(StrEnum):
    """What a gateway said about one refund."""

    SUCCEEDED = "succeeded"
    """Paid: agent and amount are the ones asked for."""
    PENDING = "pending"
    """Accepted, not paid yet; a later look-up tells."""
    FAILED = "failed"
    """Said in plain words that nothing was paid."""
    RETURNED = "returned"
    """Paid earlier and taken back since. Only a look-up says so."""
    UNKNOWN = "unknown"
    """Nothing can be concluded. Never the same as failed."""
    NOT_FOUND = "not_found"
    """The gateway does not know the key. Only a look-up says so."""


class ResultState(StrEnum):
    """What a server said when told how an order ended."""

    ACCEPTED = "accepted"
    """The order now stands as we told."""
    CONFLICT = "conflict"
    """It was final otherwise already: pay nothing, read the books again."""
    UNSUPPORTED = "unsupported"
    """This server cannot be told; a person tells it."""
    UNKNOWN = "unknown"
    """Nothing can be concluded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """One refund as a gateway is told it. The same order always becomes the same bytes."""

    key: str
    """The idempotency key, committed before the call."""
    refund_id: str
    agent_id: str
    transaction_id: str
    amount: Money
    reason: str
    """For the server's own records; holds no customer number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayAnswer:
    """What came back about one refund. `note` is Indonesian, for staff, and holds nothing of the reply's text."""

    state: PayState
    gateway_ref: str = ""
    agent_id: str | None = None
    amount: Money | None = None
    note: str = ""
    retry_after_seconds: int | None = None
    """The gateway asked to wait this long, 1 second to 1 hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResult:
    """How an order ended, as the server is told it."""

    transaction_id: str
    key: str
    status: Literal["failed", "success"]
    serial_number: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultAnswer:
    """What the server said. `server_status` is its own word for the order, empty when it gave none."""

    state: ResultState
    server_status: str = ""
    note: str = ""
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletRead:
    """A live read of one transaction's wallet lines, complete up to `as_of` (aware UTC).

    `rows` are raw: `intake.parse_wallet_line` judges them. Instants without an offset are in the source's zone.
    """

    as_of: datetime
    rows: list[dict[str, object]]


class WalletUnreadableError(Exception):
    """A live read of the wallet gave nothing to rely on. Pay nothing; try again later or ask a person.

    `is_unsupported` says that this gateway has no live read at all. `note` is Indonesian, for staff.
    """

    def __init__(self, note: str, *, is_unsupported: bool = False, retry_after_seconds: int | None = None) -> None:
        super().__init__("the wallet could not be read")
        self.note = note
        self.is_unsupported = is_unsupported
        self.retry_after_seconds = retry_after_seconds


class Gateway(Protocol):
    """A way for money to go back. None of these calls may run inside a unit of work."""

    @property
    def name(self) -> str:
        """Name of the gateway in the configuration."""
        ...

    @property
    def gateway_class(self) -> GatewayClass:
        """How safely it can be told twice."""
        ...

    @property
    def window_seconds(self) -> int:
        """How long a G2 gateway remembers a key."""
        ...

    async def pay(self, order: RefundOrder) -> PayAnswer:
        """Tell the gateway to pay, once. Never raises for anything the outside does."""
        ...

    async def find(self, order: RefundOrder) -> PayAnswer:
        """Ask what became of the order's key. Never raises for anything the outside does."""
        ...

    async def report_result(self, result: OrderResult) -> ResultAnswer:
        """Tell the server how an order ended. Never raises for anything the outside does."""
        ...

    async def read_wallet(self, transaction_id: str) -> WalletRead:
        """Read the wallet lines of one transaction now.

        Raises:
            WalletUnreadableError: nothing can be relied on.
        """
        ...


@runtime_checkable
class ManyAtOnce(Protocol):
    """What a gateway may offer beside its other calls: many refunds in one call, each as if it were told alone."""

    async def pay_many(self, orders: Sequence[RefundOrder]) -> list[PayAnswer]:
        """Tell the gateway to pay each order once; the answers come in the same order."""
        ...

    async def read_wallets(self, transaction_ids: Sequence[str]) -> Mapping[str, WalletRead]:
        """Read the wallet lines of these transactions now, by transaction; one that is missing could not be read."""
        ...
