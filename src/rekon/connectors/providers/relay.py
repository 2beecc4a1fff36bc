"""Pass a provider's callback on to the server behind rekon, byte for byte (design 7).

The address is checked by name when the relay is built, and by the address behind the name on every call: the call goes
to exactly the address that was judged.
"""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus

import httpx

from rekon.connectors.providers.hosts import host_name, is_public, url_fault
from rekon.connectors.providers.http_client import CONNECT_SECONDS, HostRefusedError
from rekon.connectors.providers.parts import Host

DEADLINE_SECONDS = 5.0
"""A server that takes longer is asked again later; its callbacks are safe here meanwhile."""


class RelayError(ValueError):
    """An address callbacks cannot be passed on to. The text says why, never the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One callback as it came. Secrets may stand in all of it."""

    method: str
    query: bytes = field(repr=False)
    """The raw query string, without its question mark."""
    headers: Sequence[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)


class Passed(StrEnum):
    """What became of one attempt."""

    TAKEN = "taken"
    """The server answered 2xx."""
    REFUSED = "refused"
    """The server answered something else."""
    AWAY = "away"
    """No answer: the server is down, slow, or not where it should be."""


@dataclass(frozen=True, slots=True)
class RelayAnswer:
    """One attempt; `note` never holds anything of the address or the answer's body."""

    state: Passed
    note: str = ""


class RelayTarget:
    """The server's own callback address."""

    def __init__(
        self,
        url: str,
        *,
        allow_http: bool = False,
        allow_private: bool = False,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        """Check the address.

        Raises:
            RelayError: when it may not be called.
        """
        self._host = Host(name=host_name(url) or "", allow_http=allow_http, allow_private=allow_private)
        fault = url_fault(url, [self._host])
        if fault:
            raise RelayError(fault)
        self._url = httpx.URL(url)
        self._deadline_seconds = deadline_seconds
        limits = httpx.Limits(max_connections=2, max_keepalive_connections=0)
        self._transport = httpx.AsyncHTTPTransport(
            verify=httpx.create_ssl_context(trust_env=False), limits=limits, trust_env=False
        )

    async def forward(self, copy: Copy) -> RelayAnswer:
        """Send one callback once. Never raises for what the outside does."""
        try:
            async with asyncio.timeout(self._deadline_seconds):
                status = await self._send(copy)
        except TimeoutError:
            return RelayAnswer(Passed.AWAY, "server tidak menjawab sampai batas waktu")
        except (httpx.HTTPError, OSError) as error:
            return RelayAnswer(Passed.AWAY, f"server tidak dapat dihubungi ({type(error).__name__})")
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return RelayAnswer(Passed.TAKEN)
        return RelayAnswer(Passed.REFUSED, f"server menjawab {status}")

    async def _send(self, copy: Copy) -> int:
        name = self._url.host
        request = httpx.Request(
            copy.method,
            self._url.copy_with(host=await self._address(name)),
            headers=[("host", self._url.netloc.decode("ascii")), *copy.headers],
            content=copy.body,
            extensions={
                "target": _target(self._url, copy.query),
                "sni_hostname": name,
                "timeout": httpx.Timeout(self._deadline_seconds, connect=CONNECT_SECONDS).as_dict(),
            },
        )
        response = await self._transport.handle_async_request(request)
        await response.aclose()
        return response.status_code

    async def _address(self, name: str) -> str:
        """Look the name up; every address behind it has to be one we may call."""
        port = self._url.port or (443 if self._url.scheme == "https" else 80)
        found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
        addresses = [str(one[4][0]) for one in found]
        if not self._host.allow_private and not all(is_public(address) for address in addresses):
            text = "the name leads to a private address"
            raise HostRefusedError(text)
        return addresses[0]

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


def _target(url: httpx.URL, query: bytes) -> bytes:
    """Write path and query as they came: rewriting an escape would change what a signature covers."""
    if not query:
        return url.raw_path
    return url.raw_path + (b"&" if url.query else b"?") + query
