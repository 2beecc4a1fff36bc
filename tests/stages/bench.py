"""The stages on a bench: real store, real connectors, a played world on loopback, and a clock the test holds."""

import functools
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import Table

from rekon import bootstrap, wiring
from rekon.connectors.channels.webhook import WebhookChannel
from rekon.connectors.gateways.contract import GatewayClass
from rekon.connectors.gateways.http import HttpGateway, HttpGatewaySettings
from rekon.connectors.providers.account import ProviderAccount
from rekon.connectors.providers.callbacks import ProviderDoor
from rekon.connectors.providers.client import ProviderClient
from rekon.connectors.providers.definition import Definition
from rekon.connectors.providers.http_client import make_http_client
from rekon.daemon import Heart
from rekon.domain.callback import Verdict
from rekon.domain.message import Reasons, TemplateBook, parse_reasons
from rekon.domain.policy import Policy
from rekon.domain.transaction import RefundOwner
from rekon.sandbox.app import create_app
from rekon.sandbox.clock import DemoClock
from rekon.sandbox.parcels import Answer, Call
from rekon.sandbox.people import SOURCES
from rekon.sandbox.skin import Pace
from rekon.sandbox.story import Sale, Story
from rekon.sandbox.world import Knobs, World
from rekon.stages.context import Connectors, Context, Words, inline
from rekon.store import decisions, inbox, intake, schema
from rekon.store.dossier import SourceRules
from rekon.store.engine import Store
from tests import builders
from tests.stages.switchboard import Switchboard
from tests.stages.tampering import Tampering
from tests.store import filling

CALLBACK_SECRET = "rahasia-demo-callback-0123456789"
SECRET = b"bench-secret-0123456789abcdef0123"
CREDENTIALS = {
    "digiflazz": {"username": "rekonuser", "api_key": "dev-key-123"},
    "iak": {"username": "081234567890", "api_key": "dev-key-123"},
    "otomax": {"member_id": "RK0001", "pin": "1234", "password": "rahasia"},
}
_OWNERS = {"toko": RefundOwner.REKON, "mandiri": RefundOwner.SERVER}


@functools.cache
def definitions() -> Mapping[str, Definition]:
    return bootstrap.load_provider_definitions(None)


@functools.cache
def templates() -> TemplateBook:
    return bootstrap.load_templates("id")


@functools.cache
def reasons() -> Reasons:
    return parse_reasons(wiring.read_toml("config", "reasons.toml"))


def accounts(url: str) -> dict[tuple[str, str], ProviderAccount]:
    """Configure the demo's account at each provider, served below `url`."""
    return {
        (name, "utama"): ProviderAccount(
            provider=name,
            name="utama",
            credentials=credentials,
            base_url=f"{url}/{name}",
            allow_http=True,
            allow_private=True,
            callback_secrets=(CALLBACK_SECRET,) if name == "digiflazz" else (),
        )
        for name, credentials in CREDENTIALS.items()
    }


class CallbackDoor:
    """Takes the world's callbacks in the way the desk does, without the desk."""

    def __init__(self, store: Store, door: ProviderDoor) -> None:
        self._store = store
        self._door = door
        self.clock = lambda: builders.T0
        self.came: list[Call] = []

    async def call(self, call: Call) -> Answer:
        """Keep callbacks; everything else is taken by `Bench.push`."""
        if call.path.startswith("/callbacks/"):
            self.came.append(call)
            self.keep(call)
        return Answer(status=200, body=b"{}")

    def keep(self, call: Call) -> None:
        """Judge and store one callback; a forged one leaves nothing."""
        provider = call.path.split("/")[2]
        raw = call.query.encode() if call.method == "GET" else call.content
        headers = {name.lower(): value for name, value in call.headers.items()}
        verdict = self._door.verify(provider, headers, raw)
        if verdict is Verdict.REFUSED:
            return
        kind = headers.get("content-type", "")
        self._store.write(
            inbox.store, provider=provider, body=raw, content_type=kind, verdict=verdict, now=self.clock()
        )


@dataclass(kw_only=True)
class Bench:
    """Everything a test of a stage may look at and turn."""

    world: World
    clock: DemoClock
    store: Store
    context: Context
    tampering: Tampering
    door: CallbackDoor

    @property
    def now(self) -> datetime:
        return self.clock.now

    async def forward(self, seconds: float) -> None:
        """Let time pass: the world plays, callbacks arrive, both servers' books are read."""
        self.clock.now += timedelta(seconds=seconds)
        self.world.advance(self.now)
        await self.world.courier.deliver(self.now)
        self.push()

    def push(self) -> None:
        """Read both servers' books up to now."""
        for source, server in self.world.servers.items():
            newest = {row["transaction_id"]: row for _, row in server.changes}
            for book, rows in (("orders", list(newest.values())), ("wallet", server.wallets.lines)):
                batch = intake.Batch(book=book, source=source, rows=rows, origin="bench", as_of=self.now)
                self.store.write(intake.take, batch, now=self.now)

    async def beat(self) -> datetime | None:
        """Run every stage until nothing is due now."""
        return await Heart(self.context).beat()

    async def beats(self, *seconds: float) -> None:
        """Let time pass in these steps, with a beat after each."""
        for step in seconds:
            await self.forward(step)
            await self.beat()

    def rows(self, table: Table, **equal: Any) -> list[dict[str, Any]]:
        return filling.rows(self.store, table, **equal)

    def one(self, table: Table, **equal: Any) -> dict[str, Any]:
        return filling.one(self.store, table, **equal)

    def credits(self, source: str = "toko") -> list[Mapping[str, Any]]:
        """List what a server's wallets truly got back, opening balances left out."""
        lines = self.world.servers[source].wallets.lines
        return [line for line in lines if line["kind"] == "refund"]

    def asked(self, sale: Sale) -> list[Mapping[str, Any]]:
        """List the questions that reached the provider about a sale."""
        rows = self.world.journals[sale.provider].rows("inquiry")
        return [row for row in rows if row["ref_id"] == sale.ref_id and row["via"] == "http"]


@asynccontextmanager
async def prepared(
    store: Store,
    board: Switchboard,
    story: Story,
    *,
    policy: Policy | None = None,
    gateway_class: str = "G2",
    deadline_seconds: float = 15.0,
    pace: Pace | None = None,
    provider_url: str = "",
    sources: Sequence[str] = SOURCES,
) -> AsyncIterator[Bench]:
    """Connect a played world to the switchboard and build a context that speaks with it."""
    door = CallbackDoor(store, ProviderDoor(definitions(), list(accounts(board.url).values())))
    knobs = Knobs(gateway_class=gateway_class, lost_replies=())
    world = World(story, door=door, knobs=knobs)
    sales = (*story.sales, *story.imported)
    for sale in sales:
        world.cores[sale.provider].prices[sale.product.sku(sale.provider)] = sale.product.cost
    world.start()
    clock = DemoClock(world, speed=None, wall=lambda: 0.0)
    door.clock = lambda: clock.now
    tampering = Tampering(create_app(world, clock, pace=pace))
    board.app = tampering
    async with AsyncExitStack() as stack:
        connectors = await _connectors(
            board.url,
            stack,
            provider_url=provider_url or board.url,
            providers={sale.provider for sale in sales},
            gateway_class=gateway_class,
            deadline_seconds=deadline_seconds,
            sources=sources,
        )
        context = _context(store, clock, policy or builders.build_policy(), connectors)
        store.write(decisions.remember_configuration, context.policy, context.providers, now=clock.now)
        yield Bench(world=world, clock=clock, store=store, context=context, tampering=tampering, door=door)


async def _connectors(
    url: str,
    stack: AsyncExitStack,
    *,
    provider_url: str,
    providers: Collection[str],
    gateway_class: str,
    deadline_seconds: float,
    sources: Sequence[str],
) -> Connectors:
    known = {key: account for key, account in accounts(provider_url).items() if key[0] in providers}
    plain = await stack.enter_async_context(httpx.AsyncClient(verify=False, trust_env=False))  # noqa: S501 - no TLS here
    clients = {}
    for (name, account_name), account in known.items():
        http = make_http_client(definitions()[name], accounts=[account], deadline_seconds=deadline_seconds)
        await stack.enter_async_context(http)
        client = ProviderClient(definitions()[name], account, http, deadline_seconds=deadline_seconds)
        clients[name, account_name] = client
    gateways = {
        source: HttpGateway(
            plain,
            HttpGatewaySettings(
                name=source,
                base_url=f"{url}/servers/{source}",
                gateway_class=GatewayClass(gateway_class),
                window_seconds=86_400,
                deadline_seconds=deadline_seconds,
            ),
        )
        for source in sources
    }
    return Connectors(
        definitions=definitions(),
        accounts=known,
        clients=clients,
        gateways=gateways,
        channels={"webhook": WebhookChannel(plain, url=f"{url}/messages")},
    )


def _context(store: Store, clock: DemoClock, policy: Policy, connectors: Connectors) -> Context:
    minted = iter(range(1, 1_000_000))
    return Context(
        store=store,
        clock=lambda: clock.now,
        run=inline,
        policy=policy,
        providers={name: definition.rules() for name, definition in definitions().items()},
        sources={name: SourceRules(refund_owner=owner, lag=timedelta(0)) for name, owner in _OWNERS.items()},
        words=Words(
            book=templates(),
            reasons=reasons(),
            provider_titles={name: definition.title for name, definition in definitions().items()},
            default_channel="webhook",
            operator_channel="webhook",
            operator_address="operator",
            complaint_channel="webhook",
            answer_base_url="http://127.0.0.1:8750",
        ),
        config_hash="0" * 64,
        mint=lambda: f"lease-{next(minted)}",
        secret=SECRET,
        connectors=connectors,
    )


def with_channel(context: Context, channel: Any) -> Context:
    """Give a context another way for messages to leave."""
    return replace(context, connectors=replace(context.connectors, channels={"webhook": channel}))


def refund_row(bench: Bench) -> dict[str, Any]:
    """Read the only refund there is."""
    return bench.one(schema.refunds)
