"""The one HTTP client of a provider: a transport that stays quick with many calls in flight, behind an allow-list."""

import logging
import socket
import ssl
from collections.abc import Callable, Sequence

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport

from rekon.connectors.providers.account import ProviderAccount, allowed_hosts, check_account
from rekon.connectors.providers.definition import Definition
from rekon.connectors.providers.hosts import find_host, is_public, url_fault
from rekon.connectors.providers.parts import Host
from rekon.domain.policy import CheckKind

CONNECT_SECONDS = 5.0
DEADLINE_SECONDS = 15.0
_KEEP_ALIVE_SECONDS = 30.0


class HostRefusedError(OSError):
    """A call would have left the provider's allow-list. Nothing was sent; look at the provider's hosts."""


class GuardedResolver(AbstractResolver):
    """Resolve names on the allow-list only, and only to public addresses unless the host may be private."""

    def __init__(self, hosts: Sequence[Host], inner: AbstractResolver) -> None:
        self._hosts = tuple(hosts)
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve `host`, checking every address found.

        Raises:
            HostRefusedError: for an unlisted host or a private address behind a public name.
        """
        listed = find_host(host, self._hosts)
        if listed is None:
            text = "the host is not on the provider's list"
            raise HostRefusedError(text)
        found = await self._inner.resolve(host, port, family)
        if not listed.allow_private and not all(is_public(item["host"]) for item in found):
            text = "the name leads to a private address"
            raise HostRefusedError(text)
        return found

    async def close(self) -> None:
        """Release the resolver inside."""
        await self._inner.close()


class GuardedTransport(httpx.AsyncBaseTransport):
    """Refuse a request to anywhere but the allow-list, then hand it on."""

    def __init__(self, hosts: Sequence[Host], inner: httpx.AsyncBaseTransport) -> None:
        self._hosts = tuple(hosts)
        self._inner = inner
        self._allowed = ""
        """The address that was found allowed last: a provider's questions mostly go to one."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request.

        Raises:
            HostRefusedError: before anything leaves.
        """
        url = str(request.url)
        if url != self._allowed:
            fault = url_fault(url, self._hosts)
            if fault:
                raise HostRefusedError(fault)
            self._allowed = url
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the transport inside."""
        await self._inner.aclose()


def make_http_client(
    definition: Definition,
    *,
    accounts: Sequence[ProviderAccount],
    deadline_seconds: float = DEADLINE_SECONDS,
) -> httpx.AsyncClient:
    """Build the client all accounts of one provider share; make it once, close it with `aclose`.

    Raises:
        AccountError: for an account whose address may not be called.
    """
    for account in accounts:
        check_account(definition, account)
    hosts = tuple({host for account in accounts for host in allowed_hosts(definition, account)})
    context = httpx.create_ssl_context(trust_env=False)
    transport = AiohttpTransport(verify=context, client=_session_factory(definition, hosts=hosts, context=context))
    return httpx.AsyncClient(
        transport=GuardedTransport(hosts, transport),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(deadline_seconds, connect=CONNECT_SECONDS),
    )


def keep_addresses_out_of_logs() -> None:
    """Drop httpx's line about each request: the query of a text provider holds a number and a signature."""
    logging.getLogger("httpx").addFilter(_is_not_request_line)


def _is_not_request_line(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("HTTP Request")


def _session_factory(
    definition: Definition, *, hosts: Sequence[Host], context: ssl.SSLContext
) -> Callable[[], aiohttp.ClientSession]:
    """Make the session once the loop runs: aiohttp binds to it."""

    def make() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=_connector(definition, hosts=hosts, context=context),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    return make


def _connector(definition: Definition, *, hosts: Sequence[Host], context: ssl.SSLContext) -> aiohttp.TCPConnector:
    resolver = GuardedResolver(hosts, aiohttp.ThreadedResolver())
    limit = definition.limits.concurrency
    if definition.inquiry.kind is CheckKind.RESEND and definition.inquiry.method == "GET":
        # aiohttp repeats a GET by itself on a kept connection that died; this GET could buy twice.
        return aiohttp.TCPConnector(ssl=context, limit=limit, resolver=resolver, force_close=True)
    return aiohttp.TCPConnector(ssl=context, limit=limit, resolver=resolver, keepalive_timeout=_KEEP_ALIVE_SECONDS)
