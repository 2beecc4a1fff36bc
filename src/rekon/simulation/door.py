"""The way from the played outside to rekon: the same functions the desk calls, without a socket between."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from rekon.connectors.providers.callbacks import ProviderDoor
from rekon.domain.answer import Answer as Word
from rekon.domain.answer import verify_answer_token
from rekon.domain.callback import Verdict
from rekon.sandbox.parcels import Answer, Call
from rekon.simulation.memory import Crash
from rekon.store import inbox, intake, messages

_BOOKS: Final = {"transactions": "orders", "wallet-lines": "wallet", "agents": "agents", "statement-lines": "statement"}
_TAKEN: Final = Answer(status=200, body=b"{}")
_ZONE: Final = ZoneInfo("Asia/Jakarta")


@dataclass(kw_only=True)
class Desk:
    """What one living rekon offers to callers."""

    write: Callable[..., Awaitable[Any]]
    read: Callable[..., Awaitable[Any]]
    clock: Callable[[], datetime]
    providers: ProviderDoor
    secret: bytes = field(repr=False)


class SimulatedDoor:
    """Finds whoever is alive; nobody at home keeps the parcel with the courier."""

    def __init__(self, who: Callable[[], Desk | None], stands_open: Callable[[str], bool]) -> None:
        """`who` gives the desk of a living rekon; `stands_open` says whether a source's books come through now."""
        self._who = who
        self._stands_open = stands_open

    async def call(self, call: Call) -> Answer | None:
        """Hand one call over."""
        desk = self._who()
        if desk is None:
            return None
        try:
            return await self._at(desk, call)
        except Crash:
            return None  # it died with the call in its hands; whether it had written it down, nobody knows

    async def _at(self, desk: Desk, call: Call) -> Answer | None:
        if call.path.startswith("/callbacks/"):
            return await _callback(desk, call)
        if call.path.startswith("/answers/"):
            return await _answer(desk, call)
        document = json.loads(call.content)
        if not self._stands_open(document.get("source", "")):
            return None
        return await _push(desk, call.path.rsplit("/", 1)[1], document)


async def _push(desk: Desk, path: str, document: dict[str, Any]) -> Answer:
    as_of = document.get("as_of")
    provider = document.get("provider", "")
    batch = intake.Batch(
        book=_BOOKS[path],
        source=document.get("source") or provider,
        rows=document["items"],
        origin="api",
        zone=_ZONE,
        as_of=datetime.fromisoformat(as_of) if as_of else None,
        provider=provider,
        account=document.get("account", ""),
    )
    taken: intake.Taken = await desk.write(intake.take, batch, now=desk.clock())
    told = {
        "accepted": taken.accepted,
        "unchanged": taken.unchanged,
        "quarantined": [{"index": r.index, "field": r.field, "reason": r.reason} for r in taken.refused],
    }
    return Answer(status=200, body=json.dumps(told).encode())


async def _callback(desk: Desk, call: Call) -> Answer:
    """Judge the raw body, commit, and only then acknowledge (I13)."""
    provider = call.path.split("/")[2]
    raw = call.query.encode() if call.method == "GET" else call.content
    headers = {name.lower(): value for name, value in call.headers.items()}
    verdict = desk.providers.verify(provider, headers, raw)
    if verdict is Verdict.REFUSED:
        return Answer(status=401, body=b"")
    content_type = headers.get("content-type", "")
    await desk.write(
        inbox.store, provider=provider, body=raw, content_type=content_type, verdict=verdict, now=desk.clock()
    )
    return _TAKEN


async def _answer(desk: Desk, call: Call) -> Answer:
    identity = verify_answer_token(call.path.rsplit("/", 1)[1], desk.secret)
    message = await desk.read(messages.find, identity) if identity else None
    if message is None:
        return Answer(status=404, body=b"")
    said = Word(parse_qs(call.content.decode())["answer"][0])
    await desk.write(messages.record_answer, message["message_id"], answer=said, now=desk.clock())
    return _TAKEN
