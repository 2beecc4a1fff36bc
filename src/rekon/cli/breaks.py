"""`rekon breaks`: where the books disagree, and what staff closes by hand."""

from typing import TYPE_CHECKING, Annotated

import typer

from rekon.cli import failures, house, output, people
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config, Limit, Reason, TokenFile

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from rekon.cli.lookups import Row
    from rekon.domain.approval import Person
    from rekon.domain.breaks import BreakState

app = typer.Typer(no_args_is_help=True, help="Selisih di antara buku-buku.")

BreakId = Annotated[str, typer.Argument(metavar="ID", help="Id selisih, dari `rekon breaks list`.")]


def register(root: typer.Typer) -> None:
    """Add the noun."""
    root.add_typer(app, name="breaks")


@app.command("list")
def list_(
    config: Config = DEFAULT_CONFIG,
    *,
    kind: Annotated[str | None, typer.Option("--kind", help="Hanya jenis ini, misalnya B01.")] = None,
    state: Annotated[str | None, typer.Option("--state", help="Hanya keadaan ini; bawaan yang masih terbuka.")] = None,
    limit: Limit = 200,
    as_json: AsJson = False,
) -> None:
    """Daftar selisih, yang tertua di atas."""
    from rekon.cli import lookups
    from rekon.domain.breaks import BREAK_TITLES, BreakKind, BreakState

    _one_of(state, list(BreakState), "Keadaan")
    _one_of(kind, list(BreakKind), "Jenis")
    with house.opened(config) as place:
        rows = place.store.read(lookups.breaks, kind=kind, state=state, limit=limit)
    if as_json:
        output.write_json({"items": rows})
        return
    cells = [
        (
            row["break_id"],
            f"{row['kind']} {BREAK_TITLES[BreakKind(row['kind'])]}",
            row["transaction_key"],
            output.money(row["amount"]),
            row["state"],
            row["opened_at"],
            row["note"],
        )
        for row in rows
    ]
    columns = ("ID", "JENIS", "TRANSAKSI", "JUMLAH", "KEADAAN", "DIBUKA", "CATATAN")
    output.table(columns, cells, empty="Tidak ada selisih.")


def _one_of(value: str | None, allowed: list[str], what: str) -> None:
    if value is not None and value not in allowed:
        failures.wrong_use(f"{what} {value} tidak ada. Pilih: {', '.join(allowed)}.")


@app.command("show")
def show(break_id: BreakId, config: Config = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Satu selisih dengan riwayat kasusnya."""
    from rekon.cli import lookups
    from rekon.domain.breaks import BREAK_TITLES, BreakKind

    with house.opened(config) as place, place.store.reading() as connection:
        row = _get(connection, break_id)
        events = lookups.chronology(connection, row["case_id"])
    if as_json:
        output.write_json(dict(row) | {"chronology": events})
        return
    output.line(
        f"{row['break_id']}  {row['kind']} {BREAK_TITLES[BreakKind(row['kind'])]}  {output.money(row['amount'])}"
    )
    output.line(f"Transaksi  {row['transaction_key']}")
    output.line(
        f"Keadaan    {row['state']}, dibuka {output.at(row['opened_at'])}, ditutup {output.at(row['resolved_at'])}"
    )
    output.line(f"Aturan     {row['rule']}")
    output.line(f"Catatan    {output.printable(row['note']) or '-'}")
    output.line()
    output.table(("WAKTU", "PERISTIWA", "KETERANGAN"), [tuple(e.values()) for e in events], empty="Belum ada riwayat.")


@app.command("resolve")
def resolve(
    break_id: BreakId,
    reason: Reason,
    config: Config = DEFAULT_CONFIG,
    *,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Tutup selisih yang sudah beres; staf_billing atau penyelia."""
    _close(config, break_id, "resolved", reason=reason, token_file=token_file, as_json=as_json)


@app.command("write-off")
def write_off(
    break_id: BreakId,
    reason: Reason,
    config: Config = DEFAULT_CONFIG,
    *,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Terima kerugiannya dan tutup selisih; hanya penyelia."""
    _close(config, break_id, "written_off", reason=reason, token_file=token_file, as_json=as_json)


def _close(config: Config, break_id: str, state: str, *, reason: str, token_file: TokenFile, as_json: bool) -> None:
    from rekon.domain.approval import Refusal, Role
    from rekon.domain.breaks import BreakState

    to = BreakState(state)
    allowed = {Role.SUPERVISOR} if to is BreakState.WRITTEN_OFF else {Role.SUPERVISOR, Role.BILLING}
    with house.opened(config) as place:
        person = people.identify(place, token_file)
        what = f"Penutupan {break_id}"
        if not person.active:
            people.refuse(Refusal.DISABLED, what)
        if person.role not in allowed:
            people.refuse(Refusal.ROLE, what)
        if not reason.strip():
            people.refuse(Refusal.NO_REASON, what)
        moved = place.store.write(_move, break_id, to=to, person=person, reason=reason.strip(), now=place.now)
    if not moved:
        text = f"Selisih {break_id} sudah ditutup; tidak ada yang berubah. Lihat `rekon breaks show`."
        failures.refused(text, reason="not_open")
    if as_json:
        output.write_json({"break_id": break_id, "state": to})
    else:
        output.line(f"{break_id} kini {to.value}.")


def _get(connection: "Connection", break_id: str) -> "Row":
    from sqlalchemy import select

    from rekon.cli import lookups
    from rekon.store import schema

    query = select(schema.breaks).where(schema.breaks.c.break_id == break_id)
    return lookups.get(connection, query, what=f"Selisih {break_id}", advice="Lihat `rekon breaks list`.")


def _move(
    connection: "Connection", break_id: str, *, to: "BreakState", person: "Person", reason: str, now: "datetime"
) -> bool:
    """Close a break with its audit row and its line in the chronology."""
    from rekon.store import approvals, cases

    row = _get(connection, break_id)
    if not cases.move_break(connection, break_id, to=to, now=now):
        return False
    detail = {"staff_id": person.staff_id, "reason": reason, "kind": row["kind"], "amount": row["amount"]}
    approvals.audit(connection, who=person.name, what=f"break.{to}", about=break_id, detail=detail, now=now)
    text = f"{row['kind']} ditutup {person.name}: {reason}"
    cases.add_event(connection, row["case_id"], kind=f"break.{to}", text=text, now=now)
    cases.close_if_done(connection, row["case_id"], now=now)
    return True
