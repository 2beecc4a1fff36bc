"""A lean way to rekon's HTTP door: the story makes thousands of small calls, and time stands while they last."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from rekon.sandbox.parcels import Answer, Call

_BROKEN: Final = 500
_BUSY: Final = 429
_HEAD_MAX: Final = 64 * 1024
_BODY_MAX: Final = 16 * 1024 * 1024


class BadReplyError(Exception):
    """The other side did not speak HTTP as this door understands it."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class HttpDoor:
    """Reach rekon at a plain http address over kept-alive connections.

    A failed connection, a late answer, a 429 and every 5xx count as nobody there. A call may arrive twice when a
    connection breaks under it; everything delivered here can bear that.
    """

    def __init__(self, base_url: str, *, seconds: float = 15.0) -> None:
        parts = urlsplit(base_url)
        if parts.scheme != "http" or not parts.hostname:
            message = "rekon is reached by plain http on this machine"
            raise ValueError(message)
        self._host, self._port = parts.hostname, parts.port or 80
        self._seconds = seconds
        self._idle: list[_Line] = []

    async def call(self, call: Call) -> Answer | None:
        """Make one call; None when nobody answered or rekon said that it cannot answer now."""
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._on_any_line(_worded(call, f"{self._host}:{self._port}"))
        except (
            OSError,
            TimeoutError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            BadReplyError,
            ValueError,
        ):
            return None
        return None if answer.status >= _BROKEN or answer.status == _BUSY else answer

    async def close(self) -> None:
        """Hang up all idle connections."""
        while self._idle:
            await _hang_up(self._idle.pop())

    async def _on_any_line(self, request: bytes) -> Answer:
        while self._idle:
            try:
                return await self._on(self._idle.pop(), request)
            except (OSError, asyncio.IncompleteReadError):
                continue  # rekon hung up an idle connection; another or a new one will do
        reader, writer = await asyncio.open_connection(self._host, self._port, limit=_HEAD_MAX)
        return await self._on(_Line(reader, writer), request)

    async def _on(self, line: _Line, request: bytes) -> Answer:
        kept = False
        try:
            line.writer.write(request)
            await line.writer.drain()
            head = (await line.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(_header(text) for text in head[1:] if text)
            body = await _body(line.reader, headers)
            kept = headers.get("connection", "").lower() != "close"
            return Answer(status=_status(head[0]), body=body)
        finally:
            if kept:
                self._idle.append(line)
            else:
                await _hang_up(line)


async def _hang_up(line: _Line) -> None:
    line.writer.close()
    with suppress(OSError):
        await line.writer.wait_closed()


def _worded(call: Call, host: str) -> bytes:
    target = call.path + (f"?{call.query}" if call.query else "")
    headers = {"Host": host, "Content-Length": str(len(call.content)), **call.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{call.method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + call.content


def _status(line: str) -> int:
    version, _, rest = line.partition(" ")
    if not version.startswith("HTTP/1."):
        message = "the other side does not speak HTTP"
        raise BadReplyError(message)
    return int(rest.split(" ", 1)[0])


def _header(text: str) -> tuple[str, str]:
    name, _, value = text.partition(":")
    return name.strip().lower(), value.strip()


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _chunks(reader)
    return await reader.readexactly(_size(headers.get("content-length", "0"), base=10))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        size = _size((await reader.readuntil(b"\r\n")).split(b";")[0].decode("latin-1").strip(), base=16)
        body += await reader.readexactly(size)
        await reader.readuntil(b"\r\n")
        if size == 0:
            return bytes(body)


def _size(text: str, *, base: int) -> int:
    size = int(text, base)
    if not 0 <= size <= _BODY_MAX:
        message = "a reply larger than this door takes"
        raise BadReplyError(message)
    return size
