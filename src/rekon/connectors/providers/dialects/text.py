"""Plain-text replies and GET callbacks, taken apart by the rules of the definition.

The order matters: the text is cut at the serial number's mark, because names and notes live behind it; a `status …`
phrase speaks before a bare keyword; a keyword of success beside one of failure is a contradiction.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import parse_qsl

from rekon.connectors.providers.definition import Definition
from rekon.connectors.providers.dialects.rupiah_text import read_amount
from rekon.connectors.providers.dialects.said import Said, UnreadableError, meaning_of
from rekon.connectors.providers.parts import CodeRow, Meaning, Reason, Text, TextRule
from rekon.domain.outcome import FailureClass, Outcome, ReportSource
from rekon.domain.transaction import Leg

NOT_TEXT = "jawaban bukan teks yang utuh"
TOO_LONG = "teks jawaban terlalu panjang"
MARKUP = "jawaban berupa halaman web"
NOT_CLASSIFIED = "teks jawaban tidak dikenal"
BOTH_WAYS = "teks jawaban menyebut berhasil dan gagal sekaligus"
STATE_UNKNOWN = "nomor status tidak ada dalam tabel"
STATE_DISAGREES = "nomor status dan teks bertentangan"
_MARKUP = re.compile(r"<\s*[a-zA-Z!/?]")
_FIELDS_MAX = 20
_CAUTION = (None, FailureClass.TIMEOUT_LIKE, FailureClass.SOFT, FailureClass.DEFINITE, FailureClass.NEVER_FORMED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One reply: its words, and what came beside them."""

    message: str
    state: str = ""
    reference: str = ""
    price: str = ""


def decode(raw: bytes, *, characters_max: int) -> str:
    """Decode a plain-text reply.

    Raises:
        UnreadableError: for an empty reply, another encoding, a byte order mark, control characters, markup.
    """
    try:
        text = raw.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise UnreadableError(NOT_TEXT) from error
    if not text or any(not c.isprintable() and c not in "\r\n\t" for c in text):
        raise UnreadableError(NOT_TEXT)
    if len(text) > characters_max:
        raise UnreadableError(TOO_LONG)
    if _MARKUP.search(text):
        raise UnreadableError(MARKUP)
    return text


def parse_query(raw: bytes) -> dict[str, str]:
    """Parse the query string of a GET callback.

    Raises:
        UnreadableError: for a broken encoding or a field that comes twice.
    """
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_FIELDS_MAX,
        )
    except ValueError as error:
        raise UnreadableError(NOT_TEXT) from error
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnreadableError(NOT_TEXT)
    return found


def listen(definition: Definition, *, source: ReportSource, raw: bytes, leg: Leg | None) -> Said:
    """Read what a reply or callback says. The leg helps to find a destination that is not made of digits.

    Raises:
        UnreadableError: when no rule recognises it, or when it speaks both ways.
    """
    text = definition.text
    if text is None:
        raise UnreadableError(NOT_TEXT)
    line = _line(definition, text=text, source=source, raw=raw)
    head = _head(text, line.message)
    code, row, meaning = _verdict(definition, text=text, line=line, head=head, source=source)
    rest = text.serial.sub(" ", line.message)
    numbers, products = find_identity(text, head, leg=leg)
    return Said(
        raw_code=code,
        meaning=meaning,
        reason=_reason(text, head=head, row=row, meaning=meaning),
        references=(*_groups(text.reference, head, group="reference"), *((line.reference,) if line.reference else ())),
        numbers=numbers,
        products=products,
        serial=_serial(text, line.message),
        price=_first_amount(text.price, rest) or _state_price(line),
        balance=_first_amount(text.balance, rest),
    )


def find_identity(text: Text, head: str, *, leg: Leg | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Find every destination and product a reply names. Our own destination counts however it is spelled there."""
    found = [match for pattern in text.identity for match in pattern.finditer(head)]
    numbers = tuple(match["number"] for match in found)
    products = tuple(match["product"] for match in found if match.groupdict().get("product"))
    if leg is not None and _names_leg(head, leg):
        return (*numbers, leg.destination_sent), (*products, leg.provider_product)
    return numbers, products


def find_state(definition: Definition, state: str) -> CodeRow:
    """Return the row of a state number.

    Raises:
        UnreadableError: when the table does not list it.
    """
    row = definition.codes.get(state)
    if row is None:
        raise UnreadableError(STATE_UNKNOWN, raw_code=state)
    return row


def _line(definition: Definition, *, text: Text, source: ReportSource, raw: bytes) -> Line:
    if source is ReportSource.CALLBACK:
        return callback_line(definition, raw)
    message = decode(raw, characters_max=text.characters_max)
    embedded = text.embedded.fullmatch(message) if text.embedded else None
    return Line(message=embedded["message"], state=embedded["state"]) if embedded else Line(message=message)


def callback_line(definition: Definition, raw: bytes) -> Line:
    """Read the query string of a GET callback.

    Raises:
        UnreadableError: when it cannot be read or names no message.
    """
    rules = definition.callback
    fields = parse_query(raw)
    characters_max = definition.text.characters_max if definition.text else 0
    return Line(
        message=decode(fields.get(rules.message, "").encode(), characters_max=characters_max),
        state=fields.get(rules.state, ""),
        reference=fields.get(rules.reference, ""),
        price=fields.get(rules.price, ""),
    )


def _head(text: Text, message: str) -> str:
    return text.mark.split(message, maxsplit=1)[0]


def _verdict(
    definition: Definition, *, text: Text, line: Line, head: str, source: ReportSource
) -> tuple[str, CodeRow | TextRule, Meaning]:
    """Let the words and, where there is one, the state number speak; they must agree."""
    rule = next((rule for rule in text.rules if rule.pattern.search(head)), None)
    if rule is not None and _speaks_both_ways(text.rules, head):
        raise UnreadableError(BOTH_WAYS, raw_code=rule.key, contradiction=True)
    if not line.state:
        if rule is None:
            raise UnreadableError(NOT_CLASSIFIED)
        return rule.key, rule, meaning_of(rule, source)
    row = find_state(definition, line.state)
    if rule is None:
        return line.state, row, meaning_of(row, source)
    by_state, by_words = meaning_of(row, source), meaning_of(rule, source)
    if by_state.outcome not in {by_words.outcome, Outcome.UNKNOWN}:
        raise UnreadableError(STATE_DISAGREES, raw_code=line.state, contradiction=True)
    return line.state, row, by_state if rule.generic else _careful(by_state, by_words)


def _speaks_both_ways(rules: Sequence[TextRule], head: str) -> bool:
    heard = {rule.as_check.outcome for rule in rules if rule.pattern.search(head)}
    heard |= {rule.as_first_reply.outcome for rule in rules if rule.pattern.search(head)}
    return {Outcome.DELIVERED, Outcome.FAILED} <= heard


def _careful(left: Meaning, right: Meaning) -> Meaning:
    """Take the meaning that proves less."""
    return min(left, right, key=lambda meaning: _CAUTION.index(_known_class(meaning)))


def _known_class(meaning: Meaning) -> FailureClass | None:
    return None if meaning is Meaning.CHECK_ERROR else meaning.failure_class


def _reason(text: Text, *, head: str, row: CodeRow | TextRule, meaning: Meaning) -> str:
    if row.reason:
        return row.reason.value
    if meaning.outcome is not Outcome.FAILED:
        return ""
    return next((item.reason for item in text.reasons if item.pattern.search(head)), Reason.UNKNOWN).value


def _serial(text: Text, message: str) -> str | None:
    found = text.serial.search(message)
    return found["serial"] if found else None


def _first_amount(patterns: Sequence[re.Pattern[str]], rest: str) -> Decimal | None:
    return next((read_amount(found) for found in _groups(patterns, rest, group="amount")), None)


def _state_price(line: Line) -> Decimal | None:
    """Take the price beside the message; some servers always write 0 there, which is no price."""
    price = read_amount(line.price) if line.price else None
    return price or None


def _groups(patterns: Sequence[re.Pattern[str]], head: str, *, group: str) -> tuple[str, ...]:
    return tuple(found[group] for pattern in patterns for found in pattern.finditer(head) if found[group])


def _names_leg(head: str, leg: Leg) -> bool:
    product, number = re.escape(leg.provider_product), re.escape(leg.destination_sent)
    return bool(re.search(rf"(?<![\w.]){product}\.(?:\d{{1,2}}\.)?{number}(?!\w)", head, re.IGNORECASE))
