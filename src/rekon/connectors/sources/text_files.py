"""CSV and JSON Lines, read one line at a time: a file of any size needs the memory of one row."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from rekon.connectors.sources.file_error import FileError
from rekon.connectors.sources.header import check_header
from rekon.domain.intake import FIELDS, Book
from rekon.domain.intake_json import NotJsonError, read_object

Rows = Iterator[tuple[int, dict[str, object]]]

LINE_BYTES_MAX = 1024 * 1024
_DELIMITERS = (",", ";", "\t")
_BLANK = " \t\r\n"
_BOM = b"\xef\xbb\xbf"
_OTHER_ENCODINGS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_SAVE_AS = 'Simpan ulang sebagai "CSV UTF-8" lalu impor lagi'


def read_csv(path: Path, *, book: Book) -> Rows:
    """Read a CSV file with a header, separated by comma, semicolon or tab, in UTF-8 with or without a mark.

    Raises:
        FileError: for another encoding, missing columns, a row with more or fewer columns, broken quotes.
    """
    with path.open("rb") as handle:
        lines = _Lines(handle, name=path.name)
        header_line = next(lines, "")
        names, delimiter = _header(header_line, book=book)
        check_header(names, book=book, name=path.name)
        yield from _records(lines, names, delimiter=delimiter, name=path.name)


def read_json_lines(path: Path, *, book: Book) -> Rows:
    """Read a file with one JSON object a line. Which fields a row lacks is intake's business.

    Raises:
        FileError: for another encoding, or a line that is not one strict JSON object.
    """
    del book
    with path.open("rb") as handle:
        for number, line in enumerate(_Lines(handle, name=path.name), start=1):
            if not line.strip(_BLANK):
                continue
            try:
                row = read_object(line)
            except NotJsonError:
                _refuse(
                    path.name,
                    number,
                    "bukan satu objek JSON yang sah",
                    "Tiap baris harus satu objek, tanpa kunci ganda dan tanpa NaN",
                )
            yield number, row


class _Lines:
    """The lines of a file as text, each checked for size and encoding before anything reads it."""

    def __init__(self, handle: BinaryIO, *, name: str) -> None:
        self._handle = handle
        self._name = name
        self._number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        raw = self._handle.readline(LINE_BYTES_MAX + 1)
        if not raw:
            raise StopIteration
        self._number += 1
        if len(raw) > LINE_BYTES_MAX:
            _refuse(self._name, self._number, "baris terlalu panjang", "Periksa tanda kutip dan pemisah barisnya")
        if self._number == 1:
            raw = self._without_mark(raw)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            _refuse(self._name, self._number, "bukan UTF-8", _SAVE_AS)

    def _without_mark(self, raw: bytes) -> bytes:
        if raw.startswith(_OTHER_ENCODINGS) or b"\x00" in raw:
            _refuse(self._name, 1, "disimpan sebagai UTF-16 atau bukan berkas teks", _SAVE_AS)
        return raw.removeprefix(_BOM)


def _header(line: str, *, book: Book) -> tuple[list[str], str]:
    """Split the header by whichever separator yields most columns of the book."""
    splits = {delimiter: _split(line, delimiter) for delimiter in _DELIMITERS}
    known = set(FIELDS[book])
    delimiter = max(_DELIMITERS, key=lambda candidate: len(known & set(splits[candidate])))
    return splits[delimiter], delimiter


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _records(lines: Iterator[str], names: list[str], *, delimiter: str, name: str) -> Rows:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    width = len(names)
    begins = 2
    try:
        for record in reader:
            if len(record) == width:
                yield begins, dict(zip(names, record, strict=True))
            elif record:
                what = f"berisi {len(record)} kolom, seharusnya {width}"
                _refuse(name, begins, what, "Beri tanda kutip pada isi yang memuat pemisah")
            begins = reader.line_num + 2
    except csv.Error:
        what = "tanda kutip atau pemisah baris rusak"
        _refuse(name, begins, what, "Beri tanda kutip ganda pada isi yang memuat kutip")


def _refuse(name: str, line: int, what: str, advice: str) -> NoReturn:
    raise FileError(name=name, line=line, what=what, advice=advice)
