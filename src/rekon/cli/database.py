"""`rekon db`: the schema of the database."""

from typing import TYPE_CHECKING, Annotated

import typer

from rekon.cli import failures, house, output, people, restored
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config, Reason, TokenFile

if TYPE_CHECKING:
    from rekon.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Basis data: skema, pemulihan, dan persiapan di server.")


def register(root: typer.Typer) -> None:
    """Add the noun."""
    root.add_typer(app, name="db")


@app.command("upgrade")
def upgrade(config: Config = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Buat atau perbarui skema dan penjaga tabelnya. Aman diulang."""
    from rekon import bootstrap

    settings = _settings(config)
    bootstrap.upgrade_store(settings, bootstrap.state_dir_of(config))
    _say(_current(config, settings), as_json=as_json, text="Skema sudah terbaru: {}")


@app.command("current")
def current(config: Config = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Versi skema yang terpasang."""
    settings = _settings(config)
    _say(_current(config, settings), as_json=as_json, text="{}")


@app.command("reconcile")
def reconcile(
    config: Config = DEFAULT_CONFIG,
    *,
    confirm: Annotated[bool, typer.Option("--confirm", help="Nyatakan bahwa semuanya sudah dibandingkan.")] = False,
    reason: Reason = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Setelah memulihkan cadangan: apa yang harus dibandingkan, lalu --confirm oleh seorang penyelia."""
    with house.opened(config) as place:
        found = restored.examine(place)
        if confirm and found.is_restored:
            person = people.identify(place, token_file)
            restored.clear(place, found, person=person, reason=reason)
    done = confirm or not found.is_restored
    if as_json:
        output.write_json(restored.as_json(found, cleared=confirm and found.is_restored))
    else:
        restored.show(found, cleared=confirm and found.is_restored)
    if not done:
        raise typer.Exit(failures.FOUND)


@app.command("gateway")
def gateway(
    name: Annotated[str, typer.Argument(metavar="NAMA", help="Nama tabel gateway.NAMA berjenis sql.")],
    config: Config = DEFAULT_CONFIG,
    *,
    confirm: Annotated[bool, typer.Option("--confirm", help="Jalankan perintahnya di basis data server.")] = False,
    as_json: AsJson = False,
) -> None:
    """Siapkan basis data server untuk gateway sql, satu kali. Tanpa --confirm perintahnya hanya diperlihatkan."""
    from rekon import bootstrap, wiring

    settings = _settings(config)
    table = settings.gateway.get(name)
    if table is None or table.kind != "sql":
        failures.wrong_use(f"Tidak ada [gateway.{name}] berjenis sql di konfigurasi.")
    built = wiring.sql_gateway(name, table, bootstrap.SystemClock().now)
    if confirm:
        built.set_up()
    if as_json:
        output.write_json({"gateway": name, "statements": built.setup, "done": confirm})
        return
    for statement in built.setup:
        output.line(f"{statement};")
    output.line("Sudah dijalankan." if confirm else "Belum dijalankan. Periksa, lalu ulangi dengan --confirm.")


@app.command("check")
def check(config: Config = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Periksa skema, penjaga, dan ketahanan tulis. Kode 3 bila tidak layak untuk uang."""
    with house.opened(config) as place:
        settings = place.settings
    _say(_current(config, settings), as_json=as_json, text="Basis data layak: skema {}, penjaga lengkap, tulis tahan.")


def _settings(config: Config) -> "Settings":
    from rekon.settings import load

    return load(config)


def _current(config: Config, settings: "Settings") -> str:
    from rekon import bootstrap
    from rekon.store import migrate
    from rekon.store.engine import Store

    house.must_exist(settings, bootstrap.state_dir_of(config))
    store = Store(bootstrap.store_url(settings, bootstrap.state_dir_of(config)))
    try:
        return migrate.current(store) or "(kosong)"
    finally:
        store.close()


def _say(revision: str, *, as_json: bool, text: str) -> None:
    if as_json:
        output.write_json({"revision": revision})
    else:
        output.line(text.format(revision))
