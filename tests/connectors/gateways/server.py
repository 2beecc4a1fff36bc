"""A played server: Starlette on a loopback socket in a thread, and a bare socket for replies that are no HTTP."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@dataclass
class Seen:
    """One request that arrived."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass
class PlayedServer:
    """Answers every request the way the test says, and remembers each."""

    reply: Callable[[Seen], Response] = lambda _: Response(status_code=500)
    seen: list[Seen] = field(default_factory=list)
    url: str = ""

    def will(self, response: Response) -> "PlayedServer":
        """Forget what was seen and answer so from now on."""
        self.reply = lambda _: response
        self.seen.clear()
        return self

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        path = request.scope["raw_path"].decode()
        seen = Seen(request.method, path, request.url.query, dict(request.headers), body)
        self.seen.append(seen)
        return self.reply(seen)


@contextmanager
def running() -> Iterator[PlayedServer]:
    """Serve until the block ends. The socket listens before the thread starts, so nobody has to wait."""
    played = PlayedServer()
    route = Route("/{rest:path}", played.answer, methods=["GET", "POST"])
    config = uvicorn.Config(Starlette(routes=[route]), log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        played.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield played
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def raw_socket(data: bytes, *, then_hold: bool = False, reset: bool = False) -> Iterator[str]:
    """Accept one connection, read the request, send `data`, then close, reset or hold the line until the block ends."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(
            target=_play, args=(listening, data), kwargs={"over": over if then_hold else None, "reset": reset}
        )
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


def _play(listening: socket.socket, data: bytes, *, over: threading.Event | None, reset: bool) -> None:
    connection, _ = listening.accept()
    with connection:
        _read_request(connection)
        try:
            connection.sendall(data)
        except OSError:
            return
        if over is not None:
            over.wait()
        if reset:
            linger_none = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_none)


def _read_request(connection: socket.socket) -> None:
    """Read the head and the body it announces, so that closing does not turn into a reset."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    wanted = int(lengths[0]) if lengths else 0
    while len(body) < wanted:
        body += connection.recv(65536)
