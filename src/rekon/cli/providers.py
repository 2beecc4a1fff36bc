"""`rekon providers`: what is known of each provider, and whether its samples still read as their author expects."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rekon.cli import failures, output
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from rekon.connectors.providers.definition import Definition
    from rekon.store.flips import Measure

app = typer.Typer(no_args_is_help=True, help="Penyedia: data, akun, dan contoh balasannya.")


def register(root: typer.Typer) -> None:
    """Add the noun."""
    root.add_typer(app, name="providers")


@app.command("list")
def list_(config: Config = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Daftar penyedia yang dikenal dan akun yang diatur."""
    from rekon import bootstrap

    state_dir = bootstrap.state_dir_of(config)
    definitions = bootstrap.load_provider_definitions(state_dir)
    accounts = _accounts(config)
    items = [_item(definition, accounts.get(name, [])) for name, definition in definitions.items()]
    if as_json:
        output.write_json({"items": items})
        return
    columns = ("PENYEDIA", "NAMA", "CEK STATUS", "DIPERIKSA", "BATAS LAPOR", "AKUN")
    cells = [
        (
            item["name"],
            item["title"],
            "kirim ulang (dapat membeli)" if item["check"] == "resend" else "hanya baca",
            item["checked_on"],
            f"{item['complaint_window_hours']} jam",
            ", ".join(item["accounts"]),
        )
        for item in items
    ]
    output.table(columns, cells, empty="Tidak ada penyedia.")


def _accounts(config: Config) -> dict[str, list[str]]:
    """Name the configured accounts by provider; without a configuration there are none."""
    from rekon.settings import load

    if not config.exists():
        return {}
    found: dict[str, list[str]] = {}
    for name, table in load(config).providers.items():
        found.setdefault(table.definition or name, []).append(table.account or "(tanpa nama)")
    return found


def _item(definition: "Definition", accounts: list[str]) -> dict[str, Any]:
    return {
        "name": definition.name,
        "title": definition.title,
        "dialect": definition.dialect,
        "check": definition.inquiry.kind,
        "callback": definition.callback.verification,
        "checked_on": definition.source.checked_on,
        "complaint_window_hours": definition.complaint.window_hours,
        "accounts": accounts,
    }


@app.command("test")
def read_samples(
    name: Annotated[str | None, typer.Argument(metavar="PENYEDIA", help="Kosong berarti semua.")] = None,
    config: Config = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """Baca contoh balasan tiap penyedia dan bandingkan dengan harapan penulisnya; tidak ada yang dihubungi."""
    from rekon import bootstrap
    from rekon.cli import provider_samples

    state_dir = bootstrap.state_dir_of(config)
    definitions = bootstrap.load_provider_definitions(state_dir)
    if name is not None and name not in definitions:
        failures.wrong_use(f"Penyedia {name} tidak dikenal. Pilih: {', '.join(definitions)}.", reason="not_found")
    chosen = {key: value for key, value in definitions.items() if name in (None, key)}
    items = [provider_samples.run(definition, _folder(key, state_dir)) for key, definition in chosen.items()]
    wrong = sum(len(item.differences) for item in items)
    if as_json:
        output.write_json({"items": items, "wrong": wrong})
    else:
        for item in items:
            output.line(f"{item.provider}: {item.samples} contoh, {len(item.differences)} berbeda")
            for difference in item.differences:
                output.line(f"  {output.printable(difference)}")
    if wrong:
        raise typer.Exit(failures.FOUND)


def _folder(name: str, state_dir: "Path") -> "Path":
    from rekon import resources

    return resources.data_path("providers", name, state_dir=state_dir)


@app.command("flips")
def flips(config: Config = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Berapa lama sesudah gagal penyedia ternyata masih mengirim, per kode, dan jeda yang mengikutinya."""
    from rekon.cli import house
    from rekon.store import flips as measured

    with house.opened(config) as place:
        found = place.store.read(measured.measures, now=place.now)
        held = place.store.read(measured.held)
    items = [_flip(one, held.get((one.provider, one.raw_code))) for one in found]
    if as_json:
        output.write_json({"items": items})
        return
    columns = ("PENYEDIA", "KODE", "JENIS", "DIAMATI", "BERBALIK", "P99,9", "JEDA")
    cells = [
        (
            item["provider"],
            item["raw_code"],
            item["failure_class"],
            item["watched"],
            item["flipped"],
            _seconds(item["late_seconds"]),
            _seconds(item["hold_seconds"]),
        )
        for item in items
    ]
    output.table(columns, cells, empty="Belum ada kegagalan yang berumur sehari.")


def _flip(one: "Measure", held: "timedelta | None") -> dict[str, Any]:
    soft = one.failure_class == "soft"
    return {
        "provider": one.provider,
        "raw_code": one.raw_code,
        "failure_class": one.failure_class,
        "watched": one.watched,
        "flipped": one.flipped,
        "late_seconds": int(one.late.total_seconds()) if one.late is not None else None,
        "hold_seconds": int(held.total_seconds()) if soft and held is not None else None,
    }


def _seconds(value: int | None) -> str:
    return "-" if value is None else f"{value} detik"
