"""What the played world delivers to rekon over HTTP, and a courier that loses nothing while rekon is away.

A parcel that found nobody stays and is tried again; one that was refused in plain words (401, 422) is done, and the
journal `deliveries` says so. Kinds of rows: `pushed`, `stated`, `called_back`, `answered`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from rekon.sandbox.journal import Journal

TOKEN: Final = "demo-callback-token-0123456789abcdef"
API_KEY: Final = "demo-api-key-0123456789abcdef0123456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP call to rekon; `query` is raw, as it stands in the address."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What rekon said."""

    status: int
    body: bytes


class Door(Protocol):
    """The way to rekon."""

    async def call(self, call: Call) -> Answer | None:
        """Make one call; None when nobody answered or rekon said that it cannot answer now."""


class Parcel(Protocol):
    """Something on its way to rekon."""

    @property
    def at(self) -> datetime:
        """When it is due."""

    @property
    def lane(self) -> str:
        """Parcels of one lane arrive in their order, one after the other."""

    async def deliver(self, door: Door, journal: Journal, now: datetime) -> bool:
        """Hand it over; False keeps it for the next try."""


class NobodyHome:
    """Stand in for rekon where none is configured: everything arrives and nothing comes of it."""

    async def call(self, call: Call) -> Answer:
        """Accept the call."""
        del call
        return Answer(status=200, body=b"{}")


class Courier:
    """Keeps parcels until they are due and delivered."""

    def __init__(self, *, door: Door, journal: Journal) -> None:
        self._door = door
        self._journal = journal
        self._waiting: list[Parcel] = []
        self.delivered = 0
        """How many parcels were handed over so far."""

    def add(self, parcel: Parcel) -> None:
        """Take a parcel."""
        self._waiting.append(parcel)

    def is_open(self, now: datetime) -> bool:
        """Say whether something due is still undelivered."""
        return any(parcel.at <= now for parcel in self._waiting)

    async def deliver(self, now: datetime) -> int:
        """Try everything due, lanes side by side, and return how many parcels were handed over."""
        lanes: dict[str, list[Parcel]] = {}
        for parcel in self._waiting:
            if parcel.at <= now:
                lanes.setdefault(parcel.lane, []).append(parcel)
        if not lanes:
            return 0
        with self._journal.batch():
            walks = await asyncio.gather(*(self._walk(lane, now) for lane in lanes.values()))
        gone = {id(parcel) for done in walks for parcel in done}
        self._waiting = [parcel for parcel in self._waiting if id(parcel) not in gone]
        self.delivered += len(gone)
        return len(gone)

    async def _walk(self, lane: list[Parcel], now: datetime) -> list[Parcel]:
        done = []
        for parcel in lane:
            if not await parcel.deliver(self._door, self._journal, now):
                break
            done.append(parcel)
        return done
