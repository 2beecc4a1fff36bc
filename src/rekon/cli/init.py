"""`rekon init`: a first installation that only observes."""

import json
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from rekon.cli import failures, output
from rekon.cli.options import AsJson

_SECRETS = ("server", "callback", "api")
_SECRET_BYTES = 32

_CONFIG = """\
# Konfigurasi rekon. Kunci yang tidak dikenal ditolak. Setelah mengubah, jalankan `rekon doctor`.

[server]
host = "127.0.0.1"
port = 8750
# Alamat yang dapat dibuka agen, untuk tautan YA/TIDAK; kosong berarti pesan tanpa tautan.
# public_url = "https://rekon.example.id"
# Rahasia disimpan di berkas bermode 0600, bukan di sini.
secret = {{ file = {server} }}
callback_token = {{ file = {callback} }}
# Kunci program yang boleh mengirim data, dikirim sebagai `Authorization: Bearer`.
api_keys = {{ server = {{ file = {api} }} }}

[store]
# Kosong berarti rekon.sqlite3 di map ini.
# url = "postgresql+psycopg://rekon@localhost/rekon"

[modes]
# observe = amati: menemukan dan mencatat, tidak membayar, tidak mengirim pesan.
# propose = saran: setiap pengembalian menunggu petugas.  automatic = otomatis di dalam batas.
default = "observe"

# [modes.breaks]
# B01 = "propose"

[limits]
# Batas bawaan dalam rupiah; hapus tanda pagar untuk mengubah.
# one_approver_max = 500000
# voucher_month_budget = 500000

[channels.file]
# Pesan ditulis ke map `messages`; saluran lain: webhook, telegram, whatsapp, email, sql_outbox.
kind = "file"
options = {{ folder = "messages" }}

[messages]
default_channel = "file"
operator_channel = "file"
operator_name = "Operator"

# Server Anda. refund_owner mengatakan siapa yang mengembalikan saldo bila gagal:
# server (sudah otomatis di server), rekon, provider, atau manual.
# [sources.toko]
# refund_owner = "manual"
# zone = "Asia/Jakarta"
# lag_seconds = 60

# Akun Anda pada penyedia; namanya salah satu dari `rekon providers list`.
# [providers.digiflazz]
# account = "utama"
# credentials = {{ username = {{ file = "/jalur/username" }}, api_key = {{ file = "/jalur/api_key" }} }}
# callback_secrets = [{{ file = "/jalur/webhook_secret" }}]
"""

_NEXT = (
    "Isi [sources] dan [providers] di {config}.",
    "rekon doctor --config {config}",
    "rekon users add NAMA --role penyelia --config {config}",
    "rekon import transactions BERKAS --source SUMBER --config {config}",
    "rekon report leaks --days 90 --config {config}",
    "rekon serve --config {config}",
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(
    folder: Annotated[Path, typer.Option("--dir", help="Map pemasangan; dibuat bila belum ada.")] = Path(),
    *,
    as_json: AsJson = False,
) -> None:
    """Buat pemasangan baru yang hanya mengamati: konfigurasi, rahasia, dan basis data."""
    from rekon import bootstrap
    from rekon.settings import load

    place = folder.resolve()
    config, hidden, database = place / bootstrap.CONFIG_FILE, place / "secrets", place / bootstrap.SQLITE_FILE
    _refuse_to_overwrite(config, hidden, database)
    for needed in (place, hidden):
        needed.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in _SECRETS:
        _write_new(hidden / name, secrets.token_urlsafe(_SECRET_BYTES) + "\n")
    quoted = {name: json.dumps(str(hidden / name), ensure_ascii=False) for name in _SECRETS}
    _write_new(config, _CONFIG.format(**quoted))
    _write_new(database, "")
    bootstrap.upgrade_store(load(config), place)
    steps = [step.format(config=config) for step in _NEXT]
    if as_json:
        output.write_json({"config": config, "secrets": hidden, "database": database, "mode": "observe", "next": steps})
        return
    output.line(f"Pemasangan baru di {place}: mode amati, SQLite, pesan ke berkas.")
    output.line(f"Kunci API untuk server Anda ada di {hidden / 'api'}.")
    output.line("Langkah berikutnya:")
    for number, step in enumerate(steps, start=1):
        output.line(f"  {number}. {step}")


def _refuse_to_overwrite(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            text = f"{path} sudah ada dan tidak ditimpa. Pilih map lain dengan --dir, atau pindahkan yang lama."
            failures.refused(text, reason="exists")


def _write_new(path: Path, text: str) -> None:
    """Write a file only its owner can read, and only if there is none."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
