"""The command `rekon`, put together from one module a noun. Importing it imports no database and no network."""

import typer

from rekon.cli import (
    audit,
    backtest,
    breaks,
    cases,
    check,
    complaints,
    database,
    doctor,
    explain,
    halt,
    importing,
    init,
    intake,
    messages,
    providers,
    refunds,
    report,
    serve,
    transactions,
    users,
    verify,
    vouchers,
)
from rekon.cli.groups import RootGroup

NOUNS = (
    init,
    serve,
    doctor,
    verify,
    audit,
    database,
    importing,
    intake,
    report,
    transactions,
    check,
    explain,
    backtest,
    breaks,
    cases,
    refunds,
    complaints,
    vouchers,
    messages,
    providers,
    users,
    halt,
)
"""In the order in which the help lists them. Each has `register(app)`."""

app = typer.Typer(
    name="rekon",
    cls=RootGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Mencocokkan setiap pulsa yang terjual, membereskan yang bermasalah, dan memberi tahu agen lebih dulu. "
    "Kode keluar: 0 selesai, 1 ada temuan, 2 salah pakai, 3 ditolak demi keamanan, 4 gangguan dari luar.",
)


@app.callback()
def _root() -> None:
    """Hold the nouns together."""


for noun in NOUNS:
    noun.register(app)
