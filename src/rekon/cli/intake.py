"""`rekon intake quarantine`: rows that could not be taken in, until a person puts them right."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rekon.cli import failures, house, output, people
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config, Limit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from rekon.cli.lookups import Row

app = typer.Typer(no_args_is_help=True, help="Data yang masuk.")
quarantined = typer.Typer(no_args_is_help=True, help="Baris yang belum dapat diterima.")
app.add_typer(quarantined, name="quarantine")

RowId = Annotated[int, typer.Argument(metavar="ID", help="Nomor baris karantina, dari `list`.")]
Account = Annotated[
    str, typer.Option("--account", help="Akun penyedia, untuk baris rekening; bawaan akun yang dipakai waktu diimpor.")
]

_MASKED = frozenset({"destination", "destination_sent", "address"})
_HIDDEN = frozenset({"raw_order", "first_reply", "cb_url"})
_TEXT_MAX = 2_000


class _StillRefusedError(Exception):
    """The row was refused again; whatever was written for it is taken back."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


def register(root: typer.Typer) -> None:
    """Add the noun."""
    root.add_typer(app, name="intake")


@quarantined.command("list")
def list_(config: Config = DEFAULT_CONFIG, *, limit: Limit = 200, as_json: AsJson = False) -> None:
    """Daftar baris karantina, yang tertua di atas. Nomor tujuan disamarkan."""
    from rekon.store import quarantine

    with house.opened(config) as place:
        rows = place.store.read(quarantine.waiting, limit=limit)
    if as_json:
        output.write_json({"items": [_shown(row) for row in rows]})
        return
    cells = [(r["id"], r["source"], r["book"], f"{r['origin']}:{r['line']}", r["field"], r["reason"]) for r in rows]
    columns = ("ID", "SUMBER", "BUKU", "ASAL", "KOLOM", "SEBAB")
    output.table(columns, cells, empty="Karantina kosong.")


def _shown(row: "Row") -> dict[str, Any]:
    from rekon.domain.msisdn import mask

    cells = {
        name: mask(str(value)) if name in _MASKED and value else value
        for name, value in row["row"].items()
        if name not in _HIDDEN
    }
    return {name: value for name, value in row.items() if name not in ("row", "fingerprint")} | {"row": cells}


@quarantined.command("fix")
def fix(
    identity: RowId,
    changes: Annotated[list[str], typer.Argument(metavar="KOLOM=NILAI...", help="Kolom yang dibetulkan.")],
    config: Config = DEFAULT_CONFIG,
    *,
    account: Account = "",
    as_json: AsJson = False,
) -> None:
    """Betulkan kolom sebuah baris, lalu coba terima lagi."""
    values = dict(_change(text) for text in changes)
    with house.opened(config) as place:
        place.store.write(_fix, identity, values=values, now=place.now)
        refused = _retry_one(place, identity, account=account)
    _show([refused], taken=0 if refused else 1, as_json=as_json)


def _change(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name.strip() or len(value) > _TEXT_MAX:
        failures.wrong_use(f"{name or text!r} bukan KOLOM=NILAI.")
    return name.strip(), value


def _fix(connection: "Connection", identity: int, *, values: "Mapping[str, str]", now: "datetime") -> None:
    """Change a waiting row, and write down which columns a person changed."""
    from rekon.store import approvals, quarantine

    row = _get(connection, identity)
    quarantine.change(connection, identity, row=dict(row["row"]) | dict(values))
    detail = {"fields": sorted(values)}
    approvals.audit(
        connection, who=people.CONSOLE, what="quarantine.fixed", about=str(identity), detail=detail, now=now
    )


def _get(connection: "Connection", identity: int) -> "Row":
    from rekon.store import quarantine

    row = quarantine.find(connection, identity)
    if row is None or row["state"] != "waiting":
        text = f"Baris karantina {identity} tidak ada atau sudah diterima. Lihat `rekon intake quarantine list`."
        failures.wrong_use(text, reason="not_found")
    return row


@quarantined.command("retry")
def retry(
    identity: Annotated[int | None, typer.Argument(metavar="ID", help="Nomor baris karantina, dari `list`.")] = None,
    config: Config = DEFAULT_CONFIG,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Semua baris karantina.")] = False,
    account: Account = "",
    as_json: AsJson = False,
) -> None:
    """Coba terima lagi satu baris atau semuanya; yang masih ditolak tetap di karantina."""
    from rekon.store import quarantine

    if (identity is None) is not everything:
        failures.wrong_use("Sebutkan satu ID, atau --all untuk semuanya.")
    with house.opened(config) as place:
        if identity is not None:
            place.store.read(_get, identity)
        rows = place.store.read(quarantine.waiting, limit=100_000) if identity is None else []
        wanted = [row["id"] for row in rows] if identity is None else [identity]
        said = [_retry_one(place, one, account=account) for one in wanted]
    _show(said, taken=sum(one is None for one in said), as_json=as_json)


def _retry_one(place: house.House, identity: int, *, account: str) -> dict[str, Any] | None:
    """Take one row in; None when it was taken, else why not."""
    try:
        place.store.write(_take, identity, place=place, account=account)
    except _StillRefusedError as error:
        return {"id": identity, "field": error.field, "reason": error.reason}
    return None


def _take(connection: "Connection", identity: int, *, place: house.House, account: str) -> None:
    """Take a quarantined row in through the same door, and release it; a refusal takes everything back."""
    from zoneinfo import ZoneInfo

    from rekon.store import intake, quarantine

    row = _get(connection, identity)
    table = place.settings.sources.get(row["source"])
    is_statement = row["book"] == "statement"
    batch = intake.Batch(
        book=row["book"],
        source=row["source"],
        rows=[row["row"]],
        origin=row["origin"],
        first_line=row["line"],
        zone=ZoneInfo(table.zone) if table else None,
        provider=row["source"] if is_statement else "",
        account=account or row["account"] or "",
    )
    taken = intake.take(connection, batch, now=place.now)
    if taken.refused:
        raise _StillRefusedError(taken.refused[0].field, taken.refused[0].reason)
    quarantine.release(connection, identity)


def _show(said: list[dict[str, Any] | None], *, taken: int, as_json: bool) -> None:
    refused = [one for one in said if one is not None]
    if as_json:
        output.write_json({"taken": taken, "refused": refused})
    else:
        output.line(f"Diterima {taken}, masih ditolak {len(refused)}.")
        for one in refused:
            output.line(f"  {one['id']} {one['field']}: {one['reason']}")
    if refused:
        raise typer.Exit(failures.FOUND)
