"""One POST: what it sends, what it reads, and what it never lets out."""

import logging
from datetime import timedelta

import httpx
import pytest
import respx

from rekon.connectors.channels import exchange
from rekon.connectors.channels.exchange import Reply, json_bytes, post, retry_after
from tests.connectors.channels.parts import NOW, client_of, served

URL = "http://inbox.test/messages"


async def post_to(router, **options):
    async with client_of(router) as client:
        return await post(client, URL, body=b"{}", headers={"x-mark": "1"}, **options)


async def test_a_post_sends_its_body_once_and_follows_nothing():
    router = respx.MockRouter()
    route = router.post(URL).respond(302, headers={"location": "http://elsewhere.test/"})
    reply = await post_to(router)
    assert (reply.status, route.call_count, reply.is_success) == (302, 1, False)
    request = route.calls[0].request
    assert (request.content, request.headers["x-mark"]) == (b"{}", "1")
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"id":"a"}', {"id": "a"}),
        (b"", {}),
        (b"[1]", {}),
        (b"null", {}),
        (b"<html>", {}),
        (b"\xff\xfe{", {}),
        (b"[" * 100_000, {}),
    ],
)
async def test_a_body_that_is_no_object_is_empty(body, value):
    router = respx.MockRouter()
    router.post(URL).respond(200, content=body)
    assert (await post_to(router)).json_object() == value


async def test_a_body_without_end_is_not_kept():
    router = respx.MockRouter()
    router.post(URL).respond(200, content=b'{"id":"' + b"a" * exchange.BODY_BYTES_MAX + b'"}')
    reply = await post_to(router)
    assert (reply.status, reply.json_object()) == (200, {})


async def test_a_packed_body_is_not_unpacked():
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"
    async with served(answer) as base, httpx.AsyncClient() as client:
        reply = await post(client, base, body=b"{}", headers={})
    assert (reply.status, reply.body, reply.fault) == (200, b"", "")


@pytest.mark.parametrize(
    ("error", "never_left"),
    [
        (httpx.ConnectError("refused"), True),
        (httpx.ConnectTimeout("slow"), True),
        (httpx.PoolTimeout("full"), True),
        (httpx.ReadTimeout("slow"), False),
        (httpx.WriteError("broken"), False),
        (httpx.RemoteProtocolError("garbled"), False),
        (OSError("odd"), False),
        (RuntimeError("odder"), False),
    ],
)
async def test_an_error_says_whether_the_request_may_have_left(error, never_left):
    router = respx.MockRouter()
    router.post(URL).mock(side_effect=error)
    reply = await post_to(router)
    assert (reply.status, reply.fault, reply.never_left) == (0, type(error).__name__, never_left)


async def test_a_peer_that_stays_silent_ends_by_the_deadline():
    async with served(None) as base, httpx.AsyncClient() as client:
        reply = await post(client, base, body=b"{}", headers={}, deadline_seconds=0.05)
    assert (reply.status, reply.fault, reply.never_left) == (0, "deadline", False)


async def test_a_peer_that_is_not_there_got_nothing():
    async with served(b"") as base:
        pass
    async with httpx.AsyncClient() as client:
        reply = await post(client, base, body=b"{}", headers={})
    assert reply.never_left


async def test_a_peer_that_hangs_up_leaves_it_open():
    async with served(b"") as base, httpx.AsyncClient() as client:
        reply = await post(client, base, body=b"{}", headers={})
    assert (reply.status, reply.never_left) == (0, False)
    assert reply.fault


async def test_an_address_that_cannot_be_called_got_nothing():
    async with httpx.AsyncClient() as client:
        reply = await post(client, "ftp://inbox.test/", body=b"", headers={})
    assert reply.never_left


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30),
        ("0", 1),
        ("-5", 1),
        ("--5", 60),
        ("999999999", 3_600),
        ("9" * 400, 60),
        ("", 60),
        ("soon", 60),
        ("Sun, 22 Nov 2026 07:07:00 GMT", 120),
        ("Sun, 22 Nov 2026 07:07:00", 120),
        ("Sun, 22 Nov 2020 07:07:00 GMT", 1),
        ("Sun, 99 Nov 2026 07:07:00 GMT", 60),
        ("\u0663", 60),
    ],
)
def test_retry_after_is_honoured_within_bounds(header, seconds):
    reply = Reply(status=429, headers={"retry-after": header})
    assert retry_after(reply, now=NOW, default_seconds=60) == seconds
    assert retry_after(reply, now=NOW + timedelta(0), default_seconds=10**9) <= 3_600


def test_the_same_value_always_becomes_the_same_bytes():
    assert json_bytes({"b": "\u00e9", "a": 1}) == '{"b":"\u00e9","a":1}'.encode()


async def test_no_url_reaches_the_log(caplog):
    exchange.keep_urls_out_of_logs()
    exchange.keep_urls_out_of_logs()
    caplog.set_level(logging.DEBUG)
    async with served(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as base, httpx.AsyncClient() as client:
        reply = await post(client, f"{base}/hooks/rahasia-di-alamat", body=b"{}", headers={})
    assert reply.is_success
    assert "rahasia-di-alamat" not in caplog.text
    assert logging.getLogger("httpx").filters.count(exchange._is_no_request_line) == 1
