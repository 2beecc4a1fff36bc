"""What a reply says, and the one place where that becomes a reading of a leg.

Default-deny: whatever is missing, mistyped, about something else or at odds with itself is UNKNOWN (I7).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from rekon.connectors.providers.definition import Definition
from rekon.connectors.providers.parts import CodeRow, Meaning, TextRule, Words
from rekon.domain.msisdn import same_number
from rekon.domain.outcome import Outcome, Reading, ReportSource
from rekon.domain.transaction import Leg

AMOUNT_MAX = Decimal(10) ** 13
_CODE_CHARACTERS_MAX = 32
_SERIAL_CHARACTERS_MAX = 500
_SAYS_NOTHING = frozenset({Meaning.NOT_FOUND, Meaning.UNKNOWN, Meaning.CHECK_ERROR})
_CARRIES_SERIAL = frozenset({Outcome.DELIVERED, Outcome.PARTIAL})
_CARRIES_REASON = frozenset({Outcome.FAILED, Outcome.REVERSED, Outcome.PENDING, Outcome.NOT_FOUND, Outcome.UNKNOWN})

OTHER_PURCHASE = "jawaban menyebut {what} lain"
NAMELESS = "jawaban tidak menyebut {what}"
WORDS_DISAGREE = "teks jawaban bertentangan dengan kodenya"
NOT_DECIDED = "arti jawaban ini belum pasti"
CHECK_REFUSED = "penyedia menolak pemeriksaan, bukan pembelian"
PRICE_ABOVE_LIMIT = "harga di atas batas yang dikirim"
_FIELD_NAMES = {"reference": "referensi", "number": "nomor tujuan", "product": "produk"}


class UnreadableError(Exception):
    """A reply cannot be read. `note` says why in words for staff and repeats nothing of the reply."""

    def __init__(self, note: str, *, raw_code: str = "", contradiction: bool = False) -> None:
        self.note = note
        self.raw_code = safe_code(raw_code)
        self.contradiction = contradiction
        super().__init__(note)

    def reading(self) -> Reading:
        """Return the reading of an unreadable reply."""
        return unknown(self.note, raw_code=self.raw_code, contradiction=self.contradiction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one reply says, before it is held against the leg. Names are lists: a reply may repeat itself."""

    raw_code: str
    meaning: Meaning
    reason: str = ""
    references: Sequence[str] = ()
    numbers: Sequence[str] = ()
    products: Sequence[str] = ()
    message: str = ""
    """Free text that must not disagree with the meaning."""
    serial: str | None = None
    price: Decimal | None = None
    balance: Decimal | None = None
    contacts: tuple[str, ...] = ()
    retry_after_seconds: int | None = None


def unknown(note: str, *, raw_code: str = "", contradiction: bool = False, about_this_leg: bool = True) -> Reading:
    """Return a reading that decides nothing."""
    return Reading(
        outcome=Outcome.UNKNOWN,
        raw_code=raw_code,
        note=note,
        contradiction=contradiction,
        about_this_leg=about_this_leg,
    )


def meaning_of(row: CodeRow | TextRule, source: ReportSource) -> Meaning:
    """Read the right column: only the answer to the purchase itself is a first reply."""
    return row.as_first_reply if source is ReportSource.FIRST_REPLY else row.as_check


def judge(said: Said, *, definition: Definition, leg: Leg) -> Reading:
    """Hold what was said against the leg and against itself."""
    other = _other_purchase(said, definition=definition, leg=leg)
    if other:
        return unknown(OTHER_PURCHASE.format(what=other), raw_code=said.raw_code, about_this_leg=False)
    missing = _missing_name(said, definition)
    if missing:
        return unknown(NAMELESS.format(what=missing), raw_code=said.raw_code)
    if disagrees(said.message, outcome=said.meaning.outcome, words=definition.reply.words):
        return unknown(WORDS_DISAGREE, raw_code=said.raw_code, contradiction=True)
    if _is_too_dear(said, leg):
        return unknown(PRICE_ABOVE_LIMIT, raw_code=said.raw_code, contradiction=True)
    return _reading(said, definition)


def disagrees(message: str, *, outcome: Outcome, words: Words) -> bool:
    """Tell whether free text speaks for another outcome. Names after the serial number's mark are not looked at."""
    if outcome in {Outcome.UNKNOWN, Outcome.NOT_FOUND, Outcome.PARTIAL}:
        return False
    heard = _outcome_in(message.split("SN:", 1)[0], words)
    said = Outcome.FAILED if outcome is Outcome.REVERSED else outcome
    return heard is not None and heard is not said


def safe_code(code: str) -> str:
    """Keep a raw code that can be shown and stored; anything long or unprintable is dropped."""
    return code if len(code) <= _CODE_CHARACTERS_MAX and code.isprintable() else ""


def _outcome_in(message: str, words: Words) -> Outcome | None:
    for outcome, listed in (
        (Outcome.FAILED, words.failed),
        (Outcome.DELIVERED, words.delivered),
        (Outcome.PENDING, words.pending),
    ):
        if any(re.search(rf"\b{re.escape(word)}\b", message, re.IGNORECASE) for word in listed):
            return outcome
    return None


def _other_purchase(said: Said, *, definition: Definition, leg: Leg) -> str:
    if any(given != leg.ref_id for given in said.references):
        return _FIELD_NAMES["reference"]
    if any(not _is_number(given, leg) for given in said.numbers):
        return _FIELD_NAMES["number"]
    if any(not _is_product(given, leg=leg, definition=definition) for given in said.products):
        return _FIELD_NAMES["product"]
    return ""


def _is_number(given: str, leg: Leg) -> bool:
    return bool(given.strip()) and (given == leg.destination_sent or same_number(given, leg.destination_sent))


def _is_product(given: str, *, leg: Leg, definition: Definition) -> bool:
    if definition.dialect == "text":
        return given.casefold() == leg.provider_product.casefold()
    return given == leg.provider_product


def _missing_name(said: Said, definition: Definition) -> str:
    """Name what a verdict about the purchase lacks. A reply that decides nothing may be about nothing."""
    if said.meaning in _SAYS_NOTHING:
        return ""
    given = {"reference": said.references, "number": said.numbers, "product": said.products}
    return next((_FIELD_NAMES[name] for name in definition.reply.required if not given[name]), "")


def _is_too_dear(said: Said, leg: Leg) -> bool:
    """A purchase above the limit that was sent with it cannot be ours: the provider refuses those (P9)."""
    if said.meaning is not Meaning.DELIVERED or said.price is None or leg.max_price is None:
        return False
    return said.price > leg.max_price


def _reading(said: Said, definition: Definition) -> Reading:
    outcome = said.meaning.outcome
    serial, note = _serial(said.serial, definition) if outcome in _CARRIES_SERIAL else (None, _doubt(said.meaning))
    return Reading(
        outcome=outcome,
        failure_class=said.meaning.failure_class,
        raw_code=said.raw_code,
        reason=said.reason if outcome in _CARRIES_REASON else "",
        serial_number=serial,
        price=said.price,
        balance=said.balance,
        note=note,
        contacts=said.contacts,
        retry_after_seconds=said.retry_after_seconds,
    )


def _doubt(meaning: Meaning) -> str:
    return {Meaning.UNKNOWN: NOT_DECIDED, Meaning.CHECK_ERROR: CHECK_REFUSED}.get(meaning, "")


def _serial(given: str | None, definition: Definition) -> tuple[str | None, str]:
    serial = (given or "").strip()
    if serial.casefold() in {blank.casefold() for blank in definition.serial.blank}:
        return None, ""
    if len(serial) > _SERIAL_CHARACTERS_MAX or not serial.isprintable():
        return None, "nomor seri tidak dapat dibaca"
    return serial, ""
