"""Build the status question, and refuse the one that could buy (I5, reliability 4.1, G1, G2).

Pure: no network, no clock. For a provider whose check is the purchase sent again, every doubt is a refusal; the caller
then asks the server to re-send, or a person.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlencode

from rekon.connectors.providers.account import ProviderAccount
from rekon.connectors.providers.definition import Definition
from rekon.connectors.providers.parts import Field
from rekon.connectors.providers.reading import proves_formed
from rekon.connectors.providers.signing import fill, sign
from rekon.domain.outcome import Reading
from rekon.domain.policy import CheckKind
from rekon.domain.transaction import Leg, LegState, SendState

SKEW_SECONDS_MAX = 60.0
SKEW_AGE_MAX = timedelta(minutes=10)
_AHEAD_MAX = timedelta(seconds=60)
_TRUE = "true"


class Unsafe(StrEnum):
    """Why a question was not sent."""

    WRONG_PROVIDER = "wrong_provider"
    WRONG_ACCOUNT = "wrong_account"
    TOO_OLD = "too_old"
    """Older than the provider's limit by the later of now and the high-water mark (G1)."""
    AHEAD_OF_CLOCK = "ahead_of_clock"
    """Sent in the future: one of the two clocks is wrong."""
    NO_PROOF = "no_proof"
    """Nothing proves that the provider holds this purchase."""
    NOT_FORMED = "not_formed"
    """The first reply does not prove it, and no signed callback does."""
    NEVER_SENT = "never_sent"
    STOPPED = "stopped"
    CHECK_FORBIDDEN = "check_forbidden"
    """A code heard on a check forbids every further one."""
    OTHER_CREDENTIALS = "other_credentials"
    OTHER_MODE = "other_mode"
    RESTORED_BOOKS = "restored_books"
    CLOCK_UNKNOWN = "clock_unknown"
    """The provider's clock was never read, or more than ten minutes ago: ask for the balance first."""
    CLOCK_SKEW = "clock_skew"
    TOO_SOON = "too_soon"
    IN_FLIGHT = "in_flight"


class UnsafeInquiryError(Exception):
    """A status question was refused before any byte left. `reason` is one word of `Unsafe`."""

    def __init__(self, reason: Unsafe) -> None:
        self.reason = reason
        super().__init__(f"status inquiry refused: {reason.value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckProof:
    """What the caller knows about a leg that must not be bought twice. Every field is needed: a guess is no proof."""

    first_reply: Reading | None
    """The stored first reply, read for this leg with `ReportSource.FIRST_REPLY`."""
    signed_callback: bool
    """A signed callback about this leg exists for which `reading.proves_formed` holds."""
    check_codes: tuple[str, ...]
    """Raw codes of every earlier check of this leg."""
    account_matches: bool
    generation_matches: bool
    """The credentials are those of the purchase."""
    testing_matches: bool
    restored_epoch: bool
    """The books came back from a backup and are not reconciled yet."""
    skew_seconds: float | None
    """Our clock minus the provider's, from the newest `Date` of any reply."""
    skew_read_at: datetime | None
    high_water_mark: datetime
    """The latest instant the books have seen; age never goes back behind it."""
    last_sent_at: datetime
    """The server's own last send of this reference."""
    last_checked_at: datetime | None
    """Our own last re-send, None when there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InquiryRequest:
    """One call, ready to leave. `path` is below the account's address; numbers and secrets stay out of the repr."""

    method: str
    path: str
    query: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


def build_inquiry(
    definition: Definition, *, account: ProviderAccount, leg: Leg, now: datetime, proof: CheckProof | None
) -> InquiryRequest:
    """Build the status question for a leg. `proof` may be None where the check only reads.

    Raises:
        UnsafeInquiryError: when it could buy, or could ask the wrong account (I5).
    """
    reason = find_danger(definition, account=account, leg=leg, now=now, proof=proof)
    if reason is not None:
        raise UnsafeInquiryError(reason)
    call = definition.inquiry
    values = {**account.credentials, **_leg_values(leg)}
    return _request(definition, method=call.method, path=call.path, fields=call.fields, recipe=call.sign, values=values)


def build_balance(definition: Definition, *, account: ProviderAccount) -> InquiryRequest:
    """Build the question for the deposit balance. It never buys and names no purchase."""
    call = definition.balance
    values = {**account.credentials}
    return _request(definition, method=call.method, path=call.path, fields=call.fields, recipe=call.sign, values=values)


def find_danger(
    definition: Definition, *, account: ProviderAccount, leg: Leg, now: datetime, proof: CheckProof | None
) -> Unsafe | None:
    """Say why a leg must not be asked about now, None when it may."""
    if leg.provider != definition.name or account.provider != definition.name:
        return Unsafe.WRONG_PROVIDER
    if leg.provider_account != account.name:
        return Unsafe.WRONG_ACCOUNT
    latest = max(now, proof.high_water_mark) if proof else now
    if latest - leg.sent_at > timedelta(days=definition.inquiry.max_age_days):
        return Unsafe.TOO_OLD
    if proof is not None and _is_forbidden(definition, proof):
        return Unsafe.CHECK_FORBIDDEN
    if definition.inquiry.kind is CheckKind.READ_ONLY:
        return None
    if proof is None:
        return Unsafe.NO_PROOF
    return (
        _purchase_danger(definition, leg=leg, proof=proof)
        or _identity_danger(proof)
        or _clock_danger(leg=leg, proof=proof, now=now)
        or _interval_danger(definition, proof=proof, now=now)
    )


def _is_forbidden(definition: Definition, proof: CheckProof) -> bool:
    rows = (definition.find_row(code) for code in proof.check_codes)
    return any(row is not None and row.stops_checks for row in rows)


def _purchase_danger(definition: Definition, *, leg: Leg, proof: CheckProof) -> Unsafe | None:
    """Ask whether the provider certainly holds this purchase."""
    # Equality, not identity: a row read elsewhere may carry the plain word.
    if leg.send_state == SendState.NOT_SENT or leg.send_count < 1:
        return Unsafe.NEVER_SENT
    if leg.state == LegState.STOPPED:
        return Unsafe.STOPPED
    if proof.signed_callback or proves_formed(definition, proof.first_reply):
        return None
    return Unsafe.NO_PROOF if proof.first_reply is None else Unsafe.NOT_FORMED


def _identity_danger(proof: CheckProof) -> Unsafe | None:
    """Ask whether we would send it as the one who bought."""
    if not proof.account_matches:
        return Unsafe.WRONG_ACCOUNT
    if not proof.generation_matches:
        return Unsafe.OTHER_CREDENTIALS
    if not proof.testing_matches:
        return Unsafe.OTHER_MODE
    return Unsafe.RESTORED_BOOKS if proof.restored_epoch else None


def _clock_danger(*, leg: Leg, proof: CheckProof, now: datetime) -> Unsafe | None:
    """Ask whether the age can be trusted. A skew that is not a number is no skew."""
    latest = max(now, proof.high_water_mark)
    if leg.sent_at - latest > _AHEAD_MAX:
        return Unsafe.AHEAD_OF_CLOCK
    if proof.skew_seconds is None or proof.skew_read_at is None:
        return Unsafe.CLOCK_UNKNOWN
    if not -_AHEAD_MAX <= latest - proof.skew_read_at <= SKEW_AGE_MAX:
        return Unsafe.CLOCK_UNKNOWN
    return None if abs(proof.skew_seconds) <= SKEW_SECONDS_MAX else Unsafe.CLOCK_SKEW


def _interval_danger(definition: Definition, *, proof: CheckProof, now: datetime) -> Unsafe | None:
    """Ask whether both sends are long enough ago. Measured by now alone: a clock that jumped buys no time."""
    call = definition.inquiry
    if now - proof.last_sent_at < timedelta(seconds=call.after_send_seconds):
        return Unsafe.TOO_SOON
    if proof.last_checked_at is None:
        return None
    return Unsafe.TOO_SOON if now - proof.last_checked_at < timedelta(seconds=call.min_interval_seconds) else None


def _leg_values(leg: Leg) -> dict[str, str]:
    return {
        "ref_id": leg.ref_id,
        "product": leg.provider_product,
        "destination": leg.destination_sent,
        "testing": _TRUE if leg.testing else "",
        "max_price": "" if leg.max_price is None else str(leg.max_price),
        "allow_dot": _TRUE if leg.allow_dot else "",
        "cb_url": leg.cb_url,
    }


def _request(
    definition: Definition,
    *,
    method: str,
    path: str,
    fields: tuple[Field, ...],
    recipe: str,
    values: dict[str, str],
) -> InquiryRequest:
    """Write the canonical form: the definition's fields in its order, so that the same leg gives the same bytes."""
    if recipe:
        values["sign"] = sign(definition.signing[recipe], values)
    filled = [(item, fill(item.value, values)) for item in fields]
    kept = [(item, value) for item, value in filled if value or not item.omit_empty]
    if method == "GET":
        return InquiryRequest(method=method, path=path, query=urlencode([(item.name, value) for item, value in kept]))
    if definition.dialect == "json":
        text = json.dumps({item.name: _typed(item, value) for item, value in kept}, separators=(",", ":"))
        return _post(path, text, content_type="application/json")
    form = urlencode([(item.name, value) for item, value in kept])
    return _post(path, form, content_type="application/x-www-form-urlencoded")


def _post(path: str, text: str, *, content_type: str) -> InquiryRequest:
    return InquiryRequest(method="POST", path=path, headers={"content-type": content_type}, body=text.encode())


def _typed(item: Field, value: str) -> str | int | bool:
    if item.type == "whole":
        return int(value)
    return value == _TRUE if item.type == "flag" else value
