"""`rekon users`: staff and their personal tokens. A token is shown once; only its hash is kept."""

import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from rekon.cli import failures, house, output, people
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

app = typer.Typer(no_args_is_help=True, help="Petugas dan token pribadinya.")

_TOKEN_BYTES = 32
_NAME_MAX = 64


def register(root: typer.Typer) -> None:
    """Add the noun."""
    root.add_typer(app, name="users")


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAMA", help="Nama petugas.")],
    role: Annotated[str, typer.Option("--role", help="staf_billing, penyelia, teknis, atau auditor.")],
    config: Config = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """Tambah petugas; token pribadinya dicetak sekali ini saja."""
    from sqlalchemy.exc import IntegrityError

    named = name.strip()
    _check(named, role)
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    with house.opened(config) as place:
        try:
            staff_id = place.store.write(_add, name=named, role=role, token=token, now=place.now)
        except IntegrityError:
            failures.wrong_use(f"Nama {named} sudah dipakai. Pilih nama lain.", reason="exists")
    if as_json:
        output.write_json({"staff_id": staff_id, "name": named, "role": role, "token": token})
        return
    output.line(f"{named} ditambahkan sebagai {role}. Token pribadi, hanya ditampilkan sekali ini:")
    output.line(token)


def _check(name: str, role: str) -> None:
    from rekon.domain.approval import Role

    roles = [one.value for one in Role]
    if role not in roles:
        failures.wrong_use(f"Peran {role} tidak ada. Pilih: {', '.join(roles)}.")
    if not name or len(name) > _NAME_MAX or not name.isprintable():
        failures.wrong_use(f"Nama harus 1 sampai {_NAME_MAX} karakter tanpa karakter kendali.")


def _add(connection: "Connection", *, name: str, role: str, token: str, now: "datetime") -> str:
    from rekon.store import approvals, staff

    staff_id = staff.add(connection, name=name, role=role, token=token, now=now)
    approvals.audit(connection, who=people.CONSOLE, what="staff.added", about=staff_id, detail={"role": role}, now=now)
    return staff_id


@app.command("list")
def list_(config: Config = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Daftar petugas."""
    from rekon.store import staff

    with house.opened(config) as place:
        rows = place.store.read(staff.listed)
    if as_json:
        output.write_json({"items": rows})
        return
    cells = [(r["name"], r["role"], "aktif" if r["active"] else "dicabut", r["added_at"]) for r in rows]
    output.table(
        ("NAMA", "PERAN", "AKSES", "SEJAK"), cells, empty="Belum ada petugas. Tambah dengan `rekon users add`."
    )


@app.command("disable")
def disable(
    name: Annotated[str, typer.Argument(metavar="NAMA", help="Nama petugas.")],
    config: Config = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """Cabut akses petugas; keputusannya yang belum cukup tidak lagi dihitung."""
    with house.opened(config) as place:
        done = place.store.write(_disable, name=name.strip(), now=place.now)
    if not done:
        failures.wrong_use(f"Tidak ada petugas aktif bernama {name}. Lihat `rekon users list`.", reason="not_found")
    if as_json:
        output.write_json({"name": name.strip(), "active": False})
    else:
        output.line(f"Akses {name.strip()} dicabut.")


def _disable(connection: "Connection", *, name: str, now: "datetime") -> bool:
    from rekon.store import approvals, staff

    done = staff.disable(connection, name)
    if done:
        approvals.audit(connection, who=people.CONSOLE, what="staff.disabled", about=name, detail={}, now=now)
    return done
