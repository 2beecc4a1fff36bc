"""`rekon import`: books from files, of any size, as often as one likes."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from rekon.cli import failures, house, output
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config

if TYPE_CHECKING:
    from rekon.cli.import_run import Imported, Progress
    from rekon.domain.intake import Book

app = typer.Typer(no_args_is_help=True, help="Masukkan buku dari berkas CSV, JSON Lines, XLSX, atau Parquet.")

File = Annotated[Path, typer.Argument(metavar="BERKAS", help="Berkas CSV, JSON Lines, XLSX, atau Parquet.")]
Source = Annotated[str, typer.Option("--source", help="Nama sumber, seperti sources.NAMA di konfigurasi.")]
AsOf = Annotated[str | None, typer.Option("--as-of", help="Buku lengkap sampai saat ini, ISO-8601.")]
Zone = Annotated[
    str | None,
    typer.Option("--zone", help="Zona waktu baris tanpa selisih, misalnya Asia/Jakarta; bawaan dari sumber."),
]
Again = Annotated[bool, typer.Option("--again", help="Baca dari awal walau berkas ini sudah selesai diimpor.")]


def register(root: typer.Typer) -> None:
    """Add the noun."""
    root.add_typer(app, name="import")


@app.command("transactions")
def transactions(
    file: File,
    source: Source,
    config: Config = DEFAULT_CONFIG,
    *,
    as_of: AsOf = None,
    zone: Zone = None,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Order, satu baris satu kiriman ke penyedia."""
    _import(file, "transactions", config, source=source, as_of=as_of, zone=zone, again=again, as_json=as_json)


@app.command("wallet")
def wallet(
    file: File,
    source: Source,
    config: Config = DEFAULT_CONFIG,
    *,
    as_of: AsOf = None,
    zone: Zone = None,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Mutasi saldo agen."""
    _import(file, "wallet", config, source=source, as_of=as_of, zone=zone, again=again, as_json=as_json)


@app.command("agents")
def agents(
    file: File,
    source: Source,
    config: Config = DEFAULT_CONFIG,
    *,
    zone: Zone = None,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Agen dan cara menghubunginya."""
    _import(file, "agents", config, source=source, as_of=None, zone=zone, again=again, as_json=as_json)


@app.command("statement")
def statement(
    file: File,
    provider: Annotated[str, typer.Option("--provider", help="Penyedia pemilik rekening ini.")],
    config: Config = DEFAULT_CONFIG,
    *,
    account: Annotated[str, typer.Option("--account", help="Nama akun pada penyedia.")] = "",
    as_of: AsOf = None,
    zone: Zone = None,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Rekening deposit dari penyedia."""
    _import(
        file,
        "statement",
        config,
        source=provider,
        account=account,
        as_of=as_of,
        zone=zone,
        again=again,
        as_json=as_json,
    )


def _import(
    file: Path,
    book: str,
    config: Config,
    *,
    source: str,
    as_of: str | None,
    zone: str | None,
    again: bool,
    as_json: bool,
    account: str = "",
) -> None:
    from rekon.cli import import_run
    from rekon.domain.intake import Book

    kind = Book(book)
    _check_name(source)
    with house.opened(config) as place:
        chosen = _zone(place, source=source, given=zone, book=kind)
        plan = import_run.Plan(
            path=file,
            book=kind,
            source=source,
            zone=chosen,
            as_of=_instant(as_of, zone=chosen, now=place.now),
            provider=source if kind is Book.STATEMENT else "",
            account=account,
        )
        done = import_run.run(place.store, plan, now=place.now, again=again, tell=_tell)
    _show(done, as_json=as_json)
    if done.progress.quarantined and not done.was_finished:
        raise typer.Exit(failures.FOUND)


def _check_name(source: str) -> None:
    plain = source.replace("_", "").replace("-", "").replace(".", "")
    if not (plain.isascii() and plain.isalnum()) or len(source) > 64:  # noqa: PLR2004 - as long as the column
        failures.wrong_use(f"Nama {source!r} tidak sah: huruf, angka, titik, garis, paling banyak 64.")


def _zone(place: house.House, *, source: str, given: str | None, book: "Book") -> ZoneInfo | None:
    """Choose the zone of instants without an offset; without one such rows go to quarantine, never guessed."""
    from zoneinfo import ZoneInfoNotFoundError

    table = place.settings.sources.get(source)
    if table is None and book.value != "statement":
        output.remark(f"Catatan: sumber {source} belum ada di konfigurasi.")
    name = given or (table.zone if table else None)
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        failures.wrong_use(f"Zona {name} tidak dikenal. Contoh: Asia/Jakarta, Asia/Makassar, Asia/Jayapura.")


def _instant(text: str | None, *, zone: ZoneInfo | None, now: datetime) -> datetime | None:
    """Read `--as-of`. A book cannot be complete beyond now."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        failures.wrong_use(f"--as-of {text} bukan waktu ISO-8601, misalnya 2026-11-22T14:05:00+07:00.")
    if found.tzinfo is None:
        if zone is None:
            failures.wrong_use("--as-of tanpa selisih waktu memerlukan --zone atau zona sumber.")
        found = found.replace(tzinfo=zone)
    if found > now:
        output.remark("Catatan: --as-of lebih dari sekarang, dipakai waktu sekarang.")
        return now
    return found


def _tell(progress: "Progress") -> None:
    counts = f"{progress.accepted} masuk, {progress.unchanged} tetap, {progress.quarantined} karantina"
    said = f"baris {progress.line}: {counts}"
    if sys.stderr.isatty():
        typer.echo(f"\r{said}", nl=False, err=True)
    else:
        output.remark(said)


def _show(done: "Imported", *, as_json: bool) -> None:
    progress = done.progress
    if as_json:
        output.write_json(
            {
                "accepted": progress.accepted,
                "unchanged": progress.unchanged,
                "quarantined": progress.quarantined,
                "lines": progress.line,
                "continued_at": done.continued_at,
                "was_finished": done.was_finished,
                "refused": done.refused,
            }
        )
        return
    if sys.stderr.isatty():
        output.remark("")
    if done.was_finished:
        output.line("Berkas ini sudah selesai diimpor; `--again` membacanya dari awal.")
    elif done.continued_at:
        output.line(f"Dilanjutkan setelah baris {done.continued_at}.")
    output.line(f"Masuk {progress.accepted}, sudah ada {progress.unchanged}, karantina {progress.quarantined}.")
    for one in done.refused:
        output.line(f"  baris {one['line']} {one['field']}: {one['reason']}")
    if progress.quarantined and not done.was_finished:
        output.line("Perbaiki dengan `rekon intake quarantine list`, lalu `fix` atau `retry`.")
