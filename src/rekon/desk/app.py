"""The JSON API, the callback door and the pages agents answer on.

Routes only judge what came in and store it; the stages act on stored rows. Nothing here calls a provider.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from fastapi import FastAPI, Request, Response
from sqlalchemy.exc import OperationalError

from rekon.desk import answering, callbacks, feeds
from rekon.domain.callback import CallbackDoor

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class Access(Protocol):
    """Runs a store function, beside the event loop."""

    def __call__(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Awaitable[Any]:
        """Run it."""


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
    is_alive: Callable[[], bool]

    def knows_key(self, given: str) -> bool:
        """Compare an API key in constant time against every key."""
        return any([hmac.compare_digest(given.encode(), key.encode()) for key in self.api_keys])


def make_app(desk: Desk) -> FastAPI:
    """Build the application."""
    app = FastAPI(title="rekon", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json")
    app.state.desk = desk
    app.include_router(feeds.router)
    app.include_router(callbacks.router)
    app.include_router(answering.router)
    app.add_exception_handler(OperationalError, _store_is_down)
    app.middleware("http")(_guard_headers)

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


async def _guard_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def _store_is_down(request: Request, error: Exception) -> Response:
    """The database is locked, full or away: nothing was stored, so the sender should come again."""
    del request, error
    return Response(status_code=503, headers={"retry-after": "5"})
