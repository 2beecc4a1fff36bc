"""The JSON API, the callback door and the pages agents answer on.

Routes only judge what came in and store it; the stages act on stored rows. Nothing here calls a provider.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rekon.desk import answering, callbacks, feeds
from rekon.desk.gate import Gate
from rekon.domain.callback import CallbackDoor
from rekon.store.faults import StoreUnavailableError

_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}

Access = Callable[..., Awaitable[Any]]
"""Runs a store function beside the event loop: `(function, *args, **kwargs)`."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What the pages need; handed over by the composition root."""

    context_write: Access
    context_read: Access
    clock: Callable[[], datetime]
    door: CallbackDoor
    secret: bytes = field(repr=False)
    api_keys: frozenset[str] = field(repr=False)
    callback_token: str = field(repr=False)
    telegram_token: str = field(repr=False)
    read_telegram: Callable[[bytes], Any]
    acknowledge_telegram: Callable[[Any], Mapping[str, str] | None]
    zones: Mapping[str, str]
    fronts: frozenset[str] = frozenset()
    """Providers whose callbacks rekon takes for the server and passes on."""
    copies: frozenset[str] = frozenset()
    """Providers whose callbacks the server takes and copies to rekon."""
    is_alive: Callable[[], bool]

    def knows_key(self, given: str) -> bool:
        """Compare an API key with every key, in time that does not depend on which one fits."""
        matches = [hmac.compare_digest(given.encode(), key.encode()) for key in self.api_keys]
        return any(matches)


def make_app(desk: Desk) -> FastAPI:
    """Build the application."""
    app = FastAPI(title="rekon", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json")
    app.state.desk = desk
    app.include_router(feeds.router)
    app.include_router(callbacks.router)
    app.include_router(answering.router)
    app.add_exception_handler(StoreUnavailableError, _store_is_down)
    app.add_exception_handler(Exception, _is_broken)
    app.add_middleware(Gate, knows_key=desk.knows_key)
    app.add_middleware(GuardHeaders)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> Response:
        """Say whether beats run."""
        ready = desk.is_alive()
        return Response("ready" if ready else "starting", status_code=200 if ready else 503)

    return app


class GuardHeaders:
    """Adds the same protecting headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, guarded)


async def _store_is_down(request: Request, error: Exception) -> Response:
    """The database is locked, full or away: nothing was stored, so the sender should come again."""
    del request, error
    return Response(status_code=503, headers={"retry-after": "5"})


async def _is_broken(request: Request, error: Exception) -> Response:
    """A defect of ours: it is logged, and the caller learns nothing about it. This answer passes no middleware."""
    del request, error
    return Response(status_code=500, headers=_HEADERS)
