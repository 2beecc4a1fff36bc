"""What the played world still has to do, by business time."""

import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import count

Action = Callable[[datetime], None]


class Agenda:
    """A queue of actions; equal instants keep the order in which they were added."""

    def __init__(self) -> None:
        self._queue: list[tuple[datetime, int, Action]] = []
        self._ticks = count()

    def add(self, at: datetime, action: Action) -> None:
        """Do `action` at `at`; it is called with that instant."""
        heapq.heappush(self._queue, (at, next(self._ticks), action))

    def next_at(self) -> datetime | None:
        """Say when the next action is due."""
        return self._queue[0][0] if self._queue else None

    def play(self, now: datetime) -> None:
        """Do everything due at or before `now`, also what is added meanwhile."""
        while self._queue and self._queue[0][0] <= now:
            at, _, action = heapq.heappop(self._queue)
            action(at)
