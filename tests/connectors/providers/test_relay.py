from collections.abc import Iterator

import pytest

from rekon.connectors.providers.relay import Copy, Passed, RelayError, RelayTarget
from tests.callback_server import CallbackServer

SIGNED = b'{"data":{"ref_id":"A1",  "message":"Sukses \xe2\x9c\x93"}}\r\n'
HEADERS = [("x-hub-signature", "sha1=00ff"), ("x-digiflazz-event", "update"), ("content-type", "application/json")]
QUERY = b'refid=A1&message=T1.0812%7e+SUKSES.SN:"01/2"%0d%0a&x=%2B%2b'


@pytest.fixture
def server() -> Iterator[CallbackServer]:
    with CallbackServer().up() as served:
        yield served


def copy(*, method="POST", query=b"", headers=HEADERS, body=SIGNED):
    return Copy(method=method, query=query, headers=headers, body=body)


async def send(url, what=None, **options):
    target = RelayTarget(url, **({"allow_http": True, "allow_private": True} | options))
    try:
        return await target.forward(what or copy())
    finally:
        await target.aclose()


async def test_a_body_and_the_headers_its_signature_needs_arrive_byte_for_byte(server):
    answer = await send(f"{server.url}/hook/digiflazz?key=k1")
    (heard,) = server.heard
    assert (answer.state, heard.method, heard.target, heard.body) == (
        Passed.TAKEN,
        "POST",
        "/hook/digiflazz?key=k1",
        SIGNED,
    )
    assert heard.headers == dict(HEADERS) | {
        "host": f"127.0.0.1:{server.port}",
        "content-length": str(len(SIGNED)),
    }


@pytest.mark.parametrize(("path", "expected"), [("/otomax", "/otomax?"), ("/otomax?key=k1", "/otomax?key=k1&")])
async def test_a_query_string_arrives_byte_for_byte(server, path, expected):
    await send(f"{server.url}{path}", copy(method="GET", query=QUERY, headers=[("user-agent", "OtomaX")], body=b""))
    (heard,) = server.heard
    assert (heard.method, heard.target) == ("GET", expected + QUERY.decode())
    assert heard.headers == {"host": f"127.0.0.1:{server.port}", "user-agent": "OtomaX"}


@pytest.mark.parametrize("status", [301, 400, 401, 404, 500, 503])
async def test_anything_but_2xx_is_no_taking(server, status):
    server.statuses = [status]
    answer = await send(f"{server.url}/hook")
    assert (answer.state, answer.note, len(server.heard)) == (Passed.REFUSED, f"server menjawab {status}", 1)


async def test_a_server_that_is_not_there_is_away():
    with CallbackServer().up() as server:
        url = server.url
    answer = await send(f"{url}/hook?key=rahasia")
    assert answer.state is Passed.AWAY
    assert "rahasia" not in answer.note


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("http://toko.example.id/hook", {"allow_http": False}),
        ("http://127.0.0.1/hook", {"allow_private": False}),
        ("ftp://toko.example.id/hook", {}),
        ("https://user:pass@toko.example.id/hook", {}),
        ("", {}),
    ],
)
def test_an_address_that_may_not_be_called_is_refused_at_the_start(url, options):
    with pytest.raises(RelayError):
        RelayTarget(url, **({"allow_http": True, "allow_private": True} | options))


async def test_a_name_that_leads_to_a_private_address_is_never_called(server):
    answer = await send(f"http://localhost:{server.port}/hook", allow_private=False)
    assert (answer.state, server.heard) == (Passed.AWAY, [])
