"""`rekon cases`: what an agent sees as one problem, with its whole chronology."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rekon.cli import house, output
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config, Limit

if TYPE_CHECKING:
    from sqlalchemy import Connection

app = typer.Typer(no_args_is_help=True, help="Kasus agen dan riwayatnya.")


def register(root: typer.Typer) -> None:
    """Add the noun."""
    root.add_typer(app, name="cases")


@app.command("list")
def list_(
    config: Config = DEFAULT_CONFIG,
    *,
    state: Annotated[str | None, typer.Option("--state", help="open, resolved, atau closed.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Hanya agen ini.")] = None,
    limit: Limit = 200,
    as_json: AsJson = False,
) -> None:
    """Daftar kasus, terbaru di atas."""
    from rekon.cli import lookups

    with house.opened(config) as place:
        rows = place.store.read(lookups.cases, state=state, agent=agent, limit=limit)
    if as_json:
        output.write_json({"items": rows})
        return
    names = ("number", "transaction_key", "agent_id", "state", "opened_at", "resolved_at")
    columns = ("NOMOR", "TRANSAKSI", "AGEN", "KEADAAN", "DIBUKA", "SELESAI")
    output.table(columns, [tuple(row[name] for name in names) for row in rows], empty="Tidak ada kasus.")


@app.command("show")
def show(
    number: Annotated[str, typer.Argument(metavar="NOMOR", help="Nomor yang disebut agen, misalnya K7Q2M9XB4.")],
    config: Config = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """Satu kasus: selisih, kronologi, dan pesannya."""
    with house.opened(config) as place:
        found = place.store.read(_read, number)
    if as_json:
        output.write_json(found)
        return
    case = found["case"]
    output.line(f"{case['number']}  {case['state']}  agen {case['agent_id']}  transaksi {case['transaction_key']}")
    output.line(f"Dibuka {output.at(case['opened_at'])}, selesai {output.at(case['resolved_at'])}")
    for one in found["breaks"]:
        output.line(f"  {one['kind']} {one['state']} {output.money(one['amount'])} {output.printable(one['note'])}")
    output.line()
    events = [(e["at"], e["kind"], e["text"]) for e in found["chronology"]]
    output.table(("WAKTU", "PERISTIWA", "KETERANGAN"), events, empty="Belum ada riwayat.")
    for message in found["messages"]:
        output.line()
        output.line(f"{output.at(message['created_at'])}  {message['template']}  {message['state']}")
        output.line(f"  {output.printable(message['text'])}")


def _read(connection: "Connection", number: str) -> dict[str, Any]:
    from sqlalchemy import select

    from rekon.cli import lookups
    from rekon.store import schema

    case = lookups.case_by_number(connection, number)
    m = schema.messages.c
    columns = [m.message_id, m.template, m.state, m.created_at, m.sent_at, m.text]
    sent = select(*columns).where(m.case_id == case["case_id"], m.audience == "agent").order_by(m.created_at)
    return {
        "case": dict(case),
        "breaks": lookups.breaks_of(connection, case["case_id"]),
        "chronology": lookups.chronology(connection, case["case_id"]),
        "messages": connection.execute(sent).mappings().all(),
    }
