"""XLSX and Parquet. Their readers are heavy and one is an extra, so each is imported when a file asks for it."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from rekon.connectors.sources.convert import exact
from rekon.connectors.sources.file_error import FileError
from rekon.connectors.sources.header import check_header
from rekon.domain.intake import Book

Rows = Iterator[tuple[int, dict[str, object]]]

_FETCH = 2_000
_WITH_ZONE = "TIMESTAMP WITH TIME ZONE"
_WILDCARDS = frozenset("*?[")
_ENGINE = {
    "threads": "1",
    "memory_limit": "256MB",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def read_xlsx(path: Path, *, book: Book) -> Rows:
    """Read the first sheet of a workbook, its first row being the header. Formulas count by their stored result.

    Raises:
        FileError: for a file that is no workbook, missing columns, values beside the header's columns.
    """
    openpyxl = _load("openpyxl", name=path.name, extra="")
    with path.open("rb") as handle, closing(_open_workbook(openpyxl, handle, name=path.name)) as workbook:
        sheet = workbook.worksheets[0]
        sheet.reset_dimensions()
        with closing(sheet.iter_rows(values_only=True)) as rows:
            yield from _sheet_rows(rows, book=book, name=path.name)


def read_parquet(path: Path, *, book: Book) -> Rows:
    """Read a Parquet file in its own order.

    Raises:
        FileError: for a file that is no Parquet file, missing columns, or a missing reader.
    """
    duckdb = _load("duckdb", name=path.name, extra="statements")
    if _WILDCARDS & set(str(path)):
        _refuse(path.name, None, "nama berkas atau foldernya memuat * ? atau [", "Ganti namanya lalu impor lagi")
    with duckdb.connect(config=_ENGINE) as connection:
        try:
            columns = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
        except duckdb.Error:
            _refuse(path.name, None, "bukan berkas Parquet yang utuh", "Ekspor ulang lalu impor lagi")
        names = [str(column[0]) for column in columns]
        check_header(names, book=book, name=path.name, line=None)
        zoned = frozenset(column[0] for column in columns if column[1] == _WITH_ZONE)
        yield from _parquet_rows(connection, path, names=names, zoned=zoned, fault=duckdb.Error)


def _open_workbook(openpyxl: Any, handle: BinaryIO, *, name: str) -> Any:  # noqa: ANN401 - openpyxl is loaded by name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles, which nobody reads here
            return openpyxl.load_workbook(handle, read_only=True, data_only=True)
    except Exception:  # noqa: BLE001 - a broken workbook fails in the zip, the XML or the reader, each in its own way
        _refuse(name, None, "bukan berkas Excel (.xlsx) yang utuh", "Buka di Excel, simpan ulang sebagai .xlsx")


def _sheet_rows(rows: Iterator[Sequence[object]], *, book: Book, name: str) -> Rows:
    names = _trimmed_header(next(rows, ()))
    check_header(names, book=book, name=name)
    width = len(names)
    for number, values in enumerate(rows, start=2):
        if all(value is None for value in values):
            continue
        if any(value is not None for value in values[width:]):
            _refuse(name, number, "berisi nilai di luar kolom yang bernama", "Beri nama kolomnya atau hapus isinya")
        row = dict.fromkeys(names)
        row.update(zip(names, values, strict=False))
        yield number, dict(row)


def _trimmed_header(values: Sequence[object]) -> list[str]:
    names = ["" if value is None else str(value).strip() for value in values]
    while names and not names[-1]:
        names.pop()
    return names


def _parquet_rows(
    connection: Any,  # noqa: ANN401 - DuckDB is loaded by name
    path: Path,
    *,
    names: list[str],
    zoned: frozenset[str],
    fault: type[Exception],
) -> Rows:
    """Stream the rows. One thread keeps the file's order; sorting would read everything first."""
    number = 0
    try:
        found = connection.execute(_parquet_query(names, zoned), [str(path)])
        while rows := found.fetchmany(_FETCH):
            for values in rows:
                number += 1
                yield (
                    number,
                    {
                        name: _utc(value) if name in zoned else _whole(value)
                        for name, value in zip(names, values, strict=True)
                    },
                )
    except fault:
        _refuse(path.name, number + 1, "berkas Parquet rusak", "Ekspor ulang lalu impor lagi")


def _parquet_query(names: Sequence[str], zoned: frozenset[str]) -> str:
    """Select every column; instants with a zone come as plain UTC, which needs no extra library."""
    columns = [
        f"make_timestamp(epoch_us({_quoted(name)})) AS {_quoted(name)}" if name in zoned else _quoted(name)
        for name in names
    ]
    return f"SELECT {', '.join(columns)} FROM read_parquet(?)"  # noqa: S608 - names come from the file, quoted


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _whole(value: object) -> object:
    """Turn a whole decimal into its integer: DECIMAL(18,0) is how many tools store rupiah. Floats stay floats."""
    return exact(value) if isinstance(value, Decimal) else value


def _utc(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _load(module: str, *, name: str, extra: str) -> Any:  # noqa: ANN401 - a module is whatever it is
    try:
        return import_module(module)
    except ImportError:
        wanted = f"rekon[{extra}]" if extra else module
        _refuse(name, None, f"pembaca berkas ini ({module}) belum terpasang", f'Pasang dengan: pip install "{wanted}"')


def _refuse(name: str, line: int | None, what: str, advice: str) -> NoReturn:
    raise FileError(name=name, line=line, what=what, advice=advice) from None
