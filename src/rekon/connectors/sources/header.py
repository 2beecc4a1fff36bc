"""Column names of a file, held against what its book needs before the first row is read."""

from collections.abc import Sequence

from rekon.connectors.sources.file_error import FileError
from rekon.domain.intake import FIELDS, REQUIRED_FIELDS, Book


def check_header(names: Sequence[str], *, book: Book, name: str, line: int | None = 1) -> None:
    """Refuse a header that lacks a required column or names one twice.

    Raises:
        FileError: naming the columns that are missing, or the one that stands twice.
    """
    missing = [field for field in REQUIRED_FIELDS[book] if field not in names]
    if missing:
        raise FileError(
            name=name,
            line=line,
            what=f"kolom wajib tidak ada: {', '.join(missing)}",
            advice=f"Baris pertama harus berisi nama kolom; yang dikenal: {', '.join(FIELDS[book])}",
        )
    twice = [field for field in names if field and names.count(field) > 1]
    if twice:
        raise FileError(
            name=name,
            line=line,
            what=f"kolom {twice[0] if twice[0] in FIELDS[book] else 'yang sama'} tertulis dua kali",
            advice="Hapus salah satu",
        )
