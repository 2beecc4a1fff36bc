"""One loopback server for many tests: it listens once, and each test connects its own application to it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send


class Switchboard:
    """Hands every request to the application that is connected now."""

    def __init__(self) -> None:
        self.app: ASGIApp = Response(status_code=503)
        self.url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@contextmanager
def running() -> Iterator[Switchboard]:
    """Serve in a thread until the block ends. The socket names TCP, so that asyncio sends small replies at once."""
    board = Switchboard()
    config = uvicorn.Config(
        board, log_config=None, access_log=False, lifespan="off", ws="none", date_header=False, server_header=False
    )
    server = uvicorn.Server(config)
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        board.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield board
        finally:
            server.should_exit = True
            thread.join()
