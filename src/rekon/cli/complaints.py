"""`rekon complaints`: reports to providers, ready to send, sent, answered."""

from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from rekon.cli import failures, house, output, people
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config, Limit, TokenFile

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from rekon.cli.lookups import Row

app = typer.Typer(no_args_is_help=True, help="Laporan ke penyedia.")

ComplaintId = Annotated[str, typer.Argument(metavar="ID", help="Id laporan, dari `rekon complaints list`.")]


def register(root: typer.Typer) -> None:
    """Add the noun."""
    root.add_typer(app, name="complaints")


@app.command("list")
def list_(
    config: Config = DEFAULT_CONFIG,
    *,
    state: Annotated[str | None, typer.Option("--state", help="draft, sent, atau answered.")] = None,
    limit: Limit = 200,
    as_json: AsJson = False,
) -> None:
    """Daftar laporan, yang tertua di atas: ia paling dekat dengan batas waktu penyedia."""
    with house.opened(config) as place:
        rows = place.store.read(_list, state=state, limit=limit, windows=_windows(place))
    if as_json:
        output.write_json({"items": rows})
        return
    names = (
        "complaint_id",
        "provider",
        "transaction_key",
        "break_kind",
        "state",
        "opened_at",
        "sent_at",
        "window_ends_at",
    )
    columns = ("ID", "PENYEDIA", "TRANSAKSI", "SELISIH", "KEADAAN", "DIBUAT", "DIKIRIM", "BATAS LAPOR")
    output.table(columns, [tuple(row[name] for name in names) for row in rows], empty="Tidak ada laporan.")


def _windows(place: house.House) -> dict[str, int]:
    from rekon import bootstrap

    return {name: d.complaint.window_hours for name, d in bootstrap.load_provider_definitions(place.state_dir).items()}


def _list(connection: "Connection", *, state: str | None, limit: int, windows: dict[str, int]) -> list[dict[str, Any]]:
    """List complaints without their text: it holds the customer's whole number."""
    from datetime import timedelta

    from rekon.cli import lookups
    from rekon.store import complaints

    rows = complaints.listed(connection, state=state, limit=limit)
    sent = lookups.sent_at_of(connection, [row["leg_key"] for row in rows])
    return [
        {name: value for name, value in row.items() if name not in ("text", "links")}
        | {"window_ends_at": sent[row["leg_key"]] + timedelta(hours=windows.get(row["provider"], 72))}
        for row in rows
    ]


@app.command("show")
def show(complaint_id: ComplaintId, config: Config = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Teks laporan siap kirim dan tautannya. Nomor tujuan tampil utuh: penyedia memerlukannya."""
    from rekon.store import complaints

    with house.opened(config) as place:
        row = place.store.read(complaints.find, complaint_id)
    if row is None:
        _absent(complaint_id)
    if as_json:
        output.write_json(row)
        return
    output.line(f"{row['complaint_id']}  {row['provider']}  {row['transaction_key']}  {row['state']}")
    output.line(row["text"])
    for link in row["links"]:
        output.line(f"  {output.printable(link)}")
    if row["answer"]:
        output.line(f"Jawaban {output.at(row['answered_at'])}: {output.printable(row['answer'])}")


def _absent(complaint_id: str) -> NoReturn:
    failures.wrong_use(f"Laporan {complaint_id} tidak ada. Lihat `rekon complaints list`.", reason="not_found")


@app.command("sent")
def sent(
    complaint_id: ComplaintId, config: Config = DEFAULT_CONFIG, *, token_file: TokenFile = None, as_json: AsJson = False
) -> None:
    """Catat bahwa laporan sudah dikirim; pengingat ke penyedia mulai dihitung."""
    with house.opened(config) as place:
        who = people.name_if_given(place, token_file)
        row = place.store.write(_sent, complaint_id, who=who, now=place.now)
    _told(complaint_id, row, as_json=as_json, refusal="hanya laporan berkeadaan draft yang dapat dicatat terkirim")


@app.command("answer")
def answer(
    complaint_id: ComplaintId,
    text: Annotated[str, typer.Argument(metavar="TEKS", help="Jawaban penyedia, seperti tertulis.")],
    config: Config = DEFAULT_CONFIG,
    *,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Catat jawaban penyedia; jawaban ini sendiri tidak menggerakkan uang."""
    with house.opened(config) as place:
        who = people.name_if_given(place, token_file)
        row = place.store.write(_answer, complaint_id, text=text, who=who, now=place.now)
    _told(complaint_id, row, as_json=as_json, refusal="hanya laporan yang sudah dikirim dapat dijawab")


def _told(complaint_id: str, row: "Row | None", *, as_json: bool, refusal: str) -> None:
    if row is None:
        failures.refused(f"Laporan {complaint_id} tidak berubah: {refusal}.", reason="not_waiting")
    if as_json:
        output.write_json({"complaint_id": complaint_id, "state": row["state"]})
    else:
        output.line(f"{complaint_id} kini {row['state']}.")


def _sent(connection: "Connection", complaint_id: str, *, who: str, now: "datetime") -> "Row | None":
    from rekon.store import complaints

    _must_exist(connection, complaint_id)
    row = complaints.mark_sent(connection, complaint_id, by=who, now=now)
    _note(connection, row, who=who, what="complaint.sent", now=now)
    return row


def _answer(connection: "Connection", complaint_id: str, *, text: str, who: str, now: "datetime") -> "Row | None":
    from rekon.store import complaints

    _must_exist(connection, complaint_id)
    row = complaints.record_answer(connection, complaint_id, answer=text, now=now)
    _note(connection, row, who=who, what="complaint.answered", now=now)
    return row


def _must_exist(connection: "Connection", complaint_id: str) -> None:
    from rekon.store import complaints

    if complaints.find(connection, complaint_id) is None:
        _absent(complaint_id)


def _note(connection: "Connection", row: "Row | None", *, who: str, what: str, now: "datetime") -> None:
    """Write audit and chronology, and have the purchase looked at again."""
    from rekon.store import approvals, cases, evaluations

    if row is None:
        return
    approvals.audit(connection, who=who, what=what, about=row["complaint_id"], detail={}, now=now)
    case_id = cases.case_of(connection, row["transaction_key"])
    if case_id is not None:
        cases.add_event(connection, case_id, kind=what, text=f"Laporan ke {row['provider']}, dicatat {who}", now=now)
    evaluations.touch(connection, [row["transaction_key"]], due_at=now)
