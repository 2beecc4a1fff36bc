"""A core behind real HTTP: requests in, replies out, faults as the socket would show them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from rekon.sandbox import faults
from rekon.sandbox.wire import Fault, ProviderCore, Reply, Request

LONGEST_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long the slow faults last in wall time; neither can pass twenty seconds."""

    hold_seconds: float = LONGEST_SECONDS
    """How long a timeout is held before the true reply is sent after all."""
    drip_seconds: float = 0.5
    """Pause between two dripped bytes."""
    drip_bytes: int = 40
    """Bytes dripped before the connection is closed in the middle of the body."""

    @property
    def held_for(self) -> float:
        """Seconds a timeout is held."""
        return min(self.hold_seconds, LONGEST_SECONDS)

    @property
    def bytes_dripped(self) -> int:
        """Bytes that fit into the longest drip."""
        return min(self.drip_bytes, int(LONGEST_SECONDS / self.drip_seconds))


def provider_routes(
    prefix: str, core: ProviderCore, clock: Callable[[], datetime], *, pace: Pace | None = None
) -> list[Route]:
    """Serve every path below `prefix` (`/digiflazz`) by one core, at the business time `clock` tells.

    The server must not add a `Date` header of its own (uvicorn: `date_header=False`); a body cut on purpose makes
    uvicorn log an error and close the connection, which is the fault.
    """
    chosen = pace or Pace()

    async def endpoint(http: HttpRequest) -> Response:
        answer = core.answer(await _request(http), clock())
        if isinstance(answer, Reply):
            return _response(answer)
        return _broken(answer, chosen)

    return [Route(prefix + "/{path:path}", endpoint, methods=["GET", "POST"])]


async def _request(http: HttpRequest) -> Request:
    return Request(
        method=http.method,
        path="/" + http.path_params["path"],
        query=dict(http.query_params),
        headers=dict(http.headers),
        body=await http.body(),
    )


def _response(reply: Reply) -> Response:
    return Response(content=reply.body, status_code=reply.status, headers=dict(reply.headers))


def _broken(fault: Fault, pace: Pace) -> Response:
    if fault.kind == "timeout":
        return _Held(fault.reply, pace)
    if fault.kind == "reset":
        return _Cut(fault.reply, pace)
    if fault.kind == "drip":
        return _Dripped(fault.reply, pace)
    return _response(faults.spoiled(fault))


class _Faulty(Response):
    """A response that breaks its own promise; the headers still name the whole body."""

    def __init__(self, reply: Reply, pace: Pace) -> None:
        super().__init__(content=reply.body, status_code=reply.status, headers=dict(reply.headers))
        self.content = reply.body
        self.pace = pace

    def _start(self) -> Message:
        return {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}


class _Held(_Faulty):
    """Say nothing until the caller is gone or the hold is over."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not await _gone_within(receive, self.pace.held_for):
            await super().__call__(scope, receive, send)


class _Cut(_Faulty):
    """Close the connection in the middle of the body."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send(self._start())
        await send(_part(self.content[: len(self.content) // 2]))


class _Dripped(_Faulty):
    """Send single bytes with a pause after each, then close before the end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        await send(self._start())
        for byte in self.content[:-1][: self.pace.bytes_dripped]:
            await send(_part(bytes([byte])))
            if await _gone_within(receive, self.pace.drip_seconds):
                return


def _part(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def _gone_within(receive: Receive, seconds: float) -> bool:
    """Wait until the caller hangs up, at most `seconds` of wall time, and say whether he did."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
            return True
    return False
