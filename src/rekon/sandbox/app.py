"""The played world behind one port: providers, servers, inbox, clock and statements (one path prefix each)."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from rekon.sandbox.clock import DemoClock
from rekon.sandbox.server import PlayedServer
from rekon.sandbox.skin import Pace, provider_routes
from rekon.sandbox.world import World

Endpoint = Callable[[Request], Awaitable[Response]]
_PAGE = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"


def create_app(world: World, clock: DemoClock, *, pace: Pace | None = None) -> Starlette:
    """Build the application; the caller owns the clock's life."""
    servers = _Servers(world, clock)
    base = "/servers/{source}"
    routes = [
        Route("/clock", _granting(clock), methods=["POST"]),
        Route("/clock", _telling(clock), methods=["GET"]),
        Route("/messages", _receiving(world, clock), methods=["POST"]),
        Route("/statement/{provider}", _stating(world, clock), methods=["GET"]),
        Route(base + "/refunds", servers.refund, methods=["POST"]),
        Route(base + "/refunds/by-key/{key:path}", servers.by_key, methods=["GET"]),
        Route(base + "/orders/{transaction_id}/result", servers.result, methods=["POST"]),
        Route(base + "/wallet-lines", servers.wallet_lines, methods=["GET"]),
    ]
    for provider, core in world.cores.items():
        routes += provider_routes(f"/{provider}", core, lambda: clock.now, pace=pace)
    return Starlette(routes=routes)


class _Servers:
    """The gateway of each played server."""

    def __init__(self, world: World, clock: DemoClock) -> None:
        self._world = world
        self._clock = clock
        self._paid = dict.fromkeys(world.servers, 0)

    async def refund(self, request: Request) -> Response:
        """Pay money back; now and then the good news is lost on the way."""
        server = self._server(request)
        if server is None:
            return _unknown()
        before = len(server.wallets.lines)
        body = await _document(request)
        key = request.headers.get("idempotency-key", "")
        status, answer = server.refund(key, body, at=self._clock.now)
        self._paid[server.source] += len(server.wallets.lines) > before
        if len(server.wallets.lines) > before and self._paid[server.source] in self._world.knobs.lost_replies:
            return Response(_PAGE, status_code=502, media_type="text/html")
        return JSONResponse(answer, status_code=status)

    async def by_key(self, request: Request) -> Response:
        """Look a refund up."""
        server = self._server(request)
        found = server.refund_by_key(unquote(request.path_params["key"])) if server is not None else None
        return _unknown() if found is None else JSONResponse(found)

    async def result(self, request: Request) -> Response:
        """Close an order as rekon asks."""
        server = self._server(request)
        if server is None:
            return _unknown()
        transaction_id = unquote(request.path_params["transaction_id"])
        status, answer = server.set_result(transaction_id, await _document(request), at=self._clock.now)
        return JSONResponse(answer, status_code=status)

    async def wallet_lines(self, request: Request) -> Response:
        """Read the live wallet."""
        server = self._server(request)
        if server is None:
            return _unknown()
        lines = server.wallets.of_transaction(request.query_params.get("transaction_id", ""))
        server.journal.append("live_read", self._clock.now, source=server.source, lines=len(lines))
        return JSONResponse({"as_of": self._clock.now.isoformat(), "items": lines})

    def _server(self, request: Request) -> PlayedServer | None:
        return self._world.servers.get(request.path_params["source"])


def _granting(clock: DemoClock) -> Endpoint:
    async def grant(request: Request) -> Response:
        try:
            wanted = (await _document(request)).get("next_due")
            next_due = datetime.fromisoformat(wanted) if wanted else None
        except (TypeError, ValueError):
            return JSONResponse({"error": "next_due is an instant with an offset, or null"}, status_code=422)
        granted = await clock.grant(next_due)
        return JSONResponse({"now": granted.now.isoformat(), "done": granted.done})

    return grant


def _telling(clock: DemoClock) -> Endpoint:
    async def tell(_: Request) -> Response:
        return JSONResponse({"now": clock.now.isoformat(), "done": clock.is_done})

    return tell


def _receiving(world: World, clock: DemoClock) -> Endpoint:
    async def receive(request: Request) -> Response:
        key = request.headers.get("idempotency-key", "")
        number = world.inbox.receive(key, await _document(request), at=clock.now)
        if number is None:
            return JSONResponse({"error": "a message needs its fields and an Idempotency-Key"}, status_code=422)
        return JSONResponse({"id": number})

    return receive


def _stating(world: World, clock: DemoClock) -> Endpoint:
    async def state(request: Request) -> Response:
        text = world.statement(request.path_params["provider"], clock.now)
        return _unknown() if text is None else PlainTextResponse(text, media_type="text/csv; charset=utf-8")

    return state


async def _document(request: Request) -> Mapping[str, Any]:
    try:
        document = json.loads(await request.body())
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _unknown() -> Response:
    return JSONResponse({"status": "unknown"}, status_code=404)
