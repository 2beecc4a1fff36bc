"""An event loop whose time is drawn out of its own timers and whose order is drawn from a seed.

Nothing waits for the wall: when nothing is ready, time jumps to the next timer. The same seed gives the same order.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class StuckError(Exception):
    """Nothing is ready and nothing will ever be: a task waits for something that cannot happen."""


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs one handle at a time; which of the ready ones comes first is chance."""

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, rng: Random) -> None:
        """Take the chance that orders what is ready at once."""
        super().__init__()
        self._seconds = 0.0
        self._rng = rng

    def time(self) -> float:
        """Return virtual seconds since the start."""
        return self._seconds

    def _run_once(self) -> None:
        """Run one ready handle, or let time go on to the next timer."""
        while not self._ready:
            self._next_timers()
        if len(self._ready) > 1:
            self._ready.rotate(-self._rng.randrange(len(self._ready)))
        handle = self._ready.popleft()
        if not handle._cancelled:  # noqa: SLF001 - an event loop owns its handles
            handle._run()  # noqa: SLF001 - an event loop owns its handles

    def _next_timers(self) -> None:
        if not self._scheduled:
            text = "every task waits and no timer is set"
            raise StuckError(text)
        self._seconds = max(self._seconds, self._scheduled[0].when())
        while self._scheduled and self._scheduled[0].when() <= self._seconds:
            timer = heapq.heappop(self._scheduled)
            timer._scheduled = False  # type: ignore[attr-defined]  # noqa: SLF001 - an event loop owns its handles
            self._ready.append(timer)

    def run_in_executor(  # inline: threads would bring their own order
        self, executor: object, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run the function at once."""
        del executor
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - handed to whoever awaits
            future.set_exception(error)
        return future

    def _process_events(self, event_list: object) -> None:
        """Nothing comes from outside."""

    def _write_to_self(self) -> None:
        """Nobody has to be woken."""


def run(main: Coroutine[Any, Any, T], *, rng: Random) -> T:
    """Run a coroutine to its end in virtual time."""
    loop = SimulatedLoop(rng)
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        asyncio.set_event_loop(None)
        loop.close()
