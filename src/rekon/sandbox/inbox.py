"""The inbox of all played agents: keeps each message once and lets a few agents answer after some minutes.

Journal rows: `message` (once per Idempotency-Key), `repeated` (the same key again) and `answer` (what an agent chose).
Texts and answer addresses are not journalled: they hold a customer's number and a signed link.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from rekon.sandbox.agenda import Agenda
from rekon.sandbox.feed import CallParcel
from rekon.sandbox.journal import Journal
from rekon.sandbox.parcels import Call

_REQUIRED: Final = ("message_id", "agent_id", "address", "template", "text")
_YES, _NO = "YA", "TIDAK"
_WILLING: Final[Mapping[str, tuple[int, int]]] = {"M06": (75, 10), "M19": (75, 10), "M22": (50, 0), "M01": (20, 0)}
"""Of a hundred agents, how many answer YA and how many TIDAK to a template; to all others nobody answers."""
_FIRST_MINUTES, _MORE_MINUTES = 2, 10


class Inbox:
    """All agents' messages, and what they will answer."""

    def __init__(self, *, seed: int, journal: Journal, agenda: Agenda, send: Callable[[CallParcel], None]) -> None:
        self._seed = seed
        self._journal = journal
        self._agenda = agenda
        self._send = send
        self._ids: dict[str, str] = {}

    def receive(self, key: str, message: Mapping[str, Any], *, at: datetime) -> str | None:
        """Keep a message and return its id here; the same key gives the same id. None: it lacks a field or its key."""
        if not key or any(not message.get(name) for name in _REQUIRED):
            return None
        known = self._ids.get(key)
        kept = {name: message.get(name) for name in ("message_id", "agent_id", "address", "template", "case_id")}
        if known is not None:
            self._journal.append("repeated", at, key=key, **kept)
            return known
        number = f"inb-{len(self._ids) + 1:06d}"
        text = str(message["text"])
        self._journal.append("message", at, key=key, inbox_id=number, length=len(text), **kept)
        self._ids[key] = number
        self._consider(message, at=at)
        return number

    def _consider(self, message: Mapping[str, Any], *, at: datetime) -> None:
        """Let the agent make up his mind, the same way whenever this story is told."""
        address = str(message.get("answer_url") or "")
        template = str(message["template"])
        mood = _draw(self._seed, message["agent_id"], template, message.get("case_id"))
        yes, no = _WILLING.get(template, (0, 0))
        answer = _YES if mood % 100 < yes else _NO if mood % 100 < yes + no else ""
        if address and answer:
            minutes = _FIRST_MINUTES + mood // 100 % _MORE_MINUTES
            facts = {name: message.get(name) for name in ("message_id", "agent_id", "template", "case_id")}
            self._agenda.add(at + timedelta(minutes=minutes), self._answering(address, answer, facts))

    def _answering(self, address: str, answer: str, facts: Mapping[str, Any]) -> Callable[[datetime], None]:
        target = urlsplit(address)
        call = Call(
            method="POST",
            path=target.path,
            query=target.query,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            content=urlencode({"answer": answer}).encode(),
        )

        def send(at: datetime) -> None:
            self._journal.append("answer", at, answer=answer, **facts)
            lane = f"answer:{facts['message_id']}"
            self._send(CallParcel(at=at, lane=lane, call=call, kind="answered", facts={**facts, "answer": answer}))

        return send


def _draw(*parts: object) -> int:
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big")
