"""Replies and callbacks in JSON (also the answers to form requests)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from rekon.connectors.providers.definition import Definition
from rekon.connectors.providers.dialects import strict_json
from rekon.connectors.providers.dialects.said import AMOUNT_MAX, Said, UnreadableError, meaning_of
from rekon.connectors.providers.parts import CodeRow, Meaning
from rekon.domain.outcome import ReportSource

NOT_AN_OBJECT = "jawaban tidak berbentuk yang dikenal"
MISTYPED = "jenis isi {name} tidak sesuai"
CODE_UNKNOWN = "kode tidak ada dalam tabel"
STATUS_UNKNOWN = "kata status tidak dikenal"
STATUS_DISAGREES = "status dan kode bertentangan"
_TEXT_AMOUNT = re.compile(r"-?\d{1,13}(?:\.\d{1,4})?", re.ASCII)
_CONTACT_CHARACTERS_MAX = 64
_MAY_LACK_STATUS = frozenset({Meaning.NOT_FOUND, Meaning.CHECK_ERROR})


@dataclass(frozen=True, slots=True)
class Body:
    """The fields of one reply. `texts` says that every value is a string, as in some callbacks."""

    fields: Mapping[str, object]
    texts: bool = False

    def find_text(self, name: str) -> str | None:
        """Return a text field, None where it is absent or null.

        Raises:
            UnreadableError: for any other type.
        """
        value = self.fields.get(name)
        if value is None or isinstance(value, str):
            return value
        raise UnreadableError(MISTYPED.format(name=name))

    def find_whole(self, name: str) -> str | None:
        """Return a whole number as the digits a table lists, None where it is absent or null."""
        value = self.fields.get(name)
        if self.texts or value is None:
            return self.find_text(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        raise UnreadableError(MISTYPED.format(name=name))

    def find_amount(self, name: str) -> Decimal | None:
        """Return an exact amount, None where it is absent or null. A text is an amount only where all values are."""
        value = self.fields.get(name)
        if value is None:
            return None
        amount = _amount(value, texts=self.texts)
        if amount is None or abs(amount) > AMOUNT_MAX:
            raise UnreadableError(MISTYPED.format(name=name))
        return amount


def open_body(definition: Definition, raw: bytes, *, texts: bool = False) -> Body:
    """Parse a reply and step into its envelope.

    Raises:
        UnreadableError: when it is not one JSON object of the expected shape.
    """
    value = strict_json.loads(raw)
    if definition.reply.envelope:
        value = value.get(definition.reply.envelope) if isinstance(value, dict) else None
    if not isinstance(value, dict):
        raise UnreadableError(NOT_AN_OBJECT)
    return Body(value, texts=texts)


def listen(definition: Definition, *, source: ReportSource, raw: bytes) -> Said:
    """Read what a reply or callback says.

    Raises:
        UnreadableError: for anything but the exact mapped form.
    """
    reply = definition.reply
    texts = source is ReportSource.CALLBACK and definition.callback.values == "texts"
    body = open_body(definition, raw, texts=texts)
    code = body.find_text(reply.code) or ""
    row = definition.codes.get(code)
    if row is None:
        raise UnreadableError(CODE_UNKNOWN, raw_code=code)
    _check_status(definition, body=body, row=row, code=code, source=source)
    return Said(
        raw_code=code,
        meaning=meaning_of(row, source),
        reason=row.reason.value if row.reason else "",
        references=_texts(body, reply.reference),
        numbers=_texts(body, reply.number),
        products=_texts(body, reply.product),
        message=body.find_text(reply.message) or "" if reply.message else "",
        serial=body.find_text(reply.serial_number) if reply.serial_number else None,
        price=_price(body, reply.price),
        balance=body.find_amount(reply.balance) if reply.balance else None,
        contacts=_contacts(body, reply.contacts),
        retry_after_seconds=row.retry_after_seconds,
    )


def _check_status(definition: Definition, *, body: Body, row: CodeRow, code: str, source: ReportSource) -> None:
    """Refuse a status that is not the one the table lists beside the code."""
    reply = definition.reply
    if not reply.status or not row.status:
        return
    status = body.find_text(reply.status) if reply.status_type == "text" else body.find_whole(reply.status)
    if status == row.status or (status is None and meaning_of(row, source) in _MAY_LACK_STATUS):
        return
    if any(status == other.status for other in definition.codes.values()):
        raise UnreadableError(STATUS_DISAGREES, raw_code=code, contradiction=True)
    raise UnreadableError(STATUS_UNKNOWN, raw_code=code)


def _texts(body: Body, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(text for text in (body.find_text(name) for name in names) if text is not None)


def _price(body: Body, name: str) -> Decimal | None:
    price = body.find_amount(name) if name else None
    if price is not None and price < 0:
        raise UnreadableError(MISTYPED.format(name=name))
    return price


def _contacts(body: Body, names: Mapping[str, str]) -> tuple[str, ...]:
    """Take complaint contacts where they are texts; a verdict does not depend on them."""
    found = ((kind, body.fields.get(name)) for kind, name in names.items())
    return tuple(f"{kind}:{value.strip()}" for kind, value in found if isinstance(value, str) and _is_contact(value))


def _is_contact(value: str) -> bool:
    return bool(value.strip()) and value.strip().isprintable() and len(value) <= _CONTACT_CHARACTERS_MAX


def _amount(value: object, *, texts: bool) -> Decimal | None:
    if texts:
        return Decimal(value) if isinstance(value, str) and _TEXT_AMOUNT.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Decimal(value)
