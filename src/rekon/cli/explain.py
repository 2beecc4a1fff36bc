"""`rekon explain`: why something was decided, and whether the same inputs still give the same answer."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rekon.cli import failures, house, output
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from rekon.cli.lookups import Row


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(
    ref: Annotated[str, typer.Argument(metavar="REF", help="Nomor transaksi, ref_id, atau nomor kasus.")],
    config: Config = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """Semua keputusan atas satu transaksi, diputuskan ulang dari masukan yang tersimpan. Kode 1 bila berbeda."""
    with house.opened(config) as place:
        found = place.store.read(_read, ref)
    if as_json:
        output.write_json(found)
    else:
        _print(found)
    if not found["agrees"]:
        raise typer.Exit(failures.FOUND)


def _read(connection: "Connection", ref: str) -> dict[str, Any]:
    from rekon.cli import lookups
    from rekon.store import decisions

    key = lookups.find_transaction(connection, ref)
    made = [_decision(connection, row) for row in decisions.of(connection, key)]
    case = lookups.case_of(connection, key)
    return {
        "transaction": key,
        "agrees": all(one["agrees"] for one in made),
        "decisions": made,
        "case": case["number"] if case else None,
        "chronology": lookups.chronology(connection, case["case_id"]) if case else [],
    }


def _decision(connection: "Connection", row: "Row") -> dict[str, Any]:
    from rekon.cli import replay
    from rekon.store import decisions

    again = replay.replay(row, decisions.configuration(connection, row["config_hash"]))
    names = ("id", "at", "action", "break_kind", "rule", "rule_version", "config_hash", "amount", "digest")
    return {name: row[name] for name in names} | {
        "note": row["body"].get("note", ""),
        "evidence": replay.describe_evidence(row),
        "agrees": again.agrees,
        "differences": again.differences,
        "same_version": again.same_version,
    }


def _print(found: dict[str, Any]) -> None:
    output.line(f"{found['transaction']}    kasus {found['case'] or '-'}")
    if not found["decisions"]:
        output.line("Belum ada keputusan atas transaksi ini.")
    for one in found["decisions"]:
        amount = f"  {output.money(one['amount'])}" if one["amount"] else ""
        output.line()
        output.line(f"{output.at(one['at'])}  {one['action']}  {one['break_kind'] or '-'}{amount}")
        output.line(f"  Aturan   {one['rule']} versi {one['rule_version']}, angka {one['config_hash'][:12]}")
        if one["note"]:
            output.line(f"  Catatan  {output.printable(one['note'])}")
        for proof in one["evidence"]:
            output.line(f"  Bukti    {proof['id']}  {output.printable(proof['text'])}")
        output.line(f"  Diulang  {_verdict(one)}")
        for difference in one["differences"]:
            output.line(f"           {output.printable(difference)}")
    output.line()
    events = [(e["at"], e["kind"], e["text"]) for e in found["chronology"]]
    output.table(("WAKTU", "PERISTIWA", "KETERANGAN"), events, empty="Belum ada riwayat kasus.")


def _verdict(one: dict[str, Any]) -> str:
    said = "sama" if one["agrees"] else "BERBEDA"
    return said if one["same_version"] else f"{said} (aturan sekarang versi lain)"
