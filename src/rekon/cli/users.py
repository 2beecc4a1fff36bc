"""`rekon users`: staff and their personal tokens. A token is shown once; only its hash is kept."""

import secrets
from typing import Annotated

import typer

from rekon.cli import failures, output
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config

app = typer.Typer(no_args_is_help=True, help="Petugas dan token pribadinya.")

_TOKEN_BYTES = 32
_NAME_MAX = 64


def register(root: typer.Typer) -> None:
    """Add the noun."""
    root.add_typer(app, name="users")


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAMA")],
    role: Annotated[str, typer.Option("--role", help="staf_billing, penyelia, teknis, atau auditor.")],
    config: Config = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """Tambah petugas; token pribadinya dicetak sekali ini saja."""
    from sqlalchemy.exc import IntegrityError

    from rekon.cli import house
    from rekon.domain.approval import Role

    roles = [one.value for one in Role]
    if role not in roles:
        failures.wrong_use(f"Peran {role} tidak ada. Pilih: {', '.join(roles)}.")
    if not name.strip() or len(name) > _NAME_MAX or not name.isprintable():
        failures.wrong_use(f"Nama harus 1 sampai {_NAME_MAX} karakter tanpa karakter kendali.")
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    with house.opened(config) as place:
        try:
            staff_id = place.store.write(_add, name=name.strip(), role=role, token=token, now=place.now)
        except IntegrityError:
            failures.wrong_use(f"Nama {name} sudah dipakai. Pilih nama lain.", reason="exists")
    if as_json:
        output.write_json({"staff_id": staff_id, "name": name.strip(), "role": role, "token": token})
        return
    output.line(f"{name.strip()} ditambahkan sebagai {role}. Token pribadi, hanya ditampilkan sekali:")
    output.line(token)


def _add(connection, *, name, role, token, now):  # type: ignore[no-untyped-def]
    raise AssertionError
