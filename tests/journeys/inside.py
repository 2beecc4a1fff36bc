"""rekon inside the test's own process: a real installation on a real database, its desk on a real socket."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from rekon import daemon
from rekon.bootstrap import GrantedClock, Installation, audit_key, open_installation, store_url
from rekon.cli import demo_setup
from rekon.cli.demo_setup import Stage
from rekon.daemon import Heart
from rekon.sandbox.story import Sale, Story
from rekon.sandbox.world import Knobs
from rekon.settings import load
from rekon.stages.context import inline
from rekon.store import schema, verify
from rekon.store.engine import Store
from tests.journeys.outside import Outside, build, served
from tests.store import filling

_DEADLINE = "deadline_seconds = 1.0"
"""What the demo asks of a quick machine; here nobody is slow on purpose, and a busy machine must not look like it."""
Act = Callable[[datetime], Awaitable[None]]


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
    """Bind both. They name TCP, so that asyncio sends small replies at once instead of waiting for more."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(proto=socket.IPPROTO_TCP)) for _ in range(2)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
            one.listen()
        yield Ports(sandbox=sockets[0], rekon=sockets[1])


def configure(folder: Path, ports: Ports, changes: Mapping[str, str]) -> Stage:
    """Write the demo's configuration for these ports; `changes` replace a text in it by another."""
    stage = demo_setup.set_up(folder)
    text = stage.config.read_text(encoding="utf-8")
    for before, after in ((stage.sandbox_port, ports.sandbox), (stage.rekon_port, ports.rekon)):
        text = text.replace(str(before), str(after.getsockname()[1]))
    for before, after in {_DEADLINE: "deadline_seconds = 15.0", **changes}.items():
        assert before in text
        text = text.replace(before, after)
    stage.config.write_text(text, encoding="utf-8")
    return stage


async def beat_through(house: Installation, heart: Heart, act: Act) -> None:
    """Beat and ask for time until the story is told, as the daemon does. `act` is what people do meanwhile."""
    assert isinstance(house.clock, GrantedClock)
    over = False
    while not over:
        next_due = await heart.beat()
        await act(house.clock.now())
        over = await house.clock.grant(next_due)


async def nobody(now: datetime) -> None:
    """Let rekon work alone."""


async def run(config: Path, ports: Ports, *, act: Act = nobody) -> None:
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


@dataclass(kw_only=True)
class Played:
    """A story that is over: what truly happened outside, and what rekon wrote down."""

    outside: Outside
    store: Store

    def rows(self, table: Table, sale: Sale, **equal: Any) -> list[dict[str, Any]]:
        """Read what a table holds about one sale."""
        return filling.rows(self.store, table, transaction_key=key_of(sale), **equal)

    def rows_of(self, table: Table, **equal: Any) -> list[dict[str, Any]]:
        """Read a table."""
        return filling.rows(self.store, table, **equal)

    def problems(self) -> list[str]:
        """Recompute the books from their history."""
        return [str(finding) for finding in verify.findings(self.store)]

    def breaks(self, sale: Sale) -> dict[str, str]:
        """Name the breaks of a sale and their states."""
        return {row["kind"]: row["state"] for row in self.rows(schema.breaks, sale)}

    def templates(self, sale: Sale) -> list[str]:
        """List what was told about a sale, in the order of writing."""
        rows = sorted(self.rows(schema.messages, sale), key=lambda row: row["created_at"])
        return [row["template"] for row in rows if row["state"] == "sent"]

    def credits(self, sale: Sale) -> list[Mapping[str, Any]]:
        """List what the server's wallet truly got back for a sale, gifts among it."""
        lines = self.outside.rows(f"server-{sale.source}", "wallet", transaction_id=sale.transaction_id)
        return [line for line in lines if line["amount"] > 0]

    def debits(self, sale: Sale) -> list[Mapping[str, Any]]:
        """List what the server's wallet truly took for a sale."""
        lines = self.outside.rows(f"server-{sale.source}", "wallet", transaction_id=sale.transaction_id)
        return [line for line in lines if line["amount"] < 0]

    def asked(self, sale: Sale) -> list[Mapping[str, Any]]:
        """List the questions rekon put to the provider about a sale."""
        return self.outside.rows(sale.provider, "inquiry", ref_id=sale.ref_id, via="http")


def key_of(sale: Sale) -> str:
    return f"{sale.source}:{sale.transaction_id}"


def at(row: Mapping[str, Any]) -> datetime:
    """Read the instant of a journal row."""
    return datetime.fromisoformat(row["at"])


def seconds_after(row: Mapping[str, Any], sale: Sale) -> float:
    """Say how long after its order something happened."""
    return (at(row) - sale.ordered_at).total_seconds()


@contextmanager
def played(
    folder: Path,
    story: Story,
    *,
    answers: Mapping[tuple[str, str], str] | None = None,
    knobs: Knobs | None = None,
    set_up: Callable[[Outside, Stage], Act] = lambda _outside, _stage: nobody,
    changes: Mapping[str, str] | None = None,
) -> Iterator[Played]:
    """Play a story to its end over real sockets and hand out what is left. `set_up` may add what people do."""
    with listening() as ports:
        stage = configure(folder, ports, changes or {})
        outside = build(story, rekon_url=ports.rekon_url, answers=answers, knobs=knobs)
        act = set_up(outside, stage)
        asyncio.run(_play(outside, stage, ports, act))
    settings = load(stage.config)
    store = Store(store_url(settings, stage.folder), audit_key=audit_key(settings))
    try:
        yield Played(outside=outside, store=store)
    finally:
        store.close()


async def _play(outside: Outside, stage: Stage, ports: Ports, act: Act) -> None:
    async with served(outside, listening=ports.sandbox):
        await run(stage.config, ports, act=act)
