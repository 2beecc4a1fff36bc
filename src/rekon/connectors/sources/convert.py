"""Turning a server's own values into rekon's words: exactly, or left as they are so that intake refuses them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from urllib.parse import parse_qsl

Convert = Callable[[object], object]

INSTANT_FIELDS = frozenset({"ordered_at", "status_at", "sent_at", "posted_at", "registered_at"})
_OUR_KEY = re.compile(r"(?:refund|voucher):[^\s]+")
_REFUND_KEY = re.compile(r"refund:[^:\s]+:(?P<transaction>\S+):B[0-9]{2}:[0-9]+")
_PIN = re.compile(r"\.(?:[0-9]{4,8}(?![0-9])|[0-9A-Za-z]{4,12}(?=\s*(?:#|$)))")
_INSTANT_MIN_LENGTH = len("2026-11-22 10:15")
_KEEP = "keep"
_REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A word of the server that no map lists. It is never guessed: intake refuses it and the row is quarantined."""

    word: str

    def __str__(self) -> str:
        """Give the server's own word, for whoever looks at the quarantined row."""
        return self.word


@dataclass(frozen=True, slots=True)
class WordMap:
    """A complete table from the server's words to ours. NULL is the empty word."""

    values: Mapping[str, str]
    otherwise: str = _REFUSE
    """`refuse`, `keep` (the server's word itself), or `=word` for one word for all the rest."""

    def __call__(self, value: object) -> object:
        """Translate one value."""
        word = "" if value is None else str(exact(value)).strip()
        found = self.values.get(word)
        if found is not None:
            return found
        if self.otherwise == _KEEP:
            return word
        return self.otherwise[1:] if self.otherwise.startswith("=") else Unmapped(word)


def exact(value: object) -> object:
    """Turn a whole float or decimal into its integer, exactly; a fraction stays as it is and is refused by intake."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else value
    return value


def whole_or_none(value: object) -> object:
    """Turn a whole value into its integer and leave a broken one out: for balances, which move no money themselves."""
    found = exact(value)
    return None if isinstance(found, float | Decimal) else found


def digits(value: object) -> object:
    """Write an integer key of the server as text."""
    found = exact(value)
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else value


def trimmed(value: object) -> object:
    """Take the padding off fixed-width text."""
    return value.strip() if isinstance(value, str) else value


def without_pin(value: object) -> object:
    """Hide the PIN in an agent's command, `S10.0812….1234`: parts of 4 to 8 digits, and the last part (G10)."""
    return _PIN.sub(".****", value) if isinstance(value, str) else value


def our_key(value: object) -> object:
    """Keep only our own idempotency key out of a remark; what else stands there may name a customer."""
    found = _OUR_KEY.search(value) if isinstance(value, str) else None
    return found.group() if found else ""


def transaction_of_key(value: object) -> object:
    """Read the purchase out of our own refund key, wherever it stands in a remark; other values stay as they are."""
    found = _REFUND_KEY.search(value) if isinstance(value, str) else None
    return found.group("transaction") if found else value


def query_value(parameter: str) -> Convert:
    """Read one parameter of the request the server sent, and nothing else of it: the rest holds PIN and signature."""

    def read(value: object) -> object:
        if not isinstance(value, str):
            return None
        query = value.partition("?")[2] or value
        found = [item for name, item in parse_qsl(query) if name == parameter]
        return found[0] if len(found) == 1 else None

    return read


def localise(value: object, zone: tzinfo | None) -> object:
    """Put the source's zone on an instant that carries none; what is not an instant stays for intake to refuse."""
    if zone is None:
        return value
    moment = value
    if isinstance(value, str) and len(value) >= _INSTANT_MIN_LENGTH:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return value
    if isinstance(moment, datetime) and moment.tzinfo is None:
        return moment.replace(tzinfo=zone)
    return value


MONEY: Mapping[str, Convert] = {"exact": exact, "whole_or_none": whole_or_none}
TEXT: Mapping[str, Convert] = {
    "digits": digits,
    "trimmed": trimmed,
    "without_pin": without_pin,
    "our_key": our_key,
    "transaction_of_key": transaction_of_key,
}
