"""What can go wrong, told in one line: what happened, why, what to do next.

Exit codes: 2 wrong use, 3 refused for safety, 4 outside fault. Classes are named by text, so that telling a failure
imports nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import typer

FOUND = 1
WRONG_USE = 2
REFUSED = 3
OUTSIDE = 4

_USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]
"""Every mistake in the words of a command; typer's public names lead to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failure as it is told. `reason` is one word for programs."""

    exit_code: int
    reason: str
    text: str


class CommandError(Exception):
    """A command cannot go on. The text is Indonesian and says what to do next."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


def wrong_use(text: str, *, reason: str = "usage") -> NoReturn:
    """Stop because of what the caller asked for.

    Raises:
        CommandError: always.
    """
    raise CommandError(Failure(exit_code=WRONG_USE, reason=reason, text=text))


def refused(text: str, *, reason: str) -> NoReturn:
    """Stop for safety.

    Raises:
        CommandError: always.
    """
    raise CommandError(Failure(exit_code=REFUSED, reason=reason, text=text))


@dataclass(frozen=True, slots=True)
class _Known:
    exit_code: int
    reason: str
    happened: str
    advice: str


KNOWN: Mapping[str, _Known] = {
    "rekon.settings.ConfigError": _Known(
        WRONG_USE, "config", "Konfigurasi tidak dapat dipakai", "Perbaiki berkasnya, lalu `rekon doctor`"
    ),
    "rekon.connectors.providers.toml_shape.DefinitionError": _Known(
        WRONG_USE, "definition", "Berkas penyedia tidak dapat dipakai", "Perbaiki provider.toml itu"
    ),
    "rekon.connectors.providers.account.AccountError": _Known(
        WRONG_USE, "account", "Akun penyedia tidak dapat dipakai", "Perbaiki [providers] di konfigurasi"
    ),
    "rekon.connectors.providers.callbacks.CallbackSecretError": _Known(
        WRONG_USE,
        "callback_secret",
        "Rahasia kiriman balik penyedia kurang",
        "Isi callback_secrets, atau accepts_callbacks = false",
    ),
    "rekon.connectors.sources.tables.MappingError": _Known(
        WRONG_USE, "mapping", "Pemetaan tidak dapat dipakai", "Perbaiki berkas pemetaan itu"
    ),
    "rekon.connectors.sources.file_error.FileError": _Known(
        WRONG_USE, "file", "Berkas tidak dapat dibaca", "Baris sebelumnya sudah masuk; jalankan lagi setelah diperbaiki"
    ),
    "rekon.simulation.scenario_text.ScenarioError": _Known(
        WRONG_USE, "scenario", "Skenario tidak dapat dimainkan", "Lihat `rekon simulate --schema`"
    ),
    "rekon.domain.message_format.MessageError": _Known(
        WRONG_USE, "template", "Templat pesan tidak dapat dipakai", "Perbaiki templat yang disebut"
    ),
    "rekon.store.migrate.SchemaMismatchError": _Known(
        REFUSED, "schema", "Skema basis data tidak cocok dengan program ini", "Jalankan `rekon db upgrade`"
    ),
    "rekon.store.guards.MissingGuardError": _Known(
        REFUSED, "guards", "Penjaga tabel hilang", "Jalankan `rekon db upgrade`, lalu `rekon verify`"
    ),
    "rekon.store.engine.WeakDurabilityError": _Known(
        REFUSED, "durability", "Basis data dapat lupa setelah mati listrik", "Ubah setelan yang disebut"
    ),
    "rekon.store.epoch.RestoredBooksError": _Known(
        REFUSED, "restored", "Basis data ini hasil pemulihan", "Bandingkan bukunya, lalu `rekon db reconcile`"
    ),
    "rekon.store.audit.BrokenChainError": _Known(
        REFUSED,
        "audit",
        "Jejak audit diubah dari luar rekon",
        "Uang otomatis berhenti; cari tahu siapa pelakunya, lalu pulihkan cadangan. Lihat `rekon audit verify`",
    ),
    "rekon.daemon.AlreadyRunningError": _Known(
        REFUSED, "running", "rekon sudah berjalan", "Hentikan yang lama, atau pakai yang itu"
    ),
    "rekon.daemon.ClockWentBackError": _Known(
        REFUSED, "clock", "Jam komputer mundur", "Betulkan jamnya; sampai itu tidak ada uang yang bergerak"
    ),
}
"""Exceptions of rekon itself, by full name."""

_OUTSIDE: Mapping[str, tuple[str, str, str]] = {
    "sqlalchemy.exc.OperationalError": ("database", "Basis data tidak menjawab", "Periksa berkas atau servernya"),
    "sqlalchemy.exc.DatabaseError": ("database", "Basis data menolak", "Periksa dengan `rekon db check`"),
    "httpx.TransportError": ("unreachable", "Tidak dapat menghubungi pihak luar", "Periksa jaringan dan alamatnya"),
    "builtins.OSError": ("system", "Sistem operasi menolak", "Periksa izin berkas, ruang cakram, dan porta"),
}


def explain(error: BaseException) -> Failure | None:
    """Turn an exception into what a person reads; None for a defect of ours, which shows itself whole.

    What happened to one task of several comes in a group and is told like any other.
    """
    if isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        return explain(error.exceptions[0])
    if isinstance(error, CommandError):
        return error.failure
    if isinstance(error, typer.Abort):
        return Failure(exit_code=WRONG_USE, reason="aborted", text="Dibatalkan; tidak ada yang berubah.")
    if type(error).__name__ == "NoArgsIsHelpError":
        return Failure(exit_code=WRONG_USE, reason="usage", text="")
    if isinstance(error, _USAGE_ERROR):
        return Failure(exit_code=WRONG_USE, reason="usage", text=translate(_said(error)))
    names = _names(error)
    known = next((KNOWN[name] for name in names if name in KNOWN), None)
    if known is not None:
        text = f"{known.happened}: {_plain(error)}. {known.advice}."
        return Failure(exit_code=known.exit_code, reason=known.reason, text=text)
    outside = next((_OUTSIDE[name] for name in names if name in _OUTSIDE), None)
    if outside is not None:
        reason, happened, advice = outside
        return Failure(exit_code=OUTSIDE, reason=reason, text=f"{happened}: {_plain(error)}. {advice}.")
    return None


def _names(error: BaseException) -> list[str]:
    found = []
    for cls in type(error).__mro__:
        module = "httpx" if cls.__module__.startswith("httpx") else cls.__module__
        found.append(f"{module}.{cls.__qualname__}")
    return found


def _plain(error: BaseException) -> str:
    """Take the bare words: a database error's own text carries the statement with its values, which may be numbers."""
    inner = getattr(error, "orig", None) or error
    text = "; ".join(line.strip() for line in str(inner).splitlines() if line.strip())
    return text.rstrip(".") or type(inner).__name__


def _said(error: BaseException) -> str:
    said = getattr(error, "format_message", None)
    return str(said() if said is not None else error)


_TRANSLATIONS: tuple[tuple[str, str], ...] = (
    (r"No such option: (\S+?)\.?(?: .*)?", r"Opsi {0} tidak dikenal"),
    (r"No such command '?([^']+?)'?\.(?: Did you mean (.+)\?)?", r"Perintah {0} tidak ada"),
    (r"Missing command\.", r"Perintahnya belum disebut"),
    (r"Missing argument '?([^'.]+)'?\..*", r"Argumen {0} wajib diisi"),
    (r"Missing option (.+?)\.(?: .*)?", r"Opsi {0} wajib diisi"),
    (r"Option '?([^']+?)'? requires an argument\.", r"Opsi {0} memerlukan nilai"),
    (r"Got unexpected extra argument(?:s|\(s\))? \((.+)\)", r"Terlalu banyak argumen: {0}"),
    (r"Invalid value for '?(.+?)'?: (.+)", r"Nilai untuk {0} tidak sah: {1}"),
)


def translate(message: str) -> str:
    """Say a mistake in the words of a command in Indonesian, and where help is."""
    flat = " ".join(message.split())
    for pattern, words in _TRANSLATIONS:
        found = re.fullmatch(pattern, flat)
        if found:
            return f"{words.format(*found.groups())}. Lihat `rekon --help`."
    return f"{flat.rstrip('.')}. Lihat `rekon --help`."
