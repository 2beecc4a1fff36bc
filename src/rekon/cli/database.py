"""`rekon db`: the schema of the database."""

from typing import TYPE_CHECKING

import typer

from rekon.cli import house, output
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config

if TYPE_CHECKING:
    from rekon.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Skema basis data.")


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
