"""How results are shown: JSON alone on stdout for programs, tables for people, progress and remarks on stderr."""

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path

import typer

WIB = "Asia/Jakarta"


def write_json(value: object) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(value, default=_plain, ensure_ascii=False))


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal | Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    text = f"cannot print a {type(value).__name__}"
    raise TypeError(text)


def line(text: str = "") -> None:
    """Print one line of the result."""
    typer.echo(text)


def remark(text: str) -> None:
    """Print one line beside the result."""
    typer.echo(text, err=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print a table: drawn in a terminal, plain columns anywhere else, `empty` when there is no row."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        line(empty)
    elif sys.stdout.isatty():
        _draw(columns, cells)
    else:
        widths = [max(len(row[i]) for row in [list(columns), *cells]) for i in range(len(columns))]
        for row in [list(columns), *cells]:
            line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _draw(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(*columns)
    for row in cells:
        drawn.add_row(*(escape(cell) for cell in row))
    Console().print(drawn)


def _cell(value: object) -> str:
    """Write a value on one line; control characters of whoever wrote it cannot reach the terminal."""
    text = at(value) if isinstance(value, datetime) else "-" if value is None or value == "" else str(value)
    return printable(text)


def printable(text: str) -> str:
    """Replace control characters: text from outside must not move the cursor or recolour a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def at(instant: datetime | None) -> str:
    """Write an instant as staff read it: `2026-11-22 14.05.09 WIB`."""
    if instant is None:
        return "-"
    from rekon.domain.message_format import to_local

    return f"{to_local(instant, WIB):%Y-%m-%d %H.%M.%S} WIB"


def money(amount: int | None) -> str:
    """Write an amount: `Rp 50.000`."""
    if amount is None:
        return "-"
    from rekon.domain.money import format_rupiah

    return format_rupiah(amount)
