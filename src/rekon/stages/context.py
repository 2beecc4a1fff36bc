"""What every stage is given: the store, the clock, the rules and the connectors. Built by bootstrap alone."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

import structlog

from rekon.connectors.channels.contract import Channel
from rekon.connectors.gateways.contract import Gateway
from rekon.connectors.providers.account import ProviderAccount
from rekon.connectors.providers.client import ProviderClient
from rekon.connectors.providers.definition import Definition
from rekon.connectors.providers.relay import RelayTarget
from rekon.connectors.sources.sql import SqlSource
from rekon.domain.message import Reasons, TemplateBook
from rekon.domain.policy import CheckKind, Policy, ProviderRules
from rekon.store.dossier import SourceRules
from rekon.store.engine import Connection, Store
from rekon.store.epoch import EpochKeeper

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger()

_MOMENT_SECONDS = 0.02
_ENOUGH = 200


class Runner(Protocol):
    """Runs a synchronous store function: in a thread in production, inline in simulation."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]:
        """Run it and give its result."""


async def in_thread(function: Callable[[], T], /) -> T:
    """Run a store function beside the event loop."""
    return await asyncio.to_thread(function)


async def inline(function: Callable[[], T], /) -> T:
    """Run a store function at once, for tests and simulation."""
    return function()


class Gathering(Generic[T]):
    """Results that come one by one, taken out many at a time: those of a moment go into one commit."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        """Take the group that waits for whatever is still on its way."""
        self.open = 0
        """Results not taken yet; `_coming` of them are still on their way."""
        self._tasks = tasks
        self._coming = 0
        self._here: list[T] = []
        self._oldest_at = 0.0
        self._moment: asyncio.TimerHandle | None = None
        self._ready = asyncio.Event()

    def add(self, work: Coroutine[Any, Any, T]) -> None:
        """Start one piece of work."""
        self.open += 1
        self._coming += 1
        self._tasks.create_task(self._bring(work))

    async def _bring(self, work: Coroutine[Any, Any, T]) -> None:
        result = await work
        loop = asyncio.get_running_loop()
        if not self._here:
            self._oldest_at = loop.time()
            self._moment = loop.call_later(_MOMENT_SECONDS, self._ready.set)
        self._here.append(result)
        self._coming -= 1
        # Also looked at here: under load a timer waits for its turn behind all the answers.
        is_old = loop.time() - self._oldest_at >= _MOMENT_SECONDS
        if is_old or not self._coming or len(self._here) >= _ENOUGH:
            self._ready.set()

    async def take(self) -> list[T]:
        """Wait for a result, then until it is a moment old for those beside it, unless there are enough or no more."""
        await self._ready.wait()
        self._ready.clear()
        if self._moment is not None:
            self._moment.cancel()
        taken, self._here = self._here, []
        self.open -= len(taken)
        return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Everything rekon says: templates, reasons, names, and where the operator is told."""

    book: TemplateBook
    reasons: Reasons
    provider_titles: Mapping[str, str]
    default_channel: str = "file"
    operator_channel: str = "file"
    operator_address: str = field(default="", repr=False)
    operator_name: str = "Operator"
    complaint_channel: str = ""
    """Channel that carries complaints to sellers; empty leaves them for staff to send by one tap."""
    answer_base_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A source that rekon reads by itself: a watched folder, the server's database, or both."""

    source: str
    zone: tzinfo | None
    folder: Path | None = None
    database: SqlSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connectors:
    """Everything that reaches outside."""

    definitions: Mapping[str, Definition] = field(default_factory=dict)
    accounts: Mapping[tuple[str, str], ProviderAccount] = field(default_factory=dict)
    """By provider and account name."""
    clients: Mapping[tuple[str, str], ProviderClient] = field(default_factory=dict)
    gateways: Mapping[str, Gateway] = field(default_factory=dict)
    """By source; the name `book` is rekon's own wallet."""
    channels: Mapping[str, Channel] = field(default_factory=dict)
    feeds: tuple[Feed, ...] = ()
    relays: Mapping[str, RelayTarget] = field(default_factory=dict)
    """By provider: where the callbacks go that rekon takes for the server."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """The tools of a stage."""

    store: Store
    clock: Callable[[], datetime]
    run: Runner
    policy: Policy
    providers: Mapping[str, ProviderRules]
    sources: Mapping[str, SourceRules]
    words: Words
    config_hash: str
    mint: Callable[[], str]
    """Mints a lease token."""
    secret: bytes = field(repr=False)
    """Signs answer links and derives voucher codes."""
    connectors: Connectors = field(default_factory=Connectors)
    epoch: EpochKeeper | None = None
    """Tells a restored backup from a crash; None where nothing outlives the program."""

    @property
    def restored_epoch(self) -> bool:
        """Say whether the database came back from a backup: no automatic effects until it is reconciled."""
        return self.epoch is not None and self.epoch.restored is not None

    async def look_at_epoch(self) -> None:
        """Compare the database with its epoch file, and say once what that changed."""
        if self.epoch is None:
            return
        before, found = self.epoch.restored, await self.run(self.epoch.look)
        if self.restored_epoch and before is None:
            log.error("books.restored", standing=found.value, advice="compare the books, then `rekon db reconcile`")
        elif before is not None and not self.restored_epoch:
            log.info("books.reconciled")

    async def intend(self, function: Callable[[Connection], T], *, has_intent: Callable[[T], bool] = bool) -> T:
        """Run a store function that may write intents; the epoch file moves up before its result comes back."""
        keeper = self.epoch
        if keeper is None:
            return await self.run(lambda: self.store.write(function))
        return await self.run(lambda: keeper.intend(function, has_intent=has_intent))

    async def write(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a store function in a unit of work of its own."""
        return await self.run(lambda: self.store.write(function, *args, **kwargs))

    async def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a store function on a short read."""
        return await self.run(lambda: self.store.read(function, *args, **kwargs))

    def rules_of(self, provider: str) -> ProviderRules:
        """Return a provider's rules; an unknown one is treated as the most dangerous kind, so it is never asked."""
        known = self.providers.get(provider)
        return known or ProviderRules(
            name=provider, check=CheckKind.RESEND, max_check_age=timedelta(days=80), sends_callbacks=False
        )
