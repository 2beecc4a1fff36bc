"""rekon inside the test's own process: a real installation on a real database, its desk on a real socket."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import uvicorn

from rekon import daemon
from rekon.bootstrap import GrantedClock, Installation, open_installation
from rekon.cli import demo_setup
from rekon.cli.demo_setup import Stage
from rekon.daemon import Heart
from rekon.stages.context import inline
from rekon.store import findings
from rekon.store.engine import Store
from tests.journeys.outside import Outside, served
from tests.store import filling

Act = Callable[[datetime], None]


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Two sockets that listen already: nobody else can take their numbers."""

    sandbox: socket.socket
    rekon: socket.socket

    @property
    def rekon_url(self) -> str:
        return f"http://127.0.0.1:{self.rekon.getsockname()[1]}"


@contextmanager
def listening() -> Iterator[Ports]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        yield Ports(sandbox=one, rekon=two)


def configure(folder: Path, ports: Ports, **changes: str) -> Stage:
    """Write the demo's configuration for these ports; `changes` replace a text in it by another."""
    stage = demo_setup.set_up(folder)
    text = stage.config.read_text(encoding="utf-8")
    for before, after in ((stage.sandbox_port, ports.sandbox), (stage.rekon_port, ports.rekon)):
        text = text.replace(str(before), str(after.getsockname()[1]))
    stage.config.write_text(text, encoding="utf-8")
    return stage


async def beat_through(house: Installation, heart: Heart, act: Act) -> None:
    """Beat and ask for time until the story is told, as the daemon does. `act` is what people do meanwhile."""
    assert isinstance(house.clock, GrantedClock)
    over = False
    while not over:
        next_due = await heart.beat()
        act(house.clock.now())
        over = await house.clock.grant(next_due)


async def run(config: Path, ports: Ports, *, act: Act = lambda _: None) -> None:
    """Open the installation, serve its desk, play to the end, close everything."""
    house = await asyncio.to_thread(open_installation, config, run=inline)  # it asks this loop what time it is
    heart = Heart(house.context)
    desk = daemon._web_server(house, heart)
    serving = asyncio.create_task(desk._serve(sockets=[ports.rekon]))
    try:
        await beat_through(house, heart, act)
    finally:
        desk.should_exit = True
        await serving
        await house.close()
