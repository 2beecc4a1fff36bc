"""Business time, owned here and granted in steps (design 10).

Between two grants time stands, also while rekon is dead, so HTTP costs no business time. A grant that found something
to deliver answers the same instant again, so that rekon acts on it before time goes on.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from rekon.sandbox.world import World

STEP_MAX: Final = timedelta(seconds=2)
_PATIENCE: Final = 25
"""How often rekon may say at the end of the story that something is due which it does not do."""
_TRIES: Final = 2
_BETWEEN_TRIES: Final = 0.02
_WORTH_SLEEPING: Final = 0.0005


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The answer to one request for time."""

    now: datetime
    done: bool


class DemoClock:
    """Grants time for one world.

    `speed` is business seconds per wall second, None for as fast as rekon asks. `wall` tells seconds of a steady wall
    clock.
    """

    def __init__(self, world: World, *, speed: float | None, wall: Callable[[], float]) -> None:
        self.now = world.story.starts_at
        self.grants = 0
        self.is_done = False
        self._world = world
        self._speed = speed
        self._wall = wall
        self._wall_start: float | None = None
        self._one_at_a_time = asyncio.Lock()
        self._asked_in_vain = 0

    async def grant(self, next_due: datetime | None) -> Grant:
        """Deliver what is due, then move time on; `next_due` is when rekon itself has something to do next."""
        async with self._one_at_a_time:
            self.grants += 1
            if self._wall_start is None:
                self._wall_start = self._wall()
            if await self._deliver():
                return Grant(now=self.now, done=False)
            if self.now >= self._world.story.ends_at:
                return Grant(now=self.now, done=self._finish(next_due))
            target = self._target(next_due)
            await self._pace(target)
            self._world.advance(target)
            self.now = target
            return Grant(now=target, done=False)

    async def _deliver(self) -> bool:
        """Say whether anything was delivered or, after a few tries, is still waiting."""
        courier = self._world.courier
        if not courier.is_open(self.now):
            return False
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_BETWEEN_TRIES)
            await courier.deliver(self.now)
            if not courier.is_open(self.now):
                break
        return True

    def _target(self, next_due: datetime | None) -> datetime:
        times = [self.now + STEP_MAX, self._world.story.ends_at, self._world.next_event_at(), next_due]
        return min(at for at in times if at is not None and at > self.now)

    async def _pace(self, target: datetime) -> None:
        if self._speed is None or self._wall_start is None:
            return
        passed = (target - self._world.story.starts_at).total_seconds() / self._speed
        ahead = passed - (self._wall() - self._wall_start)
        if ahead > _WORTH_SLEEPING:
            await asyncio.sleep(ahead)

    def _finish(self, next_due: datetime | None) -> bool:
        impatient = next_due is not None and next_due <= self.now
        if impatient and not self.is_done and self._asked_in_vain < _PATIENCE:
            self._asked_in_vain += 1
            return False
        self._world.close(self.now)
        self.is_done = True
        return True


async def run_free(clock: DemoClock, *, pause: float = 0.02) -> None:
    """Let time pass by itself at the clock's own speed, for use without rekon's beat, until the story is told."""
    while not clock.is_done:
        await clock.grant(None)
        await asyncio.sleep(pause if clock.grants % 50 == 0 else 0)
