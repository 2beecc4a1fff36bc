"""Books as files: CSV, JSON Lines, XLSX and Parquet. Rows come as they stand in the file; intake judges them."""

from collections.abc import Callable, Iterator
from pathlib import Path

from rekon.connectors.sources.file_error import FileError
from rekon.connectors.sources.table_files import read_parquet, read_xlsx
from rekon.connectors.sources.text_files import read_csv, read_json_lines
from rekon.domain.intake import Book

__all__ = ["SUFFIXES", "FileError", "read_rows"]

Rows = Iterator[tuple[int, dict[str, object]]]

_READERS: dict[str, Callable[..., Rows]] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".txt": read_csv,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".xlsx": read_xlsx,
    ".parquet": read_parquet,
}
SUFFIXES = tuple(_READERS)
"""Endings of file names that can be read."""


def read_rows(path: Path, *, book: Book) -> Iterator[tuple[int, dict[str, object]]]:
    """Read the rows of a file one by one with their 1-based line in it; the header is line 1.

    A CSV row holds texts; the other kinds hold what their cells hold. Parquet has no lines: its rows count from 1.

    Raises:
        FileError: when the file or the next row cannot be read; rows given before it stand.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise FileError(
            name=path.name,
            line=None,
            what="jenis berkas ini tidak dikenal",
            advice=f"Yang dapat dibaca: {', '.join(SUFFIXES)}",
        )
    try:
        yield from reader(path, book=book)
    except OSError as error:
        raise FileError(
            name=path.name,
            line=None,
            what=f"tidak dapat dibuka ({type(error).__name__})",
            advice="Periksa nama berkas dan izin bacanya",
        ) from None
