"""`rekon verify`: recompute the books from their history and try the forbidden writes."""

import typer

from rekon.cli import failures, house, output
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(config: Config = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Hitung ulang semua buku dari riwayatnya. Kode 1 bila ada yang tidak cocok; uang otomatis lalu berhenti."""
    from rekon.store import audit, limits
    from rekon.store import verify as checks

    with house.opened(config) as place:
        found = checks.findings(place.store, audit.path_of(place.store, place.state_dir))
        if found:
            reason = f"rekon verify: {output.printable(str(found[0]))}"
            place.store.write(limits.halt, scope=limits.GLOBAL, reason=reason[:300], by="verify", now=place.now)
    if as_json:
        output.write_json({"items": found, "count": len(found)})
    elif not found:
        output.line("Semua buku cocok.")
    else:
        for one in found:
            output.line(f"- {output.printable(str(one))}")
    if found:
        raise typer.Exit(failures.FOUND)
