"""Build gateways, channels and feeds from the configuration. Only bootstrap calls this."""

import asyncio
import tomllib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import ArgumentError

from rekon import resources
from rekon.connectors.channels.contract import Channel
from rekon.connectors.channels.email import EmailChannel, MailSecurity, MailServer
from rekon.connectors.channels.file import FileChannel
from rekon.connectors.channels.sql_outbox import SqlOutboxChannel, generic_outbox, otomax_outbox
from rekon.connectors.channels.telegram import TelegramChannel
from rekon.connectors.channels.webhook import WebhookChannel
from rekon.connectors.channels.whatsapp import WhatsAppChannel
from rekon.connectors.gateways.contract import Gateway, GatewayClass
from rekon.connectors.gateways.http import HttpGateway, HttpGatewaySettings
from rekon.connectors.providers.relay import RelayError, RelayTarget
from rekon.connectors.sources.mapping import parse_mapping
from rekon.connectors.sources.read_only import UnsupportedDatabaseError, read_only_engine
from rekon.connectors.sources.sql import SqlSource
from rekon.settings import ChannelTable, ConfigError, GatewayTable, Settings, Source
from rekon.stages.book_gateway import BookGateway
from rekon.stages.context import Context, Feed

if TYPE_CHECKING:
    from rekon.connectors.gateways.sql import SqlGateway

Closers = list[Callable[[], Awaitable[Any]]]


def read_toml(*parts: str) -> dict[str, Any]:
    """Read a packaged TOML file."""
    return tomllib.loads(resources.data_path(*parts).read_text(encoding="utf-8"))


def build_feeds(settings: Settings, state_dir: Path, closers: Closers) -> Iterator[Feed]:
    """Build what rekon reads by itself: watched folders and the servers' own databases, opened for reading only."""
    for source, table in settings.sources.items():
        database = None
        if table.sql_url is not None:
            document = read_toml("config", "sources", f"{table.sql_preset}.toml")
            mapping = parse_mapping(document, zone=table.zone, words=table.words)
            engine = _reader(source, table.sql_url.get_secret_value())
            closers.append(partial(asyncio.to_thread, engine.dispose))
            database = SqlSource(engine, mapping)
        if database is not None or table.drop_folder:
            folder = state_dir / table.drop_folder if table.drop_folder else None
            yield Feed(source=source, zone=ZoneInfo(table.zone), folder=folder, database=database)


def _reader(source: str, url: str) -> Engine:
    """Build the engine that can only read. A fault never repeats the address, which holds a password."""
    try:
        return read_only_engine(url)
    except UnsupportedDatabaseError as error:
        text = f"sources.{source}.sql_url: {error}; export files instead"
    except ArgumentError:
        text = f"sources.{source}.sql_url: not an address such as postgresql+psycopg://user:password@host/name"
    raise ConfigError(text)


def _plain_client(closers: Closers) -> httpx.AsyncClient:
    client = httpx.AsyncClient(trust_env=False, follow_redirects=False, limits=httpx.Limits(max_connections=8))
    closers.append(client.aclose)
    return client


def build_gateways(settings: Settings, context: Context, closers: Closers) -> dict[str, Gateway]:
    """Build the gateway of every source that has one."""
    built: dict[str, Gateway] = {}
    for source, table in settings.sources.items():
        if table.gateway:
            built[source] = _gateway(table, settings.gateway[table.gateway], settings, context, closers)
    return built


def _gateway(
    source: Source,
    table: GatewayTable,
    settings: Settings,
    context: Context,
    closers: Closers,
) -> Gateway:
    if table.kind == "book":
        return BookGateway(context)
    if table.kind == "sql":
        return sql_gateway(source.gateway, table, context.clock, zone=source.zone, words=source.words)
    return HttpGateway(
        _plain_client(closers),
        HttpGatewaySettings(
            name=source.gateway,
            base_url=table.url,
            gateway_class=GatewayClass(table.gateway_class),
            window_seconds=table.window_hours * 3600,
            deadline_seconds=settings.checks.deadline_seconds,
            token=table.token.get_secret_value() if table.token else "",
        ),
    )


def sql_gateway(
    name: str,
    table: GatewayTable,
    clock: Callable[[], datetime],
    *,
    zone: str | None = None,
    words: Mapping[str, Mapping[str, str]] | None = None,
) -> "SqlGateway":
    """Build the way to pay inside a server's own database; zone and words are those of the source it belongs to.

    Raises:
        ConfigError: when the table does not say where and how.
    """
    from rekon.connectors.gateways.sql import SqlGateway, parse_preset  # noqa: PLC0415 - only installations that use it

    if table.sql_url is None or not table.preset:
        text = f"gateway.{name}: kind sql needs sql_url and preset"
        raise ConfigError(text)
    preset = parse_preset(read_toml("config", "sources", f"{table.preset}.toml"), zone=zone, words=words)
    return SqlGateway(create_engine(table.sql_url.get_secret_value()), preset, clock=clock, name=name)


def build_relays(settings: Settings, closers: Closers) -> dict[str, RelayTarget]:
    """Build the servers' own callback addresses, by provider."""
    built: dict[str, RelayTarget] = {}
    for name, table in settings.providers.items():
        provider = table.definition or name
        if table.forward_to is None or provider in built:
            continue
        try:
            built[provider] = RelayTarget(
                table.forward_to.get_secret_value(),
                allow_http=table.forward_allow_http,
                allow_private=table.forward_allow_private,
            )
        except RelayError as error:
            text = f"providers.{name}.forward_to: {error}"
            raise ConfigError(text) from error
        closers.append(built[provider].aclose)
    return built


def build_channels(settings: Settings, state_dir: Path, closers: Closers) -> dict[str, Channel]:
    """Build every configured channel by its name."""
    return {name: _channel(name, table, state_dir, closers) for name, table in settings.channels.items()}


def _channel(name: str, table: ChannelTable, state_dir: Path, closers: Closers) -> Channel:
    options = dict(table.options)
    hidden = {key: value.get_secret_value() for key, value in table.secrets.items()}
    if table.kind == "file":
        return FileChannel(state_dir / str(options.get("folder", "messages")), name=name)
    if table.kind == "email":
        server = MailServer(
            hostname=str(options["hostname"]),
            port=int(options.get("port", 587)),
            security=MailSecurity(str(options.get("security", "starttls"))),
            username=str(options.get("username", "")),
            password=hidden.get("password", ""),
        )
        return EmailChannel(server, sender=str(options["sender"]), name=name)
    if table.kind == "sql_outbox":
        preset = (
            otomax_outbox()
            if options.get("preset") == "otomax"
            else generic_outbox(str(options.get("table", "rekon_outbox")))
        )
        return SqlOutboxChannel(create_engine(hidden["url"]), preset, name=name)
    return _http_channel(name, table.kind, options, hidden, _plain_client(closers))


def _http_channel(
    name: str, kind: str, options: Mapping[str, str | int | bool], hidden: Mapping[str, str], client: httpx.AsyncClient
) -> Channel:
    if kind == "telegram":
        return TelegramChannel(client, token=hidden["token"], name=name)
    if kind == "whatsapp":
        return WhatsAppChannel(
            client, token=hidden["token"], phone_number_id=str(options["phone_number_id"]), approved={}, name=name
        )
    return WebhookChannel(
        client, url=str(options["url"]), secrets=[hidden["secret"]] if "secret" in hidden else [], name=name
    )
