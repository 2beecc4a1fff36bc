"""The played outside behind a real socket, in the loop of the test, beside whatever rekon the test runs."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import uvicorn
from starlette.types import ASGIApp

from rekon.sandbox.app import create_app
from rekon.sandbox.clock import DemoClock
from rekon.sandbox.door import HttpDoor
from rekon.sandbox.feed import CallParcel
from rekon.sandbox.inbox import Inbox
from rekon.sandbox.parcels import Call
from rekon.sandbox.skin import Pace
from rekon.sandbox.story import Story
from rekon.sandbox.world import Knobs, World

Wrap = Callable[[ASGIApp], ASGIApp]
HONEST = Knobs(lost_replies=())
"""No good news gets lost."""


class LeapingClock(DemoClock):
    """Grants time up to the next thing that happens, without the small steps a watched demo takes."""

    def _target(self, next_due: datetime | None) -> datetime:
        times = [self._world.story.ends_at, self._world.next_event_at(), next_due]
        return min(at for at in times if at is not None and at > self.now)


class Mailbox:
    """Stands in for the agents: keeps what they were told, and answers only where the test says so."""

    def __init__(self, world: World, answers: Mapping[tuple[str, str], str]) -> None:
        self._world = world
        self._inner: Inbox = world.inbox
        self._answers = answers
        self.told: list[dict[str, Any]] = []
        """Every message once, with `at` when it came."""

    def receive(self, key: str, message: Mapping[str, Any], *, at: datetime) -> str | None:
        """Keep a message, and have its link tapped five minutes later if the test wants an answer."""
        silent = dict(message) | {"answer_url": ""}
        number = self._inner.receive(key, silent, at=at)
        if key not in {one["message_id"] for one in self.told}:
            self.told.append(dict(message) | {"at": at})
            answer = self._answers.get((str(message["agent_id"]), str(message["template"])))
            if answer:
                self.answer(str(message["answer_url"]), answer, at=at + timedelta(minutes=5))
        return number

    def answer(self, address: str, answer: str, *, at: datetime) -> None:
        """Tap a link."""
        call = Call(
            method="POST",
            path=urlsplit(address).path,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            content=urlencode({"answer": answer}).encode(),
        )
        tap = CallParcel(at=at, lane=address, call=call, kind="answered", facts={"answer": answer})
        self._world.agenda.add(at, lambda _: self._world.courier.add(tap))

    def told_to(self, agent_id: str) -> list[str]:
        """List the templates one agent heard, in their order."""
        return [one["template"] for one in self.told if one["agent_id"] == agent_id]


@dataclass(kw_only=True)
class Outside:
    """A world that is being played."""

    world: World
    clock: DemoClock
    mailbox: Mailbox
    door: HttpDoor
    url: str = ""

    def rows(self, journal: str, kind: str, **equal: object) -> list[Mapping[str, Any]]:
        """Read what one journal says truly happened."""
        rows = self.world.journals[journal].rows(kind)
        return [row for row in rows if all(row.get(name) == value for name, value in equal.items())]


def build(
    story: Story,
    *,
    rekon_url: str,
    answers: Mapping[tuple[str, str], str] | None = None,
    knobs: Knobs | None = None,
    journal_dir: Path | None = None,
) -> Outside:
    """Set the stage. The outside is honest unless `knobs` say otherwise."""
    door = HttpDoor(rekon_url)
    world = World(story, door=door, journal_dir=journal_dir, knobs=knobs or HONEST)
    for sale in story.sales:
        world.cores[sale.provider].prices[sale.product.sku(sale.provider)] = sale.product.cost
    world.start()
    mailbox = Mailbox(world, answers or {})
    world.inbox = mailbox  # type: ignore[assignment]  # the same one call
    clock = LeapingClock(world, speed=None, wall=lambda: 0.0)
    return Outside(world=world, clock=clock, mailbox=mailbox, door=door)


@asynccontextmanager
async def served(outside: Outside, *, listening: socket.socket, wrap: Wrap = lambda app: app) -> AsyncIterator[Outside]:
    """Serve in the running loop until the block ends. The socket listens already, so nobody has to wait."""
    app = wrap(create_app(outside.world, outside.clock, pace=Pace(hold_seconds=3.0)))
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", ws="none", date_header=False, server_header=False
    )
    server = uvicorn.Server(config)
    outside.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    serving = asyncio.create_task(server._serve(sockets=[listening]))
    try:
        yield outside
    finally:
        server.should_exit = True
        await serving
        await outside.door.close()
