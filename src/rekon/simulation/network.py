"""The way from rekon to the played outside: every call can be late, lost on either leg, spoiled, or the last one."""

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final
from urllib.parse import unquote

import httpx

from rekon.sandbox.transport import CoreTransport
from rekon.sandbox.world import World
from rekon.simulation.memory import Point
from rekon.simulation.weather import GATEWAY_FAULTS, PROVIDER_FAULTS, Weather

HOST: Final = "http://outside.test"
_PAGE: Final = b"<!DOCTYPE html><html><body><h1>Sedang dalam pemeliharaan</h1></body></html>"
_OTHER: Final = b'{"data":{"ref_id":"TK999999","status":2,"rc":"07","message":"FAILED","price":1,"tr_id":1}}'
_SPOILED: Final[Mapping[str, tuple[int, str, bytes]]] = {
    "page": (200, "text/html", _PAGE),
    "truncated": (200, "application/json", b'{"data":{"ref_id":"TK7'),
    "error": (502, "text/html", _PAGE),
    "busy": (429, "application/json", b"{}"),
    "other_ref": (200, "application/json", _OTHER),
}
Note = Callable[..., None]
"""Writes one line of the trace: a kind and its facts."""


class Outside(httpx.AsyncBaseTransport):
    """Everything one life of rekon can reach: three providers, two servers and the inbox, below one address."""

    def __init__(
        self,
        world: World,
        *,
        clock: Callable[[], datetime],
        weather: Callable[[], Weather],
        rng: Random,
        point: Point,
        note: Note,
        watch: Callable[[httpx.Request], None],
    ) -> None:
        """Stand between one life and the world. `watch` sees every request before it leaves."""
        self._world = world
        self._clock = clock
        self._weather = weather
        self._rng = rng
        self._point = point
        self._note = note
        self._watch = watch
        self._providers = CoreTransport({f"{HOST}/{name}": core for name, core in world.cores.items()}, clock)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one call there and back, if the weather lets it."""
        self._point("before call")
        self._watch(request)
        head = request.url.path.split("/", 2)[1]
        fault = self._fault(head)
        self._note("call", request.method, request.url.path, fault or "fine")
        await asyncio.sleep(self._seconds())
        if fault in ("refused", "timeout_before"):
            raise _lost(fault, request)
        if fault in _SPOILED:
            status, kind, body = _SPOILED[fault]
            return httpx.Response(status, headers={"content-type": kind}, content=body, request=request)
        response = await self._answer(head, request)
        self._point("after effect")
        if fault == "timeout_after":
            raise _lost(fault, request)
        await asyncio.sleep(self._seconds() / 2)
        self._point("before reading")
        return response

    def _fault(self, head: str) -> str:
        weather, rng = self._weather(), self._rng
        if head in self._world.cores:
            if self._is_silent(head):
                return "timeout_before"
            return rng.choice(PROVIDER_FAULTS) if rng.random() < weather.provider_fault else ""
        share = weather.gateway_fault if head == "servers" else weather.message_fault
        return rng.choice(GATEWAY_FAULTS) if rng.random() < share else ""

    def _is_silent(self, provider: str) -> bool:
        hours = (self._clock() - self._world.story.starts_at) / timedelta(hours=1)
        return any(name == provider and first <= hours < last for name, first, last in self._weather().outages)

    def _seconds(self) -> float:
        if self._rng.random() < self._weather().slow_share:
            return self._rng.uniform(1.0, 12.0)
        return self._rng.uniform(0.02, 0.3)

    async def _answer(self, head: str, request: httpx.Request) -> httpx.Response:
        if head in self._world.cores:
            return await self._providers.handle_async_request(request)
        body = json.loads(await request.aread() or b"{}")
        if head == "messages":
            key = request.headers.get("idempotency-key", "")
            number = self._world.inbox.receive(key, body, at=self._clock())
            status, answer = (422, {}) if number is None else (200, {"id": number})
        else:
            status, answer = self._at_server(request, body)
        return httpx.Response(status, json=answer, request=request)

    def _at_server(self, request: httpx.Request, body: Mapping[str, Any]) -> tuple[int, Any]:
        _, _, source, *rest = [unquote(part) for part in request.url.raw_path.decode().split("?")[0].split("/")]
        server, now = self._world.servers[source], self._clock()
        if rest == ["refunds"]:
            return server.refund(request.headers.get("idempotency-key", ""), body, at=now)
        if rest[:2] == ["refunds", "by-key"]:
            found = server.refund_by_key("/".join(rest[2:]))
            return (404, {"status": "unknown"}) if found is None else (200, found)
        if rest == ["wallet-lines"]:
            lines = server.wallets.of_transaction(request.url.params.get("transaction_id", ""))
            server.journal.append("live_read", now, source=source, lines=len(lines))
            return 200, {"as_of": now.isoformat(), "items": lines}
        return server.set_result(rest[1], body, at=now)


def _lost(fault: str, request: httpx.Request) -> httpx.TransportError:
    if fault == "refused":
        return httpx.ConnectError("connection refused", request=request)
    return httpx.ReadTimeout("no reply in time", request=request)
