"""What `rekon doctor` looks at in files: configuration, secrets, providers, templates."""

import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from rekon import bootstrap, resources
from rekon.cli.options import TOKEN_VARIABLE
from rekon.connectors.providers.account import AccountError, ProviderAccount, check_account
from rekon.connectors.providers.callbacks import CallbackSecretError, ProviderDoor
from rekon.connectors.providers.definition import Definition, DefinitionError
from rekon.domain.breaks import BreakKind
from rekon.domain.message import MessageError, lint, parse_reasons, render
from rekon.domain.message_book import TemplateBook
from rekon.settings import ConfigError, Provider, Settings

CHECKED_MAX = timedelta(days=180)
"""Facts about a provider older than this are compared again with its documents."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_VARIABLES = frozenset({"REKON_CONFIG", TOKEN_VARIABLE, "REKON_TEST_PG_DSN"})
_SECRET_WORDS = frozenset({"secret", "token", "callback_token", "telegram_token", "sql_url", "callback_secrets"})
_SECRET_TABLES = frozenset({"api_keys", "credentials", "secrets"})

Level = Literal["ok", "info", "warn", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. The text is Indonesian and says what to do where something is to be done."""

    level: Level
    name: str
    text: str


def ok(name: str, text: str) -> Finding:
    """Say that something is as it should be."""
    return Finding(level="ok", name=name, text=text)


def info(name: str, text: str) -> Finding:
    """Show how something is set."""
    return Finding(level="info", name=name, text=text)


def warn(name: str, text: str) -> Finding:
    """Say that something should be better."""
    return Finding(level="warn", name=name, text=text)


def bad(name: str, text: str) -> Finding:
    """Say that something must be put right."""
    return Finding(level="bad", name=name, text=text)


def of_settings(config: Path, settings: Settings) -> list[Finding]:
    """Look at the configuration itself, where its secrets are, and how far rekon may go."""
    raw = tomllib.loads(config.read_text(encoding="utf-8"))
    return [
        _readable(config),
        *_secret_files(raw, config.resolve().parent),
        *(
            warn("rahasia", f"{place} tertulis langsung di konfigurasi; pindahkan ke berkas")
            for place in _in_clear(raw)
        ),
        *_environment(),
        *_modes(settings),
        *_open_doors(settings),
        _templates(settings),
    ]


def _readable(config: Path) -> Finding:
    mode = stat.S_IMODE(config.stat().st_mode)
    if mode & _OTHERS:
        return bad("konfigurasi", f"{config} dapat dibaca orang lain (mode {mode:o}); jalankan chmod 600")
    return ok("konfigurasi", f"{config} terbaca, mode {mode:o}")


def _secret_files(raw: object, folder: Path) -> Iterator[Finding]:
    paths = [folder / path for path in _files(raw)]
    loose = [path for path in paths if stat.S_IMODE(path.stat().st_mode) & _OTHERS]
    yield from (bad("rahasia", f"{path} dapat dibaca orang lain; jalankan chmod 600") for path in loose)
    if paths and not loose:
        yield ok("rahasia", f"{len(paths)} berkas rahasia hanya terbaca pemiliknya")


def _files(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if set(value) == {"file"} and isinstance(value["file"], str):
            yield value["file"]
        else:
            for inner in value.values():
                yield from _files(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _files(inner)


def _in_clear(value: object, place: str = "", *, is_secret: bool = False) -> Iterator[str]:
    """Name the secrets that stand in the configuration in clear."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            hidden = name in _SECRET_WORDS or place.rpartition(".")[2] in _SECRET_TABLES
            yield from _in_clear(inner, f"{place}.{name}".lstrip("."), is_secret=hidden)
    elif isinstance(value, list):
        for inner in value:
            yield from _in_clear(inner, place, is_secret=is_secret)
    elif is_secret and isinstance(value, str) and not place.endswith((".file", ".credential", ".username")):
        yield place


def _environment() -> list[Finding]:
    names = sorted(name for name in os.environ if name.startswith("REKON_") and name not in _VARIABLES)
    return [warn("rahasia", f"{name} ada di lingkungan proses; simpan rahasia di berkas") for name in names]


def _modes(settings: Settings) -> Iterator[Finding]:
    try:
        policy = bootstrap.policy_of(settings)
    except ConfigError as error:
        yield bad("mode", str(error))
        return
    yield info("mode", f"bawaan {policy.mode.value}")
    for kind in BreakKind:
        if policy.mode_of(kind) is not policy.mode:
            yield info("mode", f"{kind.value} {policy.mode_of(kind).value}")


def _open_doors(settings: Settings) -> Iterator[Finding]:
    """Show everything that may go without TLS or to a private address."""
    tables: dict[str, Any] = {f"providers.{name}": table for name, table in settings.providers.items()}
    tables |= {f"gateway.{name}": table for name, table in settings.gateway.items()}
    for name, table in tables.items():
        for permission in ("allow_http", "allow_private", "forward_allow_http", "forward_allow_private"):
            if getattr(table, permission, False):
                yield warn("jaringan", f"{name}.{permission} = true; hanya untuk server sendiri di jaringan sendiri")


def _templates(settings: Settings) -> Finding:
    try:
        book = bootstrap.load_templates(settings.server.locale)
        parse_reasons(tomllib.loads(resources.data_path("config", "reasons.toml").read_text(encoding="utf-8")))
    except MessageError as error:
        return bad("templat", str(error))
    wrong = list(_lint(book)) if settings.server.locale == "id" else []
    if wrong:
        return bad("templat", "; ".join(wrong[:5]))
    return ok("templat", f"{len(book.templates)} templat versi {book.version} memenuhi aturan bahasa")


def _lint(book: TemplateBook) -> Iterator[str]:
    for name, template in book.templates.items():
        for variant in template.variants:
            values = {one: f"isi {one}" for one in book.required(name, variant)}
            made = render(book, template=name, variant=variant, variables=values, case_id="case-1")
            found = lint(made.text, template=name, variables=dict(made.variables))
            yield from (f"{name} {variant}: {problem}" for problem in found)


def of_providers(config: Path, settings: Settings, now: datetime) -> list[Finding]:
    """Look at the definitions, their age, and the configured accounts."""
    try:
        definitions = bootstrap.load_provider_definitions(bootstrap.state_dir_of(config))
    except DefinitionError as error:
        return [bad("penyedia", str(error))]
    return [*_ages(definitions, settings, now), *_accounts(definitions, settings)]


def _ages(definitions: Mapping[str, Definition], settings: Settings, now: datetime) -> Iterator[Finding]:
    used = {table.definition or name for name, table in settings.providers.items()}
    for name in sorted(used & set(definitions)):
        checked = definitions[name].source.checked_on
        if now.date() - checked > CHECKED_MAX:
            text = f"data {name} terakhir dibandingkan {checked.isoformat()}; bandingkan lagi dengan dokumen penyedia"
            yield warn("penyedia", text)
        else:
            yield ok("penyedia", f"data {name} dibandingkan {checked.isoformat()}")


def _accounts(definitions: Mapping[str, Definition], settings: Settings) -> Iterator[Finding]:
    """Check each account as `rekon serve` would."""
    if not settings.providers:
        yield warn("penyedia", "belum ada akun penyedia; isi [providers]")
    for name, table in settings.providers.items():
        provider = table.definition or name
        if provider not in definitions:
            yield bad("penyedia", f"{name}: tidak ada penyedia {provider}; yang dikenal {', '.join(definitions)}")
            continue
        account = _account(provider, table)
        try:
            check_account(definitions[provider], account)
            ProviderDoor(definitions, [account])
        except (AccountError, CallbackSecretError) as error:
            yield bad("penyedia", f"{name}: {error}")
            continue
        yield ok("penyedia", f"akun {name} lengkap")


def _account(provider: str, table: Provider) -> ProviderAccount:
    return ProviderAccount(
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
