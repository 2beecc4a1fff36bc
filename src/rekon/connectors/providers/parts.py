"""The tables a provider definition is made of. Each class is the schema of one table of `provider.toml`.

Patterns ignore case. Templates hold `{name}` or `{name:upper}`; the names are the account's credentials and the leg's
`ref_id`, `product`, `destination`, `testing`, `max_price`, `allow_dot`, `cb_url`, and `sign` for the call's signature.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Literal

from rekon.domain.outcome import FailureClass, Outcome
from rekon.domain.policy import CheckKind

RESEND_AGE_DAYS_MAX = 80
RESEND_INTERVAL_SECONDS_MIN = 60
RESEND_AFTER_SEND_SECONDS_MIN = 90
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_MINUTES = 60


class Reason(StrEnum):
    """Keys of the plain-language reason dictionary."""

    BUSY = "busy"
    MAINTENANCE = "maintenance"
    OPERATOR_TROUBLE = "operator_trouble"
    OUT_OF_STOCK = "out_of_stock"
    WRONG_PREFIX = "wrong_prefix"
    WRONG_NUMBER = "wrong_number"
    BLOCKED_NUMBER = "blocked_number"
    OUTSIDE_AREA = "outside_area"
    BILL_UNAVAILABLE = "bill_unavailable"
    OTHER_PACKAGE = "other_package"
    LIMIT_REACHED = "limit_reached"
    CANCELLED_BY_PROVIDER = "cancelled_by_provider"
    OUR_ACCOUNT = "our_account"
    PRICE_CHANGING = "price_changing"
    UNKNOWN = "unknown"


class Meaning(StrEnum):
    """What one raw code means: an outcome, and for failures how much it proves (design 6)."""

    DELIVERED = "delivered"
    PENDING = "pending"
    REVERSED = "reversed"
    PARTIAL = "partial"
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"
    NEVER_FORMED = "never_formed"
    DEFINITE = "definite"
    SOFT = "soft"
    TIMEOUT_LIKE = "timeout_like"
    CHECK_ERROR = "check_error"

    @property
    def failure_class(self) -> FailureClass | None:
        """Return the failure class, None where nothing failed. A check error is about the check alone."""
        return FailureClass(self.value) if self in _FAILURES else None

    @property
    def outcome(self) -> Outcome:
        """Return the outcome for the leg. A check error says nothing about the purchase: UNKNOWN."""
        if self is Meaning.CHECK_ERROR:
            return Outcome.UNKNOWN
        return Outcome.FAILED if self in _FAILURES else Outcome(self.value)


_FAILURES = frozenset(
    {Meaning.NEVER_FORMED, Meaning.DEFINITE, Meaning.SOFT, Meaning.TIMEOUT_LIKE, Meaning.CHECK_ERROR},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host rekon may connect to for this provider."""

    name: str
    allow_http: bool = False
    """Plain http, as OtomaX servers and the sandbox have it."""
    allow_private: bool = False
    """Loopback, private and link-local addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a signature is made: templates joined, digested, encoded. MD5 and SHA-1 are the providers' choice."""

    parts: tuple[str, ...]
    digest: Literal["md5", "sha1"] = "md5"
    encoding: Literal["hex", "base64url", "base64_of_hex"] = "hex"
    """`base64url` is without padding; `base64_of_hex` encodes the hex text, as some OtomaX clones do."""
    separator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a request, in the order in which it is sent."""

    name: str
    value: str
    type: Literal["text", "whole", "flag"] = "text"
    """How it stands in JSON: a text, a whole number, or true/false."""
    omit_empty: bool = False
    """Leave the field out where the leg has no value, or the flag is false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """The status question."""

    kind: CheckKind
    """`read_only` cannot buy; `resend` is the purchase sent again and guarded (reliability 4.1)."""
    method: Literal["GET", "POST"]
    path: str
    fields: tuple[Field, ...]
    sign: str = ""
    """Name of the signing recipe."""
    read_only_field: str = ""
    """The constant field without which this call would buy, e.g. OtomaX `check`."""
    min_interval_seconds: int = RESEND_INTERVAL_SECONDS_MIN
    after_send_seconds: int = RESEND_AFTER_SEND_SECONDS_MIN
    """Wait after the server's own last send before a re-send."""
    max_age_days: int = RESEND_AGE_DAYS_MAX

    def __post_init__(self) -> None:
        if self.read_only_field and not any(f.name == self.read_only_field and "{" not in f.value for f in self.fields):
            text = f"read_only_field {self.read_only_field!r} is not a field with a constant value"
            raise ValueError(text)
        if min(self.min_interval_seconds, self.after_send_seconds, self.max_age_days) < 1:
            text = "min_interval_seconds, after_send_seconds and max_age_days are at least 1"
            raise ValueError(text)
        if self.kind is CheckKind.RESEND:
            self._check_resend()

    def _check_resend(self) -> None:
        rules = (
            (self.max_age_days <= RESEND_AGE_DAYS_MAX, f"max_age_days is at most {RESEND_AGE_DAYS_MAX}"),
            (
                self.min_interval_seconds >= RESEND_INTERVAL_SECONDS_MIN,
                f"min_interval_seconds is at least {RESEND_INTERVAL_SECONDS_MIN}",
            ),
            (
                self.after_send_seconds >= RESEND_AFTER_SEND_SECONDS_MIN,
                f"after_send_seconds is at least {RESEND_AFTER_SEND_SECONDS_MIN}",
            ),
        )
        for holds, text in rules:
            if not holds:
                raise ValueError(text + " where kind is resend")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How hard this provider may be asked."""

    per_second: float
    concurrency: int

    def __post_init__(self) -> None:
        if self.per_second <= 0 or self.concurrency < 1:
            text = "per_second is above 0 and concurrency at least 1"
            raise ValueError(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Words in a provider's free text that must not disagree with its code. Whole words, case ignored."""

    delivered: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Where things stand in a reply. Several names mean: each one present must agree."""

    content_types: tuple[str, ...]
    envelope: str = ""
    status: str = ""
    status_type: Literal["text", "whole"] = "text"
    code: str = ""
    message: str = ""
    serial_number: str = ""
    price: str = ""
    balance: str = ""
    reference: tuple[str, ...] = ()
    number: tuple[str, ...] = ()
    product: tuple[str, ...] = ()
    required: tuple[Literal["reference", "number", "product"], ...] = ("reference", "number", "product")
    """What a reply must name before a verdict about the purchase is accepted."""
    contacts: Mapping[str, str] = field(default_factory=dict)
    """Kind of complaint contact → field, e.g. `wa = "wa"`."""
    words: Words = field(default_factory=Words)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRow:
    """One raw code and what it means, as the first reply to the purchase and as the answer to a check."""

    as_first_reply: Meaning
    as_check: Meaning
    """Also for callbacks: they are not the first reply either."""
    status: str = ""
    """The status word that comes with the code; another one is a contradiction."""
    formed: bool = True
    """Whether the provider holds a purchase after saying this (its column "Transaksi Terbentuk")."""
    stops_checks: bool = False
    """After this code on a check the reference is never checked again: the check would buy."""
    reason: Reason | None = None
    retry_after_seconds: int | None = None
    says: str = ""
    """The provider's own words, for the reader of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRule:
    """One rule of the order-sensitive classifier; the first pattern found decides."""

    key: str
    """The raw code under which a match is stored."""
    pattern: re.Pattern[str]
    as_first_reply: Meaning
    as_check: Meaning
    formed: bool = True
    stops_checks: bool = False
    generic: bool = False
    """The rule knows only the direction: a state number in the same reply may say more."""
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReason:
    """Why a failure happened, read from the words of the reply."""

    pattern: re.Pattern[str]
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """How a plain-text reply is taken apart. Groups: `serial`, `reference`, `product`, `number`, `amount`."""

    serial: re.Pattern[str]
    """The serial number with its mark; names and notes live in it, so nothing in it is ever classified."""
    mark: re.Pattern[str]
    """Where the serial number begins; only what stands before it is classified."""
    rules: tuple[TextRule, ...]
    reference: tuple[re.Pattern[str], ...]
    identity: tuple[re.Pattern[str], ...]
    """Patterns with `number` and, where it is named, `product`."""
    price: tuple[re.Pattern[str], ...] = ()
    balance: tuple[re.Pattern[str], ...] = ()
    reasons: tuple[TextReason, ...] = ()
    embedded: re.Pattern[str] | None = None
    """A reply shaped like a query string, with the groups `state` and `message`."""
    characters_max: int = 4000

    def __post_init__(self) -> None:
        needs = [("serial", self.serial, "serial")]
        needs += [("reference", pattern, "reference") for pattern in self.reference]
        needs += [("identity", pattern, "number") for pattern in self.identity]
        needs += [("price", pattern, "amount") for pattern in self.price]
        needs += [("balance", pattern, "amount") for pattern in self.balance]
        for key, pattern, group in needs:
            if group not in pattern.groupindex:
                text = f"{key}: the pattern has no group {group!r}"
                raise ValueError(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """How the provider calls back and what its word is worth."""

    method: Literal["GET", "POST"]
    verification: Literal["hmac_sha1", "body_sign", "none"]
    body_signed: bool = False
    header: str = ""
    prefix: str = ""
    sign: str = ""
    """Signing recipe of `body_sign`."""
    sign_field: str = ""
    values: Literal["typed", "texts"] = "typed"
    """`texts`: every value of the callback is a string, numbers too."""
    ping: tuple[str, ...] = ()
    """Top-level keys that mark a test call."""
    reference: str = ""
    state: str = ""
    price: str = ""
    message: str = ""
    """Field names of a GET callback."""

    def __post_init__(self) -> None:
        if self.body_signed is not (self.verification == "hmac_sha1"):
            text = "body_signed is true exactly where verification is hmac_sha1"
            raise ValueError(text)
        needs = {"hmac_sha1": ("header",), "body_sign": ("sign", "sign_field"), "none": ()}[self.verification]
        for name in (*needs, *(("reference", "message") if self.method == "GET" else ())):
            if not getattr(self, name):
                text = f"key {name!r} is missing"
                raise ValueError(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The question for the deposit balance; it never buys."""

    method: Literal["GET", "POST"]
    path: str
    fields: tuple[Field, ...]
    sign: str = ""
    amount: str = ""
    """Field of the reply that holds the balance."""
    pattern: re.Pattern[str] | None = None
    """Plain text: the pattern with the group `amount`."""

    def __post_init__(self) -> None:
        if bool(self.amount) is bool(self.pattern):
            text = "give either amount or pattern"
            raise ValueError(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """Where and how long the provider takes complaints."""

    channel: Literal["reply_contact", "email", "phone", "text_command", "chat"]
    window_hours: int = 72
    address: str = ""
    command: str = ""
    """Template of a text command, where the centre understands one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOffWindow:
    """A daily maintenance window, `HH:MM` in WIB; `end` before `start` passes midnight."""

    start: str
    end: str
    families: tuple[str, ...] = ()
    """Empty means every family."""

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            if not _CLOCK.fullmatch(getattr(self, name)):
                text = f"{name} is not a time of day like 23:00"
                raise ValueError(text)

    @property
    def minutes(self) -> tuple[int, int]:
        """Return start and end as minutes after midnight, WIB."""
        return _minutes(self.start), _minutes(self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serial:
    """What this provider's serial numbers are."""

    kind: Literal["operator", "internal", "mixed"]
    """`operator`: the customer can check it; `internal`: the provider's own number."""
    blank: tuple[str, ...] = ("", "-", "0")
    """Spellings of "no serial number"."""
    token_digits: int = 20
    token_families: tuple[str, ...] = ("pln_token",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the facts of a definition come from and when they were last compared."""

    documents: tuple[str, ...]
    checked_on: date


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * _MINUTES + int(minutes)
