"""What a provider said (`StatusReport`) and what it means (`Outcome`, `FailureClass`)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Outcome(StrEnum):
    """What a provider's word means for one leg. Unknown is never failed (I7)."""

    DELIVERED = "delivered"
    """The provider says the customer was served."""
    FAILED = "failed"
    """The provider says, in words its table maps, that the customer was not served."""
    PENDING = "pending"
    """The provider is still working on it."""
    REVERSED = "reversed"
    """The provider took an earlier success back and returned our float."""
    PARTIAL = "partial"
    """Only a part was delivered; a person decides."""
    NOT_FOUND = "not_found"
    """The provider does not know this reference. Never the same as failed."""
    UNKNOWN = "unknown"
    """No verdict can be read from the reply."""


class FailureClass(StrEnum):
    """How much a failure proves, and so which readings and hold it needs (design 6)."""

    NEVER_FORMED = "never_formed"
    """The first reply to the only send says that nothing was created."""
    DEFINITE = "definite"
    """A failure that does not turn into a success later."""
    SOFT = "soft"
    """A failure that sometimes turns into a success minutes later."""
    TIMEOUT_LIKE = "timeout_like"
    """The provider gave up waiting; the operator may still deliver."""
    CHECK_ERROR = "check_error"
    """The check itself failed and says nothing about the purchase."""


class ReportSource(StrEnum):
    """Where a status report came from."""

    FIRST_REPLY = "first_reply"
    """The provider's answer to the server's own purchase call."""
    INQUIRY = "inquiry"
    """The answer to a status inquiry of ours."""
    CALLBACK = "callback"
    """A callback; a reading only when its body is signed."""
    STATEMENT = "statement"
    """A line of the provider's statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a dialect read from one reply, before it is tied to a stored leg.

    `about_this_leg` is false when the reply names another reference, number or product; such a reading carries UNKNOWN.
    `price` and `balance` are exact decimals as the provider wrote them, or None. `raw_code` is the provider's own word.
    """

    outcome: Outcome
    failure_class: FailureClass | None = None
    raw_code: str = ""
    reason: str = ""
    """Key of the plain-language reason dictionary, e.g. `wrong_number`; empty when there is none."""
    serial_number: str | None = None
    price: Decimal | None = None
    balance: Decimal | None = None
    about_this_leg: bool = True
    contradiction: bool = False
    """Two of status, code and text disagree (B21)."""
    note: str = ""
    """Why the reply could not be read, for staff. Never holds a customer's number."""
    contacts: tuple[str, ...] = ()
    """Complaint contacts the reply carried, e.g. `wa:0812…`, `tele:@name`."""
    retry_after_seconds: int | None = None
    """The provider asked to wait this long before the next call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """One stored word of a provider about one leg. Append-only evidence."""

    report_id: str
    leg_key: str
    source: ReportSource
    outcome: Outcome
    failure_class: FailureClass | None
    raw_code: str
    reason: str
    serial_number: str | None
    price: Decimal | None
    balance: Decimal | None
    received_at: datetime
    """Aware UTC instant at which rekon received it (for a first reply: `sent_at` of the leg)."""
    body_signed: bool = False
    contradiction: bool = False
    about_this_leg: bool = True

    @property
    def is_reading(self) -> bool:
        """Say whether this report counts as a reading (design 6): an unsigned callback never does."""
        return self.source is not ReportSource.CALLBACK or self.body_signed
