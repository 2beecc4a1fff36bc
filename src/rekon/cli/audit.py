"""`rekon audit`: whether anybody changed what was written down about who did what."""

import typer

from rekon.cli import failures, house, output
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config

app = typer.Typer(no_args_is_help=True, help="Jejak audit: siapa memutuskan apa, bersegel.")


def register(root: typer.Typer) -> None:
    """Add the noun."""
    root.add_typer(app, name="audit")


@app.callback()
def _noun() -> None:
    """Keep `verify` a word of its own while it is the only one."""


@app.command("verify")
def verify(config: Config = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Hitung ulang segel setiap baris dan bandingkan dengan berkas jangkar. Kode 1 bila ada yang diubah."""
    from rekon.store import audit

    with house.opened(config) as place:
        path = audit.path_of(place.store, place.state_dir)
        fault = place.store.read(audit.first_fault, path)
        newest = place.store.read(audit.head)
    if as_json:
        output.write_json({"ok": fault is None, "rows": newest.number, "fault": fault, "link": newest.link})
    elif fault is None:
        output.line(f"Segel cocok sampai baris {newest.number}. Segel terakhir: {newest.link or '-'}")
    else:
        output.line(f"Jejak audit rusak: {output.printable(str(fault))}.")
    if fault is not None:
        raise typer.Exit(failures.FOUND)
