"""A provider that answers at once, or after a wished delay: one asyncio protocol in a process of its own.

The first part of a request's path is the delay in milliseconds: `/50/api/check-status` answers 50 ms later. A
reference that begins with F failed for a wrong number, every other was delivered. `/connections` tells how many were
opened so far.
"""

import asyncio
import json
import multiprocessing
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from multiprocessing.connection import Connection as Pipe
from typing import cast

DESTINATION = "081234567890"
PRODUCT = "S50"
_DELIVERED = (
    '{"data":{"ref_id":"%s","status":1,"product_code":"S50","customer_id":"081234567890","price":50150,'
    '"message":"SUCCESS","sn":"3482%s","balance":997061249,"tr_id":3482,"rc":"00"}}'
)
_FAILED = (
    '{"data":{"ref_id":"%s","status":2,"product_code":"S50","customer_id":"081234567890","price":50150,'
    '"message":"INCORRECT DESTINATION NUMBER","sn":"","balance":997061249,"tr_id":3482,"rc":"14"}}'
)
_HEAD = "HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class FastServer:
    """Where the server is."""

    port: int

    def url(self, delay_ms: int) -> str:
        """Return the base address whose answers come `delay_ms` later."""
        return f"http://127.0.0.1:{self.port}/{delay_ms}"

    def connections(self) -> int:
        """Ask how many connections were opened so far, this question's own left out."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/connections") as answer:
            return int(answer.read()) - 1


@contextmanager
def running() -> Iterator[FastServer]:
    """Start the server and stop it afterwards."""
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    child.start()
    theirs.close()  # so that a server which cannot start ends the wait below
    try:
        yield FastServer(ours.recv())
    finally:
        child.terminate()
        child.join()


class _Answering(asyncio.Protocol):
    """Reads requests one after the other; nobody sends the next before the answer."""

    opened = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        type(self).opened += 1
        self._transport = cast("asyncio.Transport", transport)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(_END_OF_HEAD)
        if not found:
            return
        length = _content_length(head)
        if len(rest) < length:
            return
        self._received = rest[length:]
        self._answer(head.split(b" ", 2)[1].decode(), rest[:length])

    def _answer(self, path: str, body: bytes) -> None:
        if path == "/connections":
            self._transport.write(_reply(str(type(self).opened), "text/plain"))
            return
        reply = _reply(answer_about(json.loads(body)["ref_id"]), "application/json")
        delay = int(path.split("/", 2)[1])
        if delay:
            asyncio.get_running_loop().call_later(delay / 1000, self._transport.write, reply)
        else:
            self._transport.write(reply)


def answer_about(reference: str) -> str:
    """Write the provider's word on a reference."""
    return _FAILED % reference if reference.startswith("F") else _DELIVERED % (reference, reference[1:])


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _reply(text: str, kind: str) -> bytes:
    body = text.encode()
    return (_HEAD % (formatdate(usegmt=True), kind, len(body))).encode() + body


def _serve(pipe: Pipe) -> None:
    asyncio.run(_serve_for_ever(pipe))


async def _serve_for_ever(pipe: Pipe) -> None:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0, backlog=1024)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()
