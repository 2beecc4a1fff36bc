"""The live transport, against a server on loopback that misbehaves on purpose."""

import asyncio
import dataclasses
import json
import socket
from contextlib import asynccontextmanager

import httpx
import pytest

from rekon.connectors.providers.account import AccountError
from rekon.connectors.providers.client import ProviderClient, make_http_client
from rekon.connectors.providers.http_client import GuardedResolver, GuardedTransport, HostRefusedError
from rekon.connectors.providers.parts import Host
from rekon.domain.outcome import Outcome
from tests.connectors.providers.builders import NOW, account, definition, leg, proof

IAK = {
    "ref_id": "REF0001",
    "customer_id": "087800001230",
    "product_code": "xld10",
    "message": "SUCCESS",
    "status": 1,
    "rc": "00",
    "sn": "123",
    "balance": 990000,
    "price": 10000,
}


def reply(body=None, *, head=b"", status=b"200 OK"):
    body = json.dumps({"data": IAK}).encode() if body is None else body
    return (
        b"HTTP/1.1 " + status + b"\r\ncontent-type: application/json\r\ndate: Sun, 22 Nov 2026 05:00:03 GMT\r\n"
        b"content-length: " + str(len(body)).encode() + b"\r\n" + head + b"\r\n" + body
    )


class Server:
    """Answers every request with the same bytes; counts connections and requests."""

    def __init__(self, answer, *, stay_silent=False, hang_up=False):
        self.answer = answer
        self.stay_silent = stay_silent
        self.hang_up = hang_up
        self.connections = 0
        self.heads = []
        self.over = asyncio.Event()

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while not self.over.is_set():
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head.decode())
                length = next((int(x.split(b":")[1]) for x in head.lower().split(b"\r\n") if b"content-length" in x), 0)
                await reader.readexactly(length)
                writer.write(self.answer)
                await writer.drain()
                if self.stay_silent:
                    await self.over.wait()
                if self.hang_up:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def no_wait(seconds):
    await asyncio.sleep(0)


@asynccontextmanager
async def played(answer, *, name="iak", provider=None, deadline_seconds=15.0, host="127.0.0.1", **habits):
    provider = provider or definition(name)
    server = Server(answer, **habits)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    payer = account(name, base_url=f"http://{host}:{port}/sandbox", allow_http=True, allow_private=True)
    http = make_http_client(provider, accounts=[payer])
    client = ProviderClient(provider, payer, http, deadline_seconds=deadline_seconds, pause=no_wait)
    try:
        yield client, server
    finally:
        server.over.set()
        await http.aclose()
        listening.close()
        await listening.wait_closed()


async def ask(client, **facts):
    return await client.inquire(leg(**({"provider": "iak"} | facts)), now=NOW, proof=proof())


async def test_the_live_transport_brings_a_reading_and_keeps_its_connection():
    async with played(reply()) as (client, server):
        for number in range(3):
            result = await ask(client, key=f"toko:T{number}#1")
            assert (result.reading.outcome, result.server_date is not None) == (Outcome.DELIVERED, True)
        assert (server.connections, len(server.heads)) == (1, 3)
    head = server.heads[0].lower()
    assert head.startswith("post /sandbox/api/check-status http/1.1")
    assert "accept-encoding: identity" in head


async def test_the_live_transport_resolves_a_listed_name():
    async with played(reply(), host="localhost") as (client, server):
        assert (await ask(client)).reading.outcome is Outcome.DELIVERED
    assert server.connections == 1


async def test_a_server_that_stops_half_way_ends_at_the_deadline():
    async with played(reply()[:-20], deadline_seconds=0.3, stay_silent=True) as (client, server):
        result = await ask(client)
    assert (result.reading.outcome, len(server.heads)) == (Outcome.UNKNOWN, 1)


async def test_a_body_cut_off_in_the_middle_is_no_answer():
    async with played(reply()[:-20], hang_up=True) as (client, server):
        result = await ask(client)
    assert (result.reading.outcome, len(server.heads)) == (Outcome.UNKNOWN, 3)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\x01\x02\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 1_000_000 + b"\r\n\r\n",
        reply(b"x" * 2_000_000),
        reply(b"\x1f\x8b\x08\x00", head=b"content-encoding: gzip\r\n"),
        reply(b"", status=b"302 Found", head=b"location: http://169.254.169.254/latest\r\n"),
    ],
    ids=["nothing", "noise", "two lengths", "bad chunk", "huge header", "huge body", "packed", "redirect"],
)
async def test_a_hostile_answer_is_unknown_and_nothing_else(answer):
    async with played(answer, hang_up=True) as (client, server):
        result = await ask(client)
    assert result.reading.outcome is Outcome.UNKNOWN
    assert len(result.raw) <= 256 * 1024
    assert 1 <= len(server.heads) <= 3


async def test_a_question_that_could_buy_leaves_once_even_when_the_server_hangs_up():
    async with played(b"", name="digiflazz", hang_up=True) as (client, server):
        result = await ask(client, provider="digiflazz")
    assert (result.reading.outcome, len(server.heads)) == (Outcome.UNKNOWN, 1)


async def test_a_get_that_could_buy_never_shares_a_connection():
    # aiohttp repeats a GET by itself when a kept connection turns out dead; without one there is nothing to repeat.
    by_get = dataclasses.replace(definition(), inquiry=dataclasses.replace(definition().inquiry, method="GET"))
    async with played(reply(), name="digiflazz", provider=by_get) as (client, server):
        for number in range(3):
            await ask(client, provider="digiflazz", key=f"toko:T{number}#1")
    assert (server.connections, len(server.heads)) == (3, 3)


async def test_a_server_that_is_not_there_is_unknown():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        payer = account("iak", base_url=f"http://127.0.0.1:{port}", allow_http=True, allow_private=True)
        async with make_http_client(definition("iak"), accounts=[payer]) as http:
            client = ProviderClient(definition("iak"), payer, http, pause=no_wait)
            result = await ask(client)
    assert (result.reading.outcome, result.http_status) == (Outcome.UNKNOWN, 0)


class FixedResolver:
    """Answers every name with the same addresses, like a name server that lies."""

    def __init__(self, *addresses):
        self.addresses = addresses
        self.asked = []
        self.closed = False

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.asked.append(host)
        return [
            {"hostname": host, "host": address, "port": port, "family": family, "proto": 0, "flags": 0}
            for address in self.addresses
        ]

    async def close(self):
        self.closed = True


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.8", "::ffff:127.0.0.1"])
async def test_a_public_name_that_leads_inside_is_not_connected_to(address):
    resolver = GuardedResolver([Host(name="api.digiflazz.com")], FixedResolver(address))
    with pytest.raises(HostRefusedError):
        await resolver.resolve("api.digiflazz.com", 443)


async def test_one_inside_address_among_public_ones_is_enough_to_refuse():
    resolver = GuardedResolver([Host(name="api.digiflazz.com")], FixedResolver("52.74.250.133", "169.254.169.254"))
    with pytest.raises(HostRefusedError):
        await resolver.resolve("api.digiflazz.com", 443)


async def test_a_name_outside_the_list_is_not_even_looked_up():
    inner = FixedResolver("52.74.250.133")
    resolver = GuardedResolver([Host(name="api.digiflazz.com")], inner)
    with pytest.raises(HostRefusedError):
        await resolver.resolve("evil.example", 443)
    assert (await resolver.resolve("api.digiflazz.com", 443))[0]["host"] == "52.74.250.133"
    await resolver.close()
    assert (inner.asked, inner.closed) == (["api.digiflazz.com"], True)


async def test_a_private_host_that_may_be_private_is_resolved():
    resolver = GuardedResolver([Host(name="lan.example", allow_private=True)], FixedResolver("192.168.1.5"))
    assert (await resolver.resolve("lan.example"))[0]["host"] == "192.168.1.5"


async def test_the_transport_refuses_what_is_not_on_the_list():
    seen = []
    inner = httpx.MockTransport(lambda request: seen.append(request) or httpx.Response(200))
    async with httpx.AsyncClient(
        transport=GuardedTransport([Host(name="api.digiflazz.com")], inner), trust_env=False
    ) as http:
        for url in ("https://evil.example/", "http://api.digiflazz.com/", "https://169.254.169.254/"):
            with pytest.raises(HostRefusedError):
                await http.get(url)
        assert (await http.get("https://api.digiflazz.com/v1")).status_code == 200
    assert len(seen) == 1


def test_a_client_for_an_account_that_may_not_be_called_is_not_built():
    with pytest.raises(AccountError, match="plain http"):
        make_http_client(definition("iak"), accounts=[account("iak", base_url="http://lain.example")])
