"""The gate before every route: it judges a call by its head, before any of its body is read."""

from collections.abc import Callable

from fastapi import HTTPException
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_MAX = 64 * 1024
"""Callbacks, answers and Telegram: their senders are strangers until the body is judged."""
BATCH_MAX = 16 * 1024 * 1024
"""The API, whose senders have shown a key."""
_API = "/api/"
_HANG_UP = {"connection": "close"}
"""Or the server would go on reading what nobody wants."""


class Gate:
    """Lets nobody without a key send anything to the API, and nobody at all send an endless body."""

    def __init__(self, app: ASGIApp, *, knows_key: Callable[[str], bool]) -> None:
        """Stand before `app`."""
        self._app = app
        self._knows_key = knows_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_api = scope["path"].startswith(_API)
        if is_api and not self._has_key(scope):
            await _REFUSAL(scope, receive, send)
            return
        await self._app(scope, _limited(receive, BATCH_MAX if is_api else BODY_MAX), send)

    def _has_key(self, scope: Scope) -> bool:
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._knows_key(given)


_REFUSAL = JSONResponse(
    {"detail": "API key missing or unknown"}, status_code=401, headers={"www-authenticate": "Bearer", **_HANG_UP}
)


def _limited(receive: Receive, limit: int) -> Receive:
    """Count what comes in. A length announced in the head proves nothing, and may be missing."""
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise HTTPException(413, f"the body is larger than {limit} bytes", headers=_HANG_UP)
        return message

    return counted
