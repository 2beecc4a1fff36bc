"""A core behind an httpx client in the same process, so that a simulation needs no socket."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NoReturn

import httpx

from rekon.sandbox import faults
from rekon.sandbox.wire import Fault, ProviderCore, Reply, Request


class CoreTransport(httpx.AsyncBaseTransport):
    """Answer requests by the core whose base URL is the longest prefix of theirs.

    `cores` maps base URLs (`https://api.digiflazz.com`, `http://sandbox.test/iak`) to cores; what follows the base is
    the path the core sees. Socket faults are raised as httpx raises them: timeout and drip as ReadTimeout, reset as
    ReadError; an address no core answers for as ConnectError.
    """

    def __init__(self, cores: Mapping[str, ProviderCore], clock: Callable[[], datetime]) -> None:
        self._cores = sorted(((httpx.URL(base), core) for base, core in cores.items()), key=_length, reverse=True)
        self._clock = clock

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request.

        Raises:
            httpx.ConnectError: no core lives at that address.
            httpx.ReadTimeout: the planned fault is a timeout or a drip.
            httpx.ReadError: the planned fault is a reset.
        """
        core, path = self._find(request)
        asked = Request(
            method=request.method,
            path=path,
            query=dict(request.url.params),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.aread(),
        )
        answer = core.answer(asked, self._clock())
        if isinstance(answer, Fault):
            if answer.kind in faults.SOCKET_KINDS:
                _fail(answer.kind, request)
            answer = faults.spoiled(answer)
        return _response(answer, request)

    def _find(self, request: httpx.Request) -> tuple[ProviderCore, str]:
        url = request.url
        for base, core in self._cores:
            prefix = base.path.rstrip("/")
            same_host = (url.scheme, url.host, url.port) == (base.scheme, base.host, base.port)
            if same_host and url.path.startswith(prefix + "/"):
                return core, url.path[len(prefix) :]
        message = "no core lives at this address"
        raise httpx.ConnectError(message, request=request)


def _length(entry: tuple[httpx.URL, ProviderCore]) -> int:
    return len(entry[0].path.rstrip("/"))


def _fail(kind: str, request: httpx.Request) -> NoReturn:
    if kind == "reset":
        message = "connection reset in the middle of the body"
        raise httpx.ReadError(message, request=request)
    message = "no complete reply in time"
    raise httpx.ReadTimeout(message, request=request)


def _response(reply: Reply, request: httpx.Request) -> httpx.Response:
    return httpx.Response(reply.status, headers=dict(reply.headers), content=reply.body, request=request)
