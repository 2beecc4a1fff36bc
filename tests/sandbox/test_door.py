import asyncio

import pytest

from rekon.sandbox.door import HttpDoor
from rekon.sandbox.parcels import Call

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Host:
    """A scripted HTTP server: one answer a request, in order; None hangs up."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.requests = []
        self.connections = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            while self._answers:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(size))
                answer = self._answers.pop(0)
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def post(content=b"{}"):
    return Call(method="POST", path="/api/v1/transactions", query="a=1", headers={"X-A": "b"}, content=content)


async def said(*answers, calls=1):
    async with Host(*answers) as host:
        door = HttpDoor(host.url, seconds=5.0)
        heard = [await door.call(post()) for _ in range(calls)]
        await door.close()
    return heard, host


async def test_a_call_goes_out_word_for_word():
    _, host = await said(OK)
    head, _, body = host.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/v1/transactions?a=1 HTTP/1.1\r\n")
    assert b"X-A: b" in head
    assert body == b"{}"


async def test_connections_are_kept():
    heard, host = await said(OK, OK, OK, calls=3)
    assert [answer.body for answer in heard] == [b"ok"] * 3
    assert host.connections == 1


async def test_a_chunked_answer_is_read_whole():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n3;x=y\r\nfgh\r\n0\r\n\r\n"
    (first, second), _ = await said(chunked, OK, calls=2)
    assert first.body == b"abcdefgh"
    assert second.body == b"ok"


async def test_a_refusal_is_an_answer():
    heard, _ = await said(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n")
    assert heard[0].status == 401


@pytest.mark.parametrize("status", ["500 Oops", "503 Later", "429 Slow"])
async def test_rekon_saying_not_now_counts_as_nobody_there(status):
    heard, _ = await said(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode())
    assert heard == [None]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
    ],
)
async def test_an_answer_that_is_none_counts_as_nobody_there(answer):
    heard, _ = await said(answer, answer)
    assert heard == [None]


async def test_a_connection_hung_up_while_idle_is_replaced():
    closing = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    async with Host(closing, None, OK) as host:
        door = HttpDoor(host.url, seconds=5.0)
        await door.call(post())
        heard = await door.call(post())
        await door.close()
    assert heard.body == b"ok"
    assert host.connections == 2


async def test_nobody_at_all_is_nobody_there():
    async with Host() as host:
        url = host.url
    assert await HttpDoor(url, seconds=5.0).call(post()) is None


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "127.0.0.1:1", "http://"])
def test_only_plain_http_is_spoken(url):
    with pytest.raises(ValueError, match="plain http"):
        HttpDoor(url)
