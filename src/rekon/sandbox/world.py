"""The whole outside of rekon on one day: three providers, two servers, the agents' inbox and what travels between.

Everything happens at business time handed in from outside (`clock.py`); nothing here reads a clock. Start at
`World.start` and `World.advance`.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from rekon.sandbox import callbacks, catalog, stage, statement
from rekon.sandbox.agenda import Agenda
from rekon.sandbox.dialects.core import PlannedCore
from rekon.sandbox.dialects.digiflazz import DigiflazzCore
from rekon.sandbox.dialects.iak import IakCore
from rekon.sandbox.dialects.otomax import OtomaxCore
from rekon.sandbox.feed import AgentsParcel, Feed, StatementFeed
from rekon.sandbox.inbox import Inbox
from rekon.sandbox.journal import Journal
from rekon.sandbox.parcels import Courier, Door
from rekon.sandbox.people import MANDIRI, SOURCES, Agent
from rekon.sandbox.selling import Selling
from rekon.sandbox.server import Habits, PlayedServer
from rekon.sandbox.story import Story
from rekon.sandbox.wire import OutgoingCallback

OPENING_DEPOSIT: Final = 60_000_000
TOP_UP: Final = 15_000_000
_RESTS_AFTER: Final = timedelta(minutes=12)
_BETWEEN_TOP_UPS: Final = timedelta(seconds=94)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """How the world behaves beside its story. Durations are business seconds."""

    gateway_class: str = "G2"
    """Class of both servers' refund gateways: G0, G1 or G2."""
    push_seconds: int = 15
    heartbeat_seconds: int = 30
    statement_seconds: int = 600
    rest_seconds: int = 0
    """Between two looks at a server where nothing happened for twelve minutes; 0 lets no server rest."""
    lost_replies: tuple[int, ...] = (7, 23, 41)
    """Which paid refunds of each server, counted from 1, are answered with a broken page instead of the good news."""


class World:
    """Plays a story. `journal_dir` None keeps every journal in memory."""

    def __init__(
        self, story: Story, *, door: Door, journal_dir: Path | None = None, knobs: Knobs | None = None
    ) -> None:
        self.story = story
        self.knobs = knobs or Knobs()
        self.agenda = Agenda()
        self.journal_dir = journal_dir
        self.journals = {name: self._open(name) for name in journal_names()}
        self.cores: dict[str, PlannedCore] = {
            core.provider: core(
                prices=catalog.price_list(core.provider),
                journal=self.journals[core.provider],
                opening_balance=OPENING_DEPOSIT,
            )
            for core in (DigiflazzCore, IakCore, OtomaxCore)
        }
        self.servers = {source: self._server(source) for source in SOURCES}
        self.courier = Courier(door=door, journal=self.journals["deliveries"])
        self.inbox = Inbox(seed=story.seed, journal=self.journals["inbox"], agenda=self.agenda, send=self.courier.add)
        self._selling = Selling(cores=self.cores, servers=self.servers, agenda=self.agenda, send=self._carry)
        self._is_closed = False

    def start(self) -> None:
        """Set the stage: opening balances, orders of long ago, and everything the story plans."""
        with self._batched():
            stage.open_wallets(self.story, self.servers)
        for sale in self.story.sales:
            self.agenda.add(sale.ordered_at, partial(self._selling.sell, sale))
        self._plan_top_ups()
        self._plan_feeds()

    def advance(self, now: datetime) -> None:
        """Play everything due at or before `now`, in order, each at its own instant."""
        at = self.next_event_at()
        if at is None or at > now:
            return
        with self._batched():
            while at is not None and at <= now:
                for core in self.cores.values():
                    for callback in core.advance(at):
                        self._carry(callback)
                self.agenda.play(at)
                at = self.next_event_at()

    def next_event_at(self) -> datetime | None:
        """Say when something happens next by itself."""
        times = [self.agenda.next_at(), *(core.next_event_at() for core in self.cores.values())]
        return min((at for at in times if at is not None), default=None)

    def statement(self, provider: str, now: datetime) -> str | None:
        """Word a provider's statement so far as CSV; None for an unknown provider."""
        core = self.cores.get(provider)
        if core is None:
            return None
        return statement.render(core.deposit, opened_at=stage.opened_at(self.story), at=now)

    def close(self, now: datetime) -> None:
        """Write down how every book ends, once: closing balances, and each provider's statement as a file."""
        if self._is_closed:
            return
        self._is_closed = True
        for server in self.servers.values():
            server.journal.append("closing", now, source=server.source, balances=server.wallets.balances())
        for core in self.cores.values():
            deposit = core.deposit
            core.journal.append("closing", now, provider=core.provider, balance=deposit.balance)
            if self.journal_dir is not None:
                statement.write(self.journal_dir, deposit, opened_at=stage.opened_at(self.story), at=now)

    def _open(self, name: str) -> Journal:
        return Journal(None if self.journal_dir is None else self.journal_dir / f"{name}.jsonl")

    def _server(self, source: str) -> PlayedServer:
        habits = Habits(refunds_itself=source == MANDIRI, gateway_class=self.knobs.gateway_class)
        return PlayedServer(source=source, habits=habits, journal=self.journals[f"server-{source}"], agenda=self.agenda)

    @contextmanager
    def _batched(self) -> Iterator[None]:
        with ExitStack() as stack:
            for journal in self.journals.values():
                stack.enter_context(journal.batch())
            yield

    def _carry(self, callback: OutgoingCallback) -> None:
        self.courier.add(callbacks.carry(callback))

    def _plan_top_ups(self) -> None:
        middle = self.story.starts_at + (self.story.orders_end_at - self.story.starts_at) / 2
        for core in self.cores.values():
            self.agenda.add(middle, partial(self._top_up_deposit, core))
        ready = [agent for agent in self.story.agents if agent.top_up]
        for place, agent in enumerate(ready):
            self.agenda.add(middle + place * _BETWEEN_TOP_UPS, partial(self._top_up_wallet, agent))

    def _top_up_deposit(self, core: PlannedCore, at: datetime) -> None:
        core.deposit.credit(TOP_UP, at=at, ref_id=f"TOPUP-{core.provider}", kind="deposit")

    def _top_up_wallet(self, agent: Agent, at: datetime) -> None:
        wallets = self.servers[agent.source].wallets
        wallets.post(agent.agent_id, agent.top_up, kind="deposit", at=at, reference=f"TIKET-{agent.agent_id}-2")

    def _plan_feeds(self) -> None:
        start = self.story.starts_at
        for source, server in self.servers.items():
            agents = tuple(agent for agent in self.story.agents if agent.source == source)
            self.courier.add(AgentsParcel(at=start, source=source, agents=agents))
            rests_after = _RESTS_AFTER if self.knobs.rest_seconds else None
            heartbeat = timedelta(seconds=self.knobs.heartbeat_seconds)
            feed = Feed(server, at=start, heartbeat=heartbeat, rests_after=rests_after)
            self._tick(feed, self.knobs.push_seconds, start)
        for provider, core in self.cores.items():
            self._tick(StatementFeed(provider, core.deposit, at=start), self.knobs.statement_seconds, start)

    def _tick(self, feed: Feed | StatementFeed, every: int, at: datetime) -> None:
        """Send a push on its way when there is news and none is waiting, and come back after `every` seconds."""
        if not feed.is_waiting and feed.has_news(at):
            feed.at, feed.is_waiting = at, True
            self.courier.add(feed)
        resting = isinstance(feed, Feed) and feed.is_at_rest(at)
        later = at + timedelta(seconds=self.knobs.rest_seconds if resting else every)
        if later <= self.story.ends_at:
            self.agenda.add(later, partial(self._tick, feed, every))


def journal_names() -> tuple[str, ...]:
    """List the journals of a world; each is a file `<name>.jsonl`."""
    return (*catalog.PROVIDERS, *(f"server-{source}" for source in SOURCES), "inbox", "deliveries")
