"""Run the played world as a program of its own: one port, one story, one folder of journals."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from rekon.sandbox.app import create_app
from rekon.sandbox.clock import DemoClock, run_free
from rekon.sandbox.door import HttpDoor
from rekon.sandbox.fates import tell_story
from rekon.sandbox.parcels import NobodyHome
from rekon.sandbox.skin import Pace
from rekon.sandbox.story import Story
from rekon.sandbox.world import Knobs, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one run needs."""

    port: int
    journal_dir: Path
    rekon_url: str | None = None
    """Where pushes and callbacks go; None plays without rekon."""
    seed: int = 1
    orders: int = 2000
    hours: float = 4.25
    tail_hours: float = 2.25
    for_seconds: float | None = None
    """Wall seconds in which the whole story should pass."""
    speed: float | None = None
    """Business seconds per wall second; wins over `for_seconds`. With neither, as fast as rekon asks."""
    by_itself: bool = False
    """Let time pass without anybody asking for it; for use without rekon's demo beat."""
    knobs: Knobs | None = None

    def speed_of(self, story: Story) -> float | None:
        """Work out the speed from the two wishes."""
        if self.speed is not None or self.for_seconds is None:
            return self.speed
        return (story.ends_at - story.starts_at).total_seconds() / self.for_seconds


def run(settings: Settings, *, wall: Callable[[], float], host: str = "127.0.0.1") -> None:
    """Serve until a signal ends the process. `wall` tells the seconds of a steady clock.

    Raises:
        ValueError: the story cannot be told with these settings.
    """
    asyncio.run(serve(settings, wall=wall, host=host))


async def serve(settings: Settings, *, wall: Callable[[], float], host: str = "127.0.0.1") -> None:
    """Serve inside a running loop; see `run`."""
    settings.journal_dir.mkdir(parents=True, exist_ok=True)
    story = tell_story(settings.seed, orders=settings.orders, hours=settings.hours, tail_hours=settings.tail_hours)
    door = NobodyHome() if settings.rekon_url is None else HttpDoor(settings.rekon_url)
    world = World(story, door=door, journal_dir=settings.journal_dir, knobs=settings.knobs)
    world.start()
    clock = DemoClock(world, speed=settings.speed_of(story), wall=wall)
    app = create_app(world, clock, pace=Pace(hold_seconds=3.0))
    config = uvicorn.Config(
        app,
        host=host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        date_header=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
    )
    try:
        await _serve(uvicorn.Server(config), clock if settings.by_itself else None)
    finally:
        if isinstance(door, HttpDoor):
            await door.close()


async def _serve(server: uvicorn.Server, clock: DemoClock | None) -> None:
    running = asyncio.create_task(run_free(clock)) if clock is not None else None
    try:
        await server.serve()
    finally:
        if running is not None:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
