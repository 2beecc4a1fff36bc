"""`rekon vouchers`: gifts to agents after our own mistakes."""

from typing import Annotated

import typer

from rekon.cli import house, output
from rekon.cli.options import DEFAULT_CONFIG, AsJson, Config, Limit

app = typer.Typer(no_args_is_help=True, help="Voucher permintaan maaf.")

_CODE_SHOWN = 4


def register(root: typer.Typer) -> None:
    """Add the noun."""
    root.add_typer(app, name="vouchers")


@app.command("list")
def list_(
    config: Config = DEFAULT_CONFIG,
    *,
    agent: Annotated[str | None, typer.Option("--agent", help="Hanya agen ini.")] = None,
    limit: Limit = 200,
    as_json: AsJson = False,
) -> None:
    """Daftar voucher, terbaru di atas. Kode disamarkan: kode utuh dapat dibelanjakan."""
    from rekon.store import vouchers

    with house.opened(config) as place:
        rows = place.store.read(vouchers.listed, agent_id=agent, limit=limit)
    if as_json:
        kept = ("transaction_key", "agent_id", "amount", "rule", "state", "issued_at", "expires_at", "redeemed_at")
        output.write_json({"items": [{"code": _masked(r["code"])} | {name: r[name] for name in kept} for r in rows]})
        return
    columns = ("KODE", "AGEN", "NILAI", "ATURAN", "KEADAAN", "TERBIT", "BERLAKU SAMPAI")
    cells = [
        (
            _masked(r["code"]),
            r["agent_id"],
            output.money(r["amount"]),
            r["rule"],
            r["state"],
            r["issued_at"],
            r["expires_at"],
        )
        for r in rows
    ]
    output.table(columns, cells, empty="Belum ada voucher.")


def _masked(code: str) -> str:
    return f"****-{code[-_CODE_SHOWN:]}"
