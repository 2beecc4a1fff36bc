"""Carry claimed rows past their gateways: so many at a time at each, those of a moment written in one commit."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar

from rekon.connectors.gateways.contract import ManyAtOnce
from rekon.stages.context import Context, Gathering, log
from rekon.store import refunds
from rekon.store.epoch import RestoredBooksError

Row = refunds.Row
T = TypeVar("T")
R = TypeVar("R")

BATCH = 100
"""Rows claimed, and intents written, in one unit of work: no other writer comes in between."""
LEASE = timedelta(seconds=30)
IN_FLIGHT = 16
"""Calls under way at one gateway. An intent is written only for whoever has a place, so that it is sent at once."""
_ROUND_SECONDS = 1.0
"""How long a round goes on beginning rows: the other stages wait for it. What it did not begin is given back."""


@dataclass(kw_only=True)
class Round:
    """One round of the stage: its lease, its tasks, and the defects met on the way."""

    context: Context
    lease: str
    tasks: asyncio.TaskGroup
    faults: list[Exception] = field(default_factory=list)
    """Raised when everything else is through: a bad row spoils no other."""
    ends_at: float = field(default_factory=lambda: asyncio.get_running_loop().time() + _ROUND_SECONDS)

    def is_over(self) -> bool:
        """Say whether no more rows are begun."""
        return asyncio.get_running_loop().time() >= self.ends_at

    async def apart(self, items: Sequence[T], handle: Callable[[Sequence[T]], Awaitable[Sequence[R]]]) -> list[R]:
        """Handle all items in one unit of work; should one of them break it, each in a unit of work of its own.

        An item that breaks alone too is left to the end of its lease; so are all when the books were restored.
        """
        if not items:
            return []
        try:
            return list(await handle(items))
        except Exception as error:  # noqa: BLE001 - kept and raised when the others are through
            if len(items) == 1 or isinstance(error, RestoredBooksError):
                self.note(error)
                return []
            log.warning("act.taken_apart", rows=len(items), error=type(error).__name__)
        return [result for item in items for result in await self.apart([item], handle)]

    async def through(self, work: Awaitable[None]) -> None:
        """Let one kind of row go through; should it break, the others go on."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - kept and raised when the others are through
            self.note(error)

    def note(self, error: Exception) -> None:
        """Keep a defect until the others are through."""
        log.exception("act.row_failed", exc_info=error)
        self.faults.append(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Rows of one gateway that go together: one of a gateway that takes one at a time, else all of them."""

    lane: str
    rows: tuple[Row, ...]


Carry = Callable[[Party], Awaitable[Sequence[T]]]
Land = Callable[[Sequence[T]], Awaitable[tuple[Sequence[Row], Carry[T]]]]
"""Writes what came back. Gives the rows that go out once more, and how."""


def parties(context: Context, rows: Sequence[Row]) -> list[Party]:
    """Sort rows into parties, in their order."""
    lanes: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        lanes[row["source"]].append(row)
    found = []
    for lane, its in lanes.items():
        goes_together = isinstance(context.connectors.gateways.get(lane), ManyAtOnce)
        groups = [its] if goes_together else [[row] for row in its]
        found += [Party(lane=lane, rows=tuple(group)) for group in groups]
    return found


class Lanes(Generic[T]):
    """The calls of one round under way. Nothing that goes wrong in one of them reaches another."""

    def __init__(self, here: Round, *, begin: Carry[T], land: Land[T]) -> None:
        """Take the first call of a row, and what is done with answers."""
        self._here = here
        self._begin = begin
        self._land = land
        self._coming = Gathering[tuple[str, Sequence[T]]](here.tasks)
        self._waiting: dict[str, deque[Party]] = defaultdict(deque)
        self._under_way = Counter[str]()

    async def run(self, rows: Sequence[Row]) -> list[Row]:
        """Carry rows until all that were begun are through. Returns those that were not begun."""
        for party in parties(self._here.context, rows):
            self._waiting[party.lane].append(party)
        self._fill()
        while self._coming.open:
            came = await self._coming.take()
            self._under_way.subtract(lane for lane, _ in came)
            onward, carry = await self._land([item for _, items in came for item in items])
            for party in parties(self._here.context, onward):
                self._send(party, carry)
            self._fill()
        return [row for queue in self._waiting.values() for party in queue for row in party.rows]

    def _fill(self) -> None:
        if self._here.is_over():
            return
        for lane, queue in self._waiting.items():
            while queue and self._under_way[lane] < IN_FLIGHT:
                self._send(queue.popleft(), self._begin)

    def _send(self, party: Party, carry: Carry[T]) -> None:
        self._under_way[party.lane] += 1
        self._coming.add(self._carried(party, carry))

    async def _carried(self, party: Party, carry: Carry[T]) -> tuple[str, Sequence[Any]]:
        try:
            return party.lane, await carry(party)
        except Exception as error:  # noqa: BLE001 - kept and raised when the others are through
            self._here.note(error)
            return party.lane, ()
