"""Options that every command shares, declared once."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("rekon.toml")
TOKEN_VARIABLE = "REKON_STAFF_TOKEN"  # noqa: S105 - the name of a variable, not what it holds

Config = Annotated[
    Path,
    typer.Option("--config", envvar="REKON_CONFIG", help="Berkas konfigurasi.", show_default="./rekon.toml"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Cetak JSON saja di stdout.")]
Reason = Annotated[str, typer.Option("--reason", help="Alasan, ikut tercatat.")]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", help=f"Berkas berisi token pribadi; tanpa ini {TOKEN_VARIABLE}, lalu ditanyakan."),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Paling banyak sekian baris.")]
