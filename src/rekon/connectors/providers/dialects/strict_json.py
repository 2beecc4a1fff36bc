"""JSON as strictly as money needs it: what the standard parser forgives is refused here (P6, P8)."""

import json
import re
from collections.abc import Sequence
from decimal import Decimal

from rekon.connectors.providers.dialects.said import UnreadableError

BYTES_MAX = 256 * 1024
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_NOT_JSON = "jawaban bukan JSON yang utuh"
_TWICE = "jawaban memuat satu kunci dua kali"
_ODD_NUMBER = "jawaban memuat angka yang tidak wajar"
_TOO_LARGE = "jawaban terlalu besar"
_ODD_TEXT = "jawaban memuat huruf yang rusak"


def loads(raw: bytes) -> object:
    """Parse exactly one UTF-8 JSON document. Fractions become `Decimal`.

    Raises:
        UnreadableError: for a byte order mark, another encoding, a repeated key, NaN, an exponent, a lone surrogate,
            a second document, nesting without end.
    """
    if len(raw) > BYTES_MAX:
        raise UnreadableError(_TOO_LARGE)
    try:
        value: object = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_number,
            parse_float=_fraction,
        )
        if _LONE_SURROGATE.search(raw):
            json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise UnreadableError(_NOT_JSON) from error
    return value


def _unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnreadableError(_TWICE)
    return found


def _refuse_number(_: str) -> object:
    raise UnreadableError(_ODD_NUMBER)


def _fraction(text: str) -> Decimal:
    if "e" in text or "E" in text:
        raise UnreadableError(_ODD_NUMBER)
    return Decimal(text)
