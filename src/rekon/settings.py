"""The configuration of one installation: `rekon.toml`, secrets from files, unknown keys refused.

Only bootstrap reads this module. A secret stands in a file (`{file = "/path"}`), in a systemd credential
(`{credential = "name"}`) or, for trying things out, in the configuration itself.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo

_SECRET_BYTES_MIN = 24
_TOKEN_BYTES_MIN = 16


class ConfigError(Exception):
    """The configuration cannot be used. The text names file, line, key and what is allowed."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _from_file(value: object, info: ValidationInfo) -> object:
    """Accept `{file = "path"}` for a secret: the file's text without its final newline.

    A path that is not absolute starts at the configuration's folder, wherever the program was started.
    """
    if isinstance(value, dict) and set(value) == {"file"}:
        folder = (info.context or {}).get("folder", Path())
        return Path(folder, value["file"]).read_text(encoding="utf-8").rstrip("\n")
    if isinstance(value, dict) and set(value) == {"credential"}:
        folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
        return Path(folder, value["credential"]).read_text(encoding="utf-8").rstrip("\n")
    return value


Secret = Annotated[SecretStr, BeforeValidator(_from_file)]


class Server(_Table):
    """Where rekon listens, and its own secrets."""

    host: str = "127.0.0.1"
    port: int = Field(default=8750, ge=1, le=65535)
    public_url: str = ""
    """Address agents reach this installation by; empty sends no answer links."""
    secret: Secret
    """Signs answer links and derives voucher codes; at least 24 bytes."""
    audit_secret: Secret | None = None
    """Seals the audit; missing takes `secret`. Put the old secret here when `secret` is changed, or no seal fits."""
    api_keys: dict[str, Secret] = {}
    """Keys of the programs that may write, by name."""
    callback_token: Secret
    """Unguessable part of the callback address; at least 16 bytes."""
    telegram_token: Secret | None = None
    """Unguessable part of the address Telegram posts to."""
    locale: Literal["id", "en"] = "id"


class StoreTable(_Table):
    """Where the database is."""

    url: str = ""
    """Empty takes `rekon.sqlite3` in the state directory."""


class Source(_Table):
    """One book of orders and wallet lines, and who gives money back there."""

    refund_owner: Literal["rekon", "server", "provider", "manual"] = "manual"
    lag_seconds: int = Field(default=60, ge=0, le=86_400)
    zone: str = "Asia/Jakarta"
    gateway: str = ""
    """Name of a `[gateway.<name>]`; empty means money goes back by hand."""
    drop_folder: str = ""
    sql_url: Secret | None = None
    sql_preset: str = ""
    words: dict[str, dict[str, str]] = {}
    """This server's own words by field, added to the preset's: provider, family and order_status codes differ a lot."""
    sql_every_seconds: int = Field(default=30, ge=5, le=86_400)


class Provider(_Table):
    """One account at a provider."""

    definition: str = ""
    """Name of the definition; empty takes the table's own name."""
    account: str = ""
    credentials: dict[str, Secret] = {}
    base_url: str = ""
    callback_secrets: tuple[Secret, ...] = ()
    accepts_callbacks: bool = True
    callbacks: Literal["own", "front", "behind"] = "own"
    """Whose address the provider calls: rekon's alone, rekon's in front of the server, or the server's before rekon."""
    forward_to: Secret | None = None
    """In front: the server's own callback address."""
    forward_allow_http: bool = False
    forward_allow_private: bool = False
    allow_http: bool = False
    allow_private: bool = False
    testing: bool = False


class GatewayTable(_Table):
    """One way for money to go back."""

    kind: Literal["http", "book", "sql"]
    url: str = ""
    token: Secret | None = None
    gateway_class: Literal["G0", "G1", "G2"] = "G0"
    window_hours: int = Field(default=24, ge=1, le=24 * 30)
    sql_url: Secret | None = None
    preset: str = ""
    allow_http: bool = False
    allow_private: bool = False


class ChannelTable(_Table):
    """One way for messages to leave."""

    kind: Literal["file", "webhook", "telegram", "whatsapp", "email", "sql_outbox"]
    options: dict[str, str | int | bool] = {}
    secrets: dict[str, Secret] = {}


class Messages(_Table):
    """Who is told by which channel."""

    default_channel: str = "file"
    operator_channel: str = "file"
    operator_address: str = ""
    operator_name: str = "Operator"
    complaint_channel: str = ""


ModeWord = Literal["observe", "propose", "automatic"]


class Modes(_Table):
    """How far rekon may go: one word for all, and one per break kind."""

    default: ModeWord = "observe"
    breaks: dict[str, ModeWord] = {}


class Limits(_Table):
    """Amounts in whole rupiah. Missing keys keep the rulebook's defaults."""

    auto_max_own_books: int | None = Field(default=None, gt=0)
    auto_max_provider_proof: int | None = Field(default=None, gt=0)
    one_approver_max: int | None = Field(default=None, gt=0)
    breaker_count: int | None = Field(default=None, gt=0)
    breaker_amount: int | None = Field(default=None, gt=0)
    agent_day_count: int | None = Field(default=None, gt=0)
    agent_day_amount: int | None = Field(default=None, gt=0)
    voucher_month_budget: int | None = Field(default=None, ge=0)
    vouchers_per_agent_month: int | None = Field(default=None, ge=0)


class Clock(_Table):
    """Whose clock counts. `granted` is for the demo: the sandbox owns business time and grants it in steps."""

    kind: Literal["system", "granted"] = "system"
    url: str = ""


class Checks(_Table):
    """How questions to providers are sent."""

    deadline_seconds: float = Field(default=15.0, gt=0, le=60)


class Settings(_Table):
    """The whole configuration."""

    server: Server
    store: StoreTable = StoreTable()
    sources: dict[str, Source] = {}
    providers: dict[str, Provider] = {}
    gateway: dict[str, GatewayTable] = {}
    channels: dict[str, ChannelTable] = {"file": ChannelTable(kind="file")}
    messages: Messages = Messages()
    modes: Modes = Modes()
    limits: Limits = Limits()
    clock: Clock = Clock()
    checks: Checks = Checks()


def load(path: Path) -> Settings:
    """Read and check a configuration file.

    Raises:
        ConfigError: for a missing file, a TOML error, an unknown key, a bad or missing value; with file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        message = f"{path}: cannot be read ({error.strerror}). Create it with `rekon init`."
        raise ConfigError(message) from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = f"{path}: {error}"
        raise ConfigError(message) from error
    try:
        settings = Settings.model_validate(raw, context={"folder": path.resolve().parent})
    except ValidationError as error:
        raise ConfigError(_explain(path, text, error)) from error
    except OSError as error:
        message = f"{path}: a secret's file cannot be read: {error.filename}"
        raise ConfigError(message) from error
    _check(path, settings)
    return settings


def _explain(path: Path, text: str, error: ValidationError) -> str:
    """Say for each fault: file, line, key, what is wrong. Values are left out: one may be a secret."""
    lines = []
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        place = [str(part) for part in fault["loc"]]
        said = _allowed(place) if fault["type"] == "extra_forbidden" else fault["msg"]
        lines.append(f"{path}:{_line_of(text, place)}: {'.'.join(place)}: {said}")
    return "\n".join(lines)


def _allowed(place: list[str]) -> str:
    """Name the keys of the table an unknown one stands in; a table with a name of its own is a mapping of tables."""
    table: Any = Settings
    for part in place[:-1]:
        table = table.model_fields[part].annotation if hasattr(table, "model_fields") else get_args(table)[1]
    return f"not a known key; allowed: {', '.join(table.model_fields)}"


def _line_of(text: str, place: list[str]) -> int:
    """Find the line of a key: inside its table if the table is written, else the table's own line."""
    table, key = place[:-1], place[-1]
    header, found = 1, False
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if bare.startswith("["):
            named = bare.strip("[]").replace('"', "").split(".")
            if named == place:
                return number
            found = named == table
            header = number if found else header
        elif found and bare.split("=")[0].strip().strip('"') == key:
            return number
    return header


def _check(path: Path, settings: Settings) -> None:
    server = settings.server
    if len(server.secret.get_secret_value()) < _SECRET_BYTES_MIN:
        message = f"{path}: server.secret needs at least {_SECRET_BYTES_MIN} characters; `rekon init` makes one"
        raise ConfigError(message)
    if len(server.callback_token.get_secret_value()) < _TOKEN_BYTES_MIN:
        message = f"{path}: server.callback_token needs at least {_TOKEN_BYTES_MIN} characters; `rekon init` makes one"
        raise ConfigError(message)
    for name, source in settings.sources.items():
        if source.gateway and source.gateway not in settings.gateway:
            allowed = ", ".join(sorted(settings.gateway)) or "none is configured"
            message = f"{path}: sources.{name}.gateway: there is no [gateway.{source.gateway}]; known: {allowed}"
            raise ConfigError(message)
    _check_callbacks(path, settings)
    if server.audit_secret is not None and len(server.audit_secret.get_secret_value()) < _SECRET_BYTES_MIN:
        message = f"{path}: server.audit_secret needs at least {_SECRET_BYTES_MIN} characters"
        raise ConfigError(message)
    known = settings.channels
    for name in ("default_channel", "operator_channel", "complaint_channel"):
        wanted = getattr(settings.messages, name)
        if wanted and wanted not in known:
            message = f"{path}: messages.{name}: there is no [channels.{wanted}]; known: {', '.join(sorted(known))}"
            raise ConfigError(message)


def _check_callbacks(path: Path, settings: Settings) -> None:
    """A callback does not say to which account it belongs, so all accounts of a provider take theirs the same way."""
    ways: dict[str, tuple[str, str]] = {}
    for name, table in settings.providers.items():
        where = table.forward_to.get_secret_value() if table.forward_to else ""
        if (table.callbacks == "front") is not bool(where):
            message = f'{path}: providers.{name}: callbacks = "front" and forward_to belong together'
            raise ConfigError(message)
        if table.callbacks == "front" and not table.accepts_callbacks:
            message = f'{path}: providers.{name}: callbacks = "front" needs accepts_callbacks = true'
            raise ConfigError(message)
        provider = table.definition or name
        if ways.setdefault(provider, (table.callbacks, where)) != (table.callbacks, where):
            message = f"{path}: providers.{name}: every account of {provider} has the same callbacks and forward_to"
            raise ConfigError(message)
