"""What goes wrong on the wire, as far as it can be shown as another reply."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from rekon.sandbox.wire import Fault, Reply

SOCKET_KINDS: Final = frozenset({"timeout", "reset", "drip"})
"""Faults that are no reply at all: the skin plays them on the socket, the transport raises for them."""
HUGE_BYTES: Final = 1_000_000
_ERROR = re.compile(r"error_[45]\d\d")
_MAINTENANCE = b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body>Sedang perbaikan</body></html>"
_OTHER_REF = "LAIN-990017"
_OTHER_NUMBER = "081999000017"


def is_known(kind: str) -> bool:
    """Tell whether `kind` names a fault; besides those of `Fault`, every `error_4xx` and `error_5xx` does."""
    return kind in SOCKET_KINDS or kind in _SPOILERS or _ERROR.fullmatch(kind) is not None


def spoiled(fault: Fault) -> Reply:
    """Turn a fault that is no socket fault into the reply the caller receives instead of the true one.

    Raises:
        ValueError: the kind is unknown or happens on the socket.
    """
    if _ERROR.fullmatch(fault.kind):
        return _error(fault.reply, int(fault.kind.removeprefix("error_")))
    spoil = _SPOILERS.get(fault.kind)
    if spoil is None:
        message = f"no reply shows the fault {fault.kind!r}"
        raise ValueError(message)
    return spoil(fault.reply)


def _error(reply: Reply, status: int) -> Reply:
    headers = dict(reply.headers) | {"Content-Type": "text/plain"}
    if status == 429:  # noqa: PLR2004 - the one status that carries a wait
        headers["Retry-After"] = "30"
    return Reply(status=status, headers=headers, body=b"Error")


def _html(reply: Reply) -> Reply:
    return replace(reply, headers=_typed(reply, "text/html; charset=utf-8"), body=_MAINTENANCE)


def _truncated(reply: Reply) -> Reply:
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def _huge(reply: Reply) -> Reply:
    return replace(reply, body=reply.body.ljust(HUGE_BYTES))


def _empty(reply: Reply) -> Reply:
    return replace(reply, body=b"")


def _redirect(reply: Reply) -> Reply:
    headers = dict(reply.headers) | {"Location": "http://127.0.0.1:9/pindah"}
    return Reply(status=302, headers=headers, body=b"")


def _wrong_type(reply: Reply) -> Reply:
    document = _document(reply)
    if document is None:
        body = json.dumps([reply.body.decode()]).encode()
        return replace(reply, headers=_typed(reply, "application/json"), body=body)
    return replace(reply, body=json.dumps({"data": {k: _mistyped(k, v) for k, v in document.items()}}).encode())


def _mistyped(key: str, value: Any) -> Any:  # noqa: ANN401 - any JSON value comes in and another goes out
    if key in {"rc", "tr_id"}:
        return int(value) if isinstance(value, str) else str(value)
    if key == "status":
        return f"{value} ".lower()
    if key in {"price", "balance", "buyer_last_saldo", "deposit"}:
        return f"{int(value):,}".replace(",", ".")
    return None if key == "sn" else value


def _other_ref(reply: Reply) -> Reply:
    document = _document(reply)
    if document is not None:
        return replace(reply, body=json.dumps({"data": document | {"ref_id": _OTHER_REF}}).encode())
    text = re.sub(r"R#\S+", f"R#{_OTHER_REF}", reply.body.decode())
    if _OTHER_REF not in text:
        text = re.sub(r"\d{8,}", _OTHER_NUMBER, text)
    return replace(reply, body=text.encode())


def _document(reply: Reply) -> dict[str, Any] | None:
    try:
        document = json.loads(reply.body)
    except ValueError:
        return None
    data = document.get("data") if isinstance(document, dict) else None
    return data if isinstance(data, dict) else None


def _typed(reply: Reply, content_type: str) -> Mapping[str, str]:
    return dict(reply.headers) | {"Content-Type": content_type}


_SPOILERS: Final[Mapping[str, Callable[[Reply], Reply]]] = {
    "html": _html,
    "truncated": _truncated,
    "huge": _huge,
    "empty": _empty,
    "redirect": _redirect,
    "wrong_type": _wrong_type,
    "other_ref": _other_ref,
}
