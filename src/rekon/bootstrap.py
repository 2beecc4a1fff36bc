"""The composition root: the only reader of settings, clock, chance and ids. Everything else is handed its tools."""

import dataclasses
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx
from httpx_aiohttp import AiohttpTransport

from rekon import resources, wiring
from rekon.connectors.providers.account import ProviderAccount
from rekon.connectors.providers.callbacks import ProviderDoor
from rekon.connectors.providers.client import ProviderClient
from rekon.connectors.providers.definition import Definition, load_definitions
from rekon.connectors.providers.http_client import make_http_client
from rekon.domain.breaks import BreakKind, Mode
from rekon.domain.message import TemplateBook, parse_reasons, parse_templates
from rekon.domain.policy import Policy
from rekon.domain.transaction import RefundOwner
from rekon.settings import ConfigError, Settings, load
from rekon.stages.context import Connectors, Context, Runner, Words, in_thread, inline
from rekon.store import decisions, epoch, flips, migrate
from rekon.store.dossier import SourceRules
from rekon.store.engine import Store, check_durability
from rekon.store.guards import MissingGuardError, missing_guards

SQLITE_FILE = "rekon.sqlite3"
CONFIG_FILE = "rekon.toml"
_GRANT_SECONDS = 60.0


class Clock(Protocol):
    """Business time."""

    def now(self) -> datetime:
        """Return the present instant, aware UTC."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Read it."""
        return datetime.now(UTC)


class GrantedClock:
    """Business time that somebody else owns and grants in steps; between grants it stands (design 10)."""

    def __init__(self, url: str) -> None:
        """Take the address of the owner's `/clock`."""
        self._url = url
        self._now: datetime | None = None
        self._client = httpx.AsyncClient(transport=AiohttpTransport(), timeout=_GRANT_SECONDS, trust_env=False)

    def now(self) -> datetime:
        """Return the instant granted last; before the first grant it is asked for."""
        if self._now is None:
            answer = httpx.get(self._url, timeout=_GRANT_SECONDS, trust_env=False)
            self._now = datetime.fromisoformat(answer.json()["now"])
        return self._now

    async def grant(self, next_due: datetime | None) -> bool:
        """Ask for more time. Returns whether the story is over."""
        body = {"next_due": next_due.isoformat() if next_due else None}
        answer = (await self._client.post(self._url, json=body)).json()
        self._now = datetime.fromisoformat(answer["now"])
        return bool(answer["done"])

    async def close(self) -> None:
        """Close the connection to the owner."""
        await self._client.aclose()


@dataclass(kw_only=True)
class Installation:
    """One installation, opened."""

    settings: Settings
    state_dir: Path
    store: Store
    context: Context
    door: ProviderDoor
    clock: Clock
    closers: list[Callable[[], Awaitable[Any]]] = field(default_factory=list)

    async def close(self) -> None:
        """Close every client and the database."""
        for close in self.closers:
            await close()
        self.store.close()


def state_dir_of(config: Path) -> Path:
    """Return the state directory: the folder the configuration stands in."""
    return config.resolve().parent


def store_url(settings: Settings, state_dir: Path) -> str:
    """Return the database's address."""
    return settings.store.url or f"sqlite:///{state_dir / SQLITE_FILE}"


def audit_key(settings: Settings) -> bytes:
    """Derive what seals the audit from a secret that is not in the database."""
    secret = settings.server.audit_secret or settings.server.secret
    return hmac.digest(secret.get_secret_value().encode(), b"rekon audit chain", hashlib.sha256)


def open_store(settings: Settings, state_dir: Path) -> Store:
    """Open the database and refuse one that is not fit for money.

    Raises:
        SchemaMismatchError: the schema is older or newer than this program.
        WeakDurabilityError: the database could forget a commit.
        MissingGuardError: an append-only table could be changed.
    """
    store = Store(store_url(settings, state_dir), audit_key=audit_key(settings))
    migrate.check(store, resources.data_path("migrations"))
    with store.unit_of_work() as connection:
        check_durability(connection)
        missing = missing_guards(connection)
    if missing:
        text = f"guards are missing: {', '.join(missing)}; run `rekon db upgrade`"
        raise MissingGuardError(text)
    return store


def epoch_keeper(store: Store, state_dir: Path, clock: Clock) -> epoch.EpochKeeper:
    """Build what tells a restored backup from a crash."""
    return epoch.EpochKeeper(store, epoch.path_of(store, state_dir), mint=mint, clock=clock.now)


def mint() -> str:
    """Mint 16 characters nobody can guess."""
    return secrets.token_hex(8)


def upgrade_store(settings: Settings, state_dir: Path) -> None:
    """Create or upgrade the database and its guards."""
    store = Store(store_url(settings, state_dir))
    migrate.upgrade(store, resources.data_path("migrations"))
    store.close()


def open_installation(config: Path, *, run: Runner | None = None) -> Installation:
    """Read the configuration, open the database and build every connector.

    Under a granted clock nobody waits for the wall, so store functions run inline: a thread would only add its hops.
    """
    settings = load(config)
    run = run or (inline if settings.clock.kind == "granted" else in_thread)
    state_dir = state_dir_of(config)
    store = open_store(settings, state_dir)
    clock: Clock = GrantedClock(settings.clock.url) if settings.clock.kind == "granted" else SystemClock()
    closers: list[Callable[[], Awaitable[Any]]] = [clock.close] if isinstance(clock, GrantedClock) else []
    definitions = load_provider_definitions(state_dir)
    accounts = _accounts(settings, definitions)
    connectors = Connectors(
        definitions=definitions,
        accounts=accounts,
        clients=_clients(settings, definitions, accounts, closers),
        gateways={},
        channels=wiring.build_channels(settings, state_dir, closers),
        feeds=tuple(wiring.build_feeds(settings, state_dir, closers)),
        relays=wiring.build_relays(settings, closers),
    )
    context = _context(settings, store=store, clock=clock, connectors=connectors, definitions=definitions, run=run)
    context = dataclasses.replace(context, epoch=epoch_keeper(store, state_dir, clock))
    gateways = wiring.build_gateways(settings, context, closers)
    context = dataclasses.replace(context, connectors=dataclasses.replace(connectors, gateways=gateways))
    door = ProviderDoor(definitions, list(accounts.values()))
    return Installation(
        settings=settings, state_dir=state_dir, store=store, context=context, door=door, clock=clock, closers=closers
    )


def load_provider_definitions(state_dir: Path | None) -> dict[str, Definition]:
    """Read the packaged definitions; a folder in the state directory overrides one or adds another."""
    roots = [resources.data_path("providers")]
    own = state_dir / "providers" if state_dir else None
    if own is not None and own.is_dir():
        roots.append(own)
    return load_definitions(roots)


def load_templates(locale: str) -> TemplateBook:
    """Read the message templates of a language."""
    return parse_templates(wiring.read_toml("config", "templates", f"{locale}.toml"))


def policy_of(settings: Settings) -> Policy:
    """Build the rules' numbers from the configuration."""
    limits = {name: value for name, value in settings.limits.model_dump().items() if value is not None}
    try:
        modes = {BreakKind(kind): Mode(word) for kind, word in settings.modes.breaks.items()}
    except ValueError as error:
        text = f"modes.breaks: {error}; allowed are {', '.join(kind.value for kind in BreakKind)}"
        raise ConfigError(text) from error
    return Policy(mode=Mode(settings.modes.default), modes=modes, **limits)


def _context(
    settings: Settings,
    *,
    store: Store,
    clock: Clock,
    connectors: Connectors,
    definitions: Mapping[str, Definition],
    run: Runner,
) -> Context:
    policy = policy_of(settings)
    rules = {name: definition.rules() for name, definition in definitions.items()}
    store.write(flips.raise_holds, now=clock.now())
    rules = store.read(flips.with_holds, rules)
    config_hash = store.write(decisions.remember_configuration, policy, rules, now=clock.now())
    words = settings.messages
    return Context(
        store=store,
        clock=clock.now,
        run=run,
        policy=policy,
        providers=rules,
        sources={
            name: SourceRules(refund_owner=RefundOwner(s.refund_owner), lag=timedelta(seconds=s.lag_seconds))
            for name, s in settings.sources.items()
        },
        words=Words(
            book=load_templates(settings.server.locale),
            reasons=parse_reasons(wiring.read_toml("config", "reasons.toml")),
            provider_titles={name: d.title for name, d in definitions.items()},
            default_channel=words.default_channel,
            operator_channel=words.operator_channel,
            operator_address=words.operator_address,
            operator_name=words.operator_name,
            complaint_channel=words.complaint_channel,
            answer_base_url=settings.server.public_url.rstrip("/"),
        ),
        config_hash=config_hash,
        mint=mint,
        secret=settings.server.secret.get_secret_value().encode(),
        connectors=connectors,
    )


def _accounts(settings: Settings, definitions: Mapping[str, Definition]) -> dict[tuple[str, str], ProviderAccount]:
    accounts = {}
    for name, table in settings.providers.items():
        provider = table.definition or name
        if provider not in definitions:
            text = f"providers.{name}: there is no definition {provider!r}; known: {', '.join(sorted(definitions))}"
            raise ConfigError(text)
        accounts[provider, table.account] = ProviderAccount(
            provider=provider,
            name=table.account,
            credentials={key: value.get_secret_value() for key, value in table.credentials.items()},
            base_url=table.base_url,
            allow_http=table.allow_http,
            allow_private=table.allow_private,
            callback_secrets=tuple(secret.get_secret_value() for secret in table.callback_secrets),
            accepts_callbacks=table.accepts_callbacks,
            testing=table.testing,
        )
    return accounts


def _clients(
    settings: Settings,
    definitions: Mapping[str, Definition],
    accounts: Mapping[tuple[str, str], ProviderAccount],
    closers: list[Callable[[], Awaitable[Any]]],
) -> dict[tuple[str, str], ProviderClient]:
    """Build one HTTP client a provider, shared by its accounts (performance 1)."""
    deadline = settings.checks.deadline_seconds
    clients = {}
    for provider in sorted({account.provider for account in accounts.values()}):
        mine = [account for account in accounts.values() if account.provider == provider]
        http = make_http_client(definitions[provider], accounts=mine, deadline_seconds=deadline)
        closers.append(http.aclose)
        for account in mine:
            clients[provider, account.name] = ProviderClient(
                definitions[provider], account, http, deadline_seconds=deadline
            )
    return clients


__all__: Sequence[str] = (
    "CONFIG_FILE",
    "Clock",
    "GrantedClock",
    "Installation",
    "SystemClock",
    "epoch_keeper",
    "load_provider_definitions",
    "load_templates",
    "mint",
    "open_installation",
    "open_store",
    "policy_of",
    "state_dir_of",
    "store_url",
    "upgrade_store",
)
