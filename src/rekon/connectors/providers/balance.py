"""Read the reply to a balance question. A balance that is not exactly there is None, never zero."""

from decimal import Decimal

from rekon.connectors.providers.definition import Definition
from rekon.connectors.providers.dialects import json, text
from rekon.connectors.providers.dialects.rupiah_text import read_amount
from rekon.connectors.providers.dialects.said import UnreadableError
from rekon.connectors.providers.exchange import Answer
from rekon.connectors.providers.reading import HTTP_OK, NOT_OK, UNREADABLE, check_wrapping
from rekon.domain.outcome import ReportSource

NO_BALANCE = "jawaban tidak memuat saldo"


def read_balance(definition: Definition, answer: Answer) -> tuple[Decimal | None, str]:
    """Return the balance, or None and why there is none. Never raises."""
    if answer.fault:
        return None, answer.fault
    if answer.http_status != HTTP_OK:
        return None, NOT_OK.format(status=answer.http_status)
    try:
        check_wrapping(definition, source=ReportSource.INQUIRY, raw=answer.raw, content_type=answer.content_type)
        amount = _amount(definition, answer.raw)
    except UnreadableError as error:
        return None, error.note
    except Exception:  # noqa: BLE001 - a hostile reply must not stop the round, whatever it breaks
        return None, UNREADABLE
    return (amount, "") if amount is not None else (None, NO_BALANCE)


def _amount(definition: Definition, raw: bytes) -> Decimal | None:
    rules = definition.balance
    if rules.pattern is None:
        return json.open_body(definition, raw).find_amount(rules.amount)
    characters_max = definition.text.characters_max if definition.text else 0
    found = rules.pattern.search(text.decode(raw, characters_max=characters_max))
    return read_amount(found["amount"]) if found else None
