"""One life of rekon in a simulation: the real stages and the real SQL, with an end that may come at any place."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any, Final

import httpx

from rekon import bootstrap, wiring
from rekon.connectors.channels.webhook import WebhookChannel
from rekon.connectors.gateways.contract import Gateway, GatewayClass
from rekon.connectors.gateways.http import HttpGateway, HttpGatewaySettings
from rekon.connectors.providers.account import ProviderAccount
from rekon.connectors.providers.callbacks import ProviderDoor
from rekon.connectors.providers.client import ProviderClient
from rekon.connectors.providers.definition import Definition
from rekon.daemon import Heart
from rekon.domain.breaks import Mode
from rekon.domain.message import Reasons, parse_reasons
from rekon.domain.policy import Policy
from rekon.domain.transaction import RefundOwner
from rekon.simulation.door import Desk
from rekon.simulation.memory import Memory, Mortal, Point
from rekon.simulation.network import HOST
from rekon.stages.context import Connectors, Context, Words, inline
from rekon.store import decisions, leases
from rekon.store.dossier import SourceRules

SECRET: Final = b"simulated-secret-0123456789abcdef"
_LAG: Final = timedelta(seconds=2)
_OWNERS: Final = {"toko": RefundOwner.REKON, "mandiri": RefundOwner.SERVER}
_CREDENTIALS: Final[Mapping[str, Mapping[str, str]]] = {
    "digiflazz": {"username": "rekonuser", "api_key": "dev-key-123"},
    "iak": {"username": "081234567890", "api_key": "dev-key-123"},
    "otomax": {"member_id": "RK0001", "pin": "1234", "password": "rahasia"},
}
_CALLBACK_SECRETS: Final = {"digiflazz": ("rahasia-demo-callback-0123456789",)}
_DEADLINE: Final = 10.0
_WINDOW: Final = 24 * 3600
_NEXT_BEAT: Final = timedelta(seconds=1)
_SLEEP_MAX: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a life finds when it begins."""

    memory: Memory
    clock: Callable[[], datetime]
    policy: Policy
    gateway_class: GatewayClass
    transport: httpx.AsyncBaseTransport = field(repr=False)
    point: Point = field(repr=False)
    rng: Random = field(repr=False)
    is_alone: bool = True


@cache
def _definitions() -> Mapping[str, Definition]:
    return bootstrap.load_provider_definitions(None)


@cache
def _accounts() -> Mapping[tuple[str, str], ProviderAccount]:
    return {
        (provider, "utama"): ProviderAccount(
            provider=provider,
            name="utama",
            credentials=dict(credentials),
            base_url=f"{HOST}/{provider}",
            allow_http=True,
            allow_private=True,
            callback_secrets=_CALLBACK_SECRETS.get(provider, ()),
        )
        for provider, credentials in _CREDENTIALS.items()
    }


@cache
def _words() -> Words:
    reasons: Reasons = parse_reasons(wiring.read_toml("config", "reasons.toml"))
    return Words(
        book=bootstrap.load_templates("id"),
        reasons=reasons,
        provider_titles={name: d.title for name, d in _definitions().items()},
        default_channel="webhook",
        operator_channel="webhook",
        operator_address="operator",
        complaint_channel="webhook",
        answer_base_url="http://rekon.test",
    )


def automatic() -> Policy:
    """Build the rules of an installation that acts by itself."""
    return Policy(mode=Mode.AUTOMATIC)


class Life:
    """One process of rekon."""

    def __init__(self, setting: Setting) -> None:
        """Open the database and every connector, as the composition root does."""
        self._setting = setting
        self.wake = asyncio.Event()
        self.context = self._context()
        self.desk = Desk(
            write=self.context.write,
            read=self.context.read,
            clock=setting.clock,
            providers=ProviderDoor(_definitions(), list(_accounts().values())),
            secret=SECRET,
        )

    def _context(self) -> Context:
        setting = self._setting
        store = Mortal(setting.memory, setting.point)
        rules = {name: definition.rules() for name, definition in _definitions().items()}
        return Context(
            store=store,
            clock=setting.clock,
            run=inline,
            policy=setting.policy,
            providers=rules,
            sources={name: SourceRules(refund_owner=owner, lag=_LAG) for name, owner in _OWNERS.items()},
            words=_words(),
            config_hash=store.write(decisions.remember_configuration, setting.policy, rules, now=setting.clock()),
            mint=lambda: f"{setting.rng.getrandbits(64):016x}",
            secret=SECRET,
            connectors=self._connectors(),
        )

    def _connectors(self) -> Connectors:
        client = httpx.AsyncClient(transport=self._setting.transport, trust_env=False)
        return Connectors(
            definitions=_definitions(),
            accounts=_accounts(),
            clients={
                key: ProviderClient(_definitions()[key[0]], account, client, deadline_seconds=_DEADLINE)
                for key, account in _accounts().items()
            },
            gateways={source: self._gateway(source, client) for source in _OWNERS},
            channels={"webhook": WebhookChannel(client, url=f"{HOST}/messages")},
        )

    def _gateway(self, source: str, client: httpx.AsyncClient) -> Gateway:
        return HttpGateway(
            client,
            HttpGatewaySettings(
                name=source,
                base_url=f"{HOST}/servers/{source}",
                gateway_class=self._setting.gateway_class,
                window_seconds=_WINDOW,
                deadline_seconds=_DEADLINE,
            ),
        )

    async def live(self, until: datetime) -> None:
        """Start as the daemon does, then beat whenever something is due or came in."""
        context = self.context
        if self._setting.is_alone:
            await context.write(leases.release_all, context.clock())
        heart = Heart(context)
        while context.clock() < until:
            self.wake.clear()
            next_due = await heart.beat()
            await self._sleep(next_due, until=until)

    async def _sleep(self, next_due: datetime | None, *, until: datetime) -> None:
        now = self.context.clock()
        wanted = min(next_due or until, now + _SLEEP_MAX, until)
        seconds = max(wanted - now, _NEXT_BEAT).total_seconds()
        try:
            async with asyncio.timeout(seconds):
                await self.wake.wait()
        except TimeoutError:
            return


def with_less(policy: Policy) -> Policy:
    """Tighten a configuration: what a careful operator does after a bad morning."""
    half: dict[str, Any] = {"auto_max_own_books": policy.auto_max_own_books // 2}
    return replace(policy, **half)
