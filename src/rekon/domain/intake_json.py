"""JSON as it should be: one document, UTF-8, no key twice, no NaN, no depth that breaks the reader.

The standard reader lets all of these through; each has turned one reply into another's meaning.
"""

import json
from typing import Any, NoReturn


class NotJsonError(ValueError):
    """The bytes are not one strict JSON document. The text says which rule is broken and holds none of the content."""


def read_json(raw: bytes | str) -> Any:  # noqa: ANN401 - a JSON document may be anything; callers look at its shape
    """Read one strict JSON document.

    Raises:
        NotJsonError: for bytes that are not UTF-8, a byte order mark, a repeated key, NaN or Infinity, trailing text,
            numbers of thousands of digits, or nesting too deep to read.
    """
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8")
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        reason = "not UTF-8"
    except RecursionError:
        reason = "nested too deep"
    except NotJsonError:
        raise
    except ValueError:
        reason = "not one JSON document"
    raise NotJsonError(reason)


def read_object(raw: bytes | str) -> dict[str, object]:
    """Read one strict JSON document that is an object.

    Raises:
        NotJsonError: as `read_json`, and for lists, texts, numbers, true, false and null.
    """
    document = read_json(raw)
    if not isinstance(document, dict):
        reason = "not a JSON object"
        raise NotJsonError(reason)
    return document


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        reason = "a key appears twice"
        raise NotJsonError(reason)
    return found


def _refuse_constant(_name: str) -> NoReturn:
    reason = "NaN and Infinity are not JSON"
    raise NotJsonError(reason)
