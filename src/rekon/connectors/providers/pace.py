"""Keep to a provider's limits: so many calls at once, so many a second, and one at a time about one leg."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from rekon.connectors.providers.inquiry import Unsafe, UnsafeInquiryError
from rekon.connectors.providers.parts import Limits

Pause = Callable[[float], Awaitable[None]]


class Pace:
    """Give out turns. Times are the running loop's own, so a simulated loop keeps its own pace."""

    def __init__(self, limits: Limits, *, pause: Pause) -> None:
        self._gap = 1.0 / limits.per_second
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._pause = pause
        self._next_at = 0.0
        self._asked: set[str] = set()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a free slot and for the next beat, then hold the slot."""
        async with self._slots:
            now = asyncio.get_running_loop().time()
            at = max(now, self._next_at)
            self._next_at = at + self._gap
            if at > now:
                await self._pause(at - now)
            yield

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Hold a leg while it is asked about.

        Raises:
            UnsafeInquiryError: when a question about the same leg is still on its way.
        """
        if key in self._asked:
            raise UnsafeInquiryError(Unsafe.IN_FLIGHT)
        self._asked.add(key)
        try:
            yield
        finally:
            self._asked.discard(key)
