"""Read one raw reply as a reading of one leg. Strict, and never raises: what cannot be read is UNKNOWN (I7)."""

import re

from rekon.connectors.providers.definition import Definition
from rekon.connectors.providers.dialects import json, strict_json, text
from rekon.connectors.providers.dialects.said import Said, UnreadableError, judge, unknown
from rekon.domain.outcome import Outcome, Reading, ReportSource
from rekon.domain.transaction import Leg

HTTP_OK = 200
_CHARSET = re.compile(r"charset\s*=\s*\"?([^\s;\"]*)", re.IGNORECASE)
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "iso-8859-1"})
_FORMED = frozenset({Outcome.DELIVERED, Outcome.FAILED, Outcome.PENDING, Outcome.REVERSED})
NOT_OK = "penyedia menjawab dengan status HTTP {status}"
EMPTY = "jawaban kosong"
TOO_LARGE = "jawaban terlalu besar"
WRONG_TYPE = "jenis isi jawaban tidak sesuai"
UNREADABLE = "jawaban tidak dapat dibaca"


def read_reply(
    definition: Definition,
    *,
    leg: Leg,
    source: ReportSource,
    raw: bytes,
    http_status: int = HTTP_OK,
    content_type: str = "",
) -> Reading:
    """Read one reply as a word about `leg`. For a GET callback `raw` is the query string. Never raises.

    An empty `content_type` means that none was kept, as with a stored first reply.
    """
    try:
        if http_status != HTTP_OK:
            return unknown(NOT_OK.format(status=http_status))
        check_wrapping(definition, source=source, raw=raw, content_type=content_type)
        return judge(listen(definition, source=source, raw=raw, leg=leg), definition=definition, leg=leg)
    except UnreadableError as error:
        return error.reading()
    except Exception:  # noqa: BLE001 - a hostile reply must not stop the round, whatever it breaks
        return unknown(UNREADABLE)


def listen(definition: Definition, *, source: ReportSource, raw: bytes, leg: Leg | None) -> Said:
    """Take a reply apart by the provider's dialect.

    Raises:
        UnreadableError: when it is not exactly of a known form.
    """
    if definition.dialect == "text":
        return text.listen(definition, source=source, raw=raw, leg=leg)
    return json.listen(definition, source=source, raw=raw)


def check_wrapping(definition: Definition, *, source: ReportSource, raw: bytes, content_type: str) -> None:
    """Refuse a reply by what can be seen from outside.

    Raises:
        UnreadableError: when it is empty, too large, or of another type or charset.
    """
    if not raw.strip():
        raise UnreadableError(EMPTY)
    if len(raw) > strict_json.BYTES_MAX:
        raise UnreadableError(TOO_LARGE)
    is_query = source is ReportSource.CALLBACK and definition.callback.method == "GET"
    if content_type and not is_query and not is_allowed_type(content_type, definition.reply.content_types):
        raise UnreadableError(WRONG_TYPE)


def is_allowed_type(content_type: str, allowed: tuple[str, ...]) -> bool:
    """Tell whether a content type is one the definition lists, in an encoding that can be read."""
    kind, _, parameters = content_type.partition(";")
    charsets = _CHARSET.findall(parameters)
    return kind.strip().lower() in allowed and all(charset.lower() in _CHARSETS for charset in charsets)


def proves_formed(definition: Definition, reading: Reading | None) -> bool:
    """Tell whether a reading proves that the provider holds the purchase, so that a re-send asks and does not buy.

    Needed of the first reply or of a signed callback before a check that can buy (design 6, reliability 4.1).
    """
    if reading is None or not reading.about_this_leg or reading.contradiction or reading.outcome not in _FORMED:
        return False
    row = definition.find_row(reading.raw_code)
    return row is not None and row.formed
