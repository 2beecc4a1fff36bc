"""What the tests of the channels share: one message, one clock, clients that answer from a router."""

import asyncio
import contextlib
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import respx

from rekon.connectors.channels.contract import OutgoingMessage

NOW = datetime(2026, 11, 22, 7, 5, tzinfo=UTC)
NUMBER = "081234567890"
TEXT = "Halo, Andi Cell. Kami mohon maaf. Apakah saldo sudah terlihat?"
ANSWER_URL = "https://rekon.example/answers/msg_1.rahasia-tanda-tangan"


def make_message(**changes):
    fields = {
        "message_id": "msg_1",
        "agent_id": "A1",
        "address": NUMBER,
        "text": TEXT,
        "short_text": "Halo, Andi. Maaf. Apakah saldo sudah terlihat?",
        "template": "M01",
        "case_id": "K-1",
        "variables": (("nama_agen", "Andi Cell"), ("produk", "Telkomsel 50.000"), ("jumlah", "Rp 50.600")),
        "answer_url": ANSWER_URL,
    }
    return OutgoingMessage(**{**fields, **changes})


def client_of(router: respx.MockRouter) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(router.async_handler))


@asynccontextmanager
async def served(answer: bytes | None, *, seen: list[bytes] | None = None):
    """Serve on loopback: every request gets `answer`; None reads the request and stays silent."""

    talks = []

    async def talk(reader, writer):
        talks.append(asyncio.current_task())
        head = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(head)
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*talks)
