"""`rekon messages` and `rekon alerts`: what was said to whom, and whether it left."""

from typing import Annotated

import typer

from rekon.cli import house, output
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config, Limit

app = typer.Typer(no_args_is_help=True, help="Pesan keluar.")

_SHOWN = ("message_id", "agent_id", "audience", "channel", "template", "state", "created_at", "sent_at", "note")


def register(root: typer.Typer) -> None:
    """Add the nouns."""
    root.add_typer(app, name="messages")
    root.command("alerts")(alerts)


@app.command("list")
def list_(
    config: Config = DEFAULT_CONFIG,
    *,
    state: Annotated[str | None, typer.Option("--state", help="waiting, sent, atau unsent.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Hanya agen ini.")] = None,
    limit: Limit = 200,
    as_json: AsJson = False,
) -> None:
    """Daftar pesan, terbaru di atas; tanpa alamat dan isi."""
    from rekon.cli import lookups

    with house.opened(config) as place:
        rows = place.store.read(lookups.messages, state=state, agent=agent, limit=limit)
    if as_json:
        output.write_json({"items": [{name: row[name] for name in _SHOWN} for row in rows]})
        return
    columns = ("ID", "AGEN", "UNTUK", "SALURAN", "TEMPLAT", "KEADAAN", "DITULIS", "DIKIRIM", "CATATAN")
    output.table(columns, [tuple(row[name] for name in _SHOWN) for row in rows], empty="Belum ada pesan.")


def alerts(
    agent: Annotated[str, typer.Option("--agent", help="Id agen.")],
    config: Config = DEFAULT_CONFIG,
    *,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """Semua yang dikatakan kepada satu agen, terbaru di atas."""
    from rekon.store import messages

    with house.opened(config) as place:
        rows = place.store.read(messages.alerts, agent, limit=limit)
    if as_json:
        names = ("message_id", "template", "text", "state", "created_at")
        output.write_json({"agent_id": agent, "items": [{name: row[name] for name in names} for row in rows]})
        return
    if not rows:
        output.line(f"Belum ada pesan untuk agen {agent}.")
    for row in rows:
        output.line(f"{output.at(row['created_at'])}  {row['template']}  {row['state']}")
        output.line(f"  {output.printable(row['text'])}")
