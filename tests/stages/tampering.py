"""What can go wrong between rekon and a server's gateway: played on the wire, around the honest application."""

import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BROKEN = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"
Answering = Callable[[dict[str, Any]], Response | None]


class Tampering:
    """Passes every call on, unless a word waits for it.

    Words for `POST /refunds`, one a call: `lost` (paid, then a broken page), `held` (paid, then silence until the
    caller leaves), `unpaid` (a broken page, nothing paid), `short` (paid, but the answer names half of it), `refused`
    (says in plain words that nothing is paid), `busy` (503, nothing paid), `conflict` (paid, then 409).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.words: list[str] = []
        self.calls: list[str] = []
        """`METHOD /path` of every call that arrived, in its order."""
        self.instead: dict[str, Answering] = {}
        """Answers by `METHOD /path-ending`; one that gives None lets the call through."""

    def called(self, ending: str) -> int:
        """Count the calls whose path ends so."""
        return sum(call.endswith(ending) for call in self.calls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = f"{scope['method']} {scope['path']}"
        self.calls.append(call)
        answer = next((give for ending, give in self.instead.items() if _fits(call, ending)), None)
        if answer is not None:
            response = answer({"path": scope["path"], "calls": self.calls})
            if response is not None:
                await response(scope, receive, send)
                return
        if _fits(call, "POST /refunds") and self.words:
            await self._tamper(self.words.pop(0), scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _tamper(self, word: str, scope: Scope, receive: Receive, send: Send) -> None:
        if word == "held":
            await self._paid(scope, receive)
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        if word in ("lost", "unpaid", "busy"):
            if word == "lost":
                await self._paid(scope, receive)
            await Response(_BROKEN, status_code=503 if word == "busy" else 502, media_type="text/html")(
                scope, receive, send
            )
            return
        if word == "refused":
            body = await Request(scope, receive).json()
            said = {"status": "failed", "gateway_ref": "", "agent_id": body["agent_id"], "amount": body["amount"]}
            await JSONResponse(said, status_code=422)(scope, receive, send)
            return
        said = await self._paid(scope, receive)
        if word == "short":
            said["amount"] //= 2
        await JSONResponse(said, status_code=409 if word == "conflict" else 200)(scope, receive, send)

    async def _paid(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        """Let the honest application act, and keep its answer from the caller."""
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, keep)
        said: dict[str, Any] = json.loads(b"".join(message.get("body", b"") for message in sent))
        return said


def _fits(call: str, ending: str) -> bool:
    method, _, path = ending.partition(" ")
    return call.startswith(method) and call.endswith(path)
