"""One parser for each kind of value in an incoming row. Strict: what is not exactly allowed is refused, never guessed.

Every parser takes the row and the field's name. The usual case is one test on one line; the reason for a refusal is
worked out only when there is one. Reasons are Indonesian, say what is allowed and never repeat the value, because a
shifted column puts a customer's number anywhere.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from enum import Enum
from typing import TypeVar

Row = Mapping[str, object]
Member = TypeVar("Member", bound=Enum)

IDENTITY_MAX = 128
DESTINATION_MIN = 4
DESTINATION_MAX = 64
AMOUNT_MAX = 999_999_999_999
"""Twelve digits. More than that is a number in the wrong column, not an amount."""
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_INSTANT_MIN_LENGTH = len("2026-11-22T10:15")
_SEPARATOR_AT = len("2026-11-22")
_SEPARATORS = frozenset({"T", " "})
_PLACEHOLDERS = frozenset({"NULL", "null", "(null)", "None", "nan", "NaN", "undefined"})
_WHOLE = re.compile(r"0|[1-9][0-9]{0,11}", re.ASCII)
_SIGNED = re.compile(r"0|-?[1-9][0-9]{0,11}", re.ASCII)
_FLAGS: dict[object, bool] = {"true": True, "false": False, "1": True, "0": False, "": False, None: False}

_COUNTS: dict[str, int | str] = {str(number): number for number in range(10_000)}

REQUIRED = "wajib diisi"
TEXT_ONLY = "harus teks; di Excel ubah format kolom menjadi Teks supaya angka 0 di depan tidak hilang"
RUPIAH = "harus rupiah bulat tanpa titik, koma atau pecahan, paling banyak 12 angka, contoh 10500"
INSTANT = "harus waktu ISO-8601 dengan selisih zona, contoh 2026-11-22T10:15:00+07:00"
NO_ZONE = "waktu tanpa zona: tulis selisihnya, contoh +07:00, atau tetapkan zona waktu sumber ini"
FUTURE = "lebih dari 24 jam di depan waktu sekarang; periksa jam server"
TOO_OLD = "harus tahun 2000 atau sesudahnya"
FLAG = "harus true atau false"


class RowError(ValueError):
    """A row cannot be taken in; it belongs in quarantine.

    `reason` is Indonesian, for staff, and holds no value of the row.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


def identity(row: Row, field: str, *, length_max: int = IDENTITY_MAX) -> str:
    """Read an id: 1 to 128 printable characters, no spaces around it, not a written-out NULL.

    Raises:
        RowError: for anything else; a number is refused because it may have lost its leading zeros.
    """
    value = row.get(field)
    if (
        isinstance(value, str)
        and 0 < len(value) <= length_max
        and value.isprintable()
        and value[0] != " "
        and value[-1] != " "
        and value not in _PLACEHOLDERS
    ):
        return value
    raise RowError(field, _identity_reason(value, length_max))


def identity_or(row: Row, field: str, default: str, *, length_max: int = IDENTITY_MAX) -> str:
    """Read an id that may be absent or empty."""
    value = row.get(field)
    if value is None or value == "":
        return default
    return identity(row, field, length_max=length_max)


def destination(row: Row, field: str) -> str:
    """Read a customer's number, meter or account: 4 to 64 characters after trimming, kept as the server wrote it.

    Letters of left-to-right scripts are allowed (game accounts); foreign digits, symbols and marks are not, because
    two of them can look like one number.

    Raises:
        RowError: for anything else. The reason never holds the number.
    """
    value = row.get(field)
    if isinstance(value, str):
        trimmed = value.strip(" \t\r\n")
        if DESTINATION_MIN <= len(trimmed) <= DESTINATION_MAX and trimmed.isprintable() and _is_plain(trimmed):
            return trimmed
    raise RowError(field, _destination_reason(value))


def destination_or(row: Row, field: str, default: str) -> str:
    """Read a customer's number that may be absent or empty."""
    value = row.get(field)
    if value is None or value == "":
        return default
    return destination(row, field)


def line(row: Row, field: str, *, length_max: int) -> str:
    """Read one optional line of text, trimmed; a whole number counts as its digits; absent is empty.

    Raises:
        RowError: for control characters, other types and too much text.
    """
    value = row.get(field)
    if value is None or value == "":
        return ""
    if type(value) is int:
        value = str(value)
    if isinstance(value, str) and len(value) <= length_max and value.isprintable():
        return value.strip()
    raise RowError(field, f"harus teks satu baris, paling banyak {length_max} karakter, tanpa karakter kendali")


def free_text(row: Row, field: str, *, length_max: int) -> str | None:
    """Read text exactly as a provider or person wrote it, hostile as it may be; absent and empty are None.

    Raises:
        RowError: for what no database and no screen can hold: NUL, half a character, too much.
    """
    value = row.get(field)
    if value is None or value == "":
        return None
    if isinstance(value, str) and len(value) <= length_max and "\x00" not in value and _is_encodable(value):
        return value
    raise RowError(field, f"harus teks, paling banyak {length_max} karakter, tanpa karakter NUL")


def whole(row: Row, field: str) -> int | None:
    """Read an optional amount or count from 0 up; absent and empty are None.

    Raises:
        RowError: for floats, booleans, separators, foreign digits, leading zeros, signs and more than 12 digits.
    """
    value = row.get(field)
    if type(value) is int:
        if 0 <= value <= AMOUNT_MAX:
            return value
    elif value is None or value == "":
        return None
    elif isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    raise RowError(field, RUPIAH)


def signed(row: Row, field: str) -> int | None:
    """Read an optional signed amount; absent and empty are None.

    Raises:
        RowError: as `whole`, but one minus sign in front is allowed.
    """
    value = row.get(field)
    if type(value) is int:
        if -AMOUNT_MAX <= value <= AMOUNT_MAX:
            return value
    elif value is None or value == "":
        return None
    elif isinstance(value, str) and _SIGNED.fullmatch(value):
        return int(value)
    raise RowError(field, RUPIAH)


def count(row: Row, field: str, *, default: int, low: int, high: int) -> int:
    """Read an optional count within bounds.

    Raises:
        RowError: for anything outside the bounds or not a whole number.
    """
    value = row.get(field)
    if value is None or value == "":
        return default
    if isinstance(value, str):
        value = _COUNTS.get(value, value)
    if type(value) is int and low <= value <= high:
        return value
    raise RowError(field, f"harus bilangan bulat {low} sampai {high}")


def flag(row: Row, field: str) -> bool:
    """Read an optional yes or no: a JSON boolean, `true`, `false`, 1 or 0; absent is no.

    Raises:
        RowError: for every other word.
    """
    value = row.get(field)
    if value is True or value is False:
        return value
    if type(value) is int:
        value = str(value)
    if (value is None or isinstance(value, str)) and value in _FLAGS:
        return _FLAGS[value]
    raise RowError(field, FLAG)


def word(row: Row, field: str, table: Mapping[str, Member]) -> Member:
    """Read a required word of a closed list, exactly as listed.

    Raises:
        RowError: for any other word, spelling or type; the reason lists what is allowed.
    """
    value = row.get(field)
    if isinstance(value, str):
        member = table.get(value)
        if member is not None:
            return member
    raise RowError(field, f"harus salah satu dari: {', '.join(table)}")


def instant(row: Row, field: str, *, zone: tzinfo | None, latest: datetime) -> datetime:
    """Read a required instant as aware UTC: ISO-8601 text or a datetime, with an offset unless the source has a zone.

    Raises:
        RowError: for dates without a time, instants without an offset or zone, years before 2000, and anything later
            than `latest`.
    """
    value = row.get(field)
    try:
        if isinstance(value, str):
            is_whole = len(value) >= _INSTANT_MIN_LENGTH and value[_SEPARATOR_AT] in _SEPARATORS
            moment = datetime.fromisoformat(value) if is_whole else None
        else:
            moment = value if isinstance(value, datetime) else None
        if moment is not None:
            if moment.tzinfo is None and zone is not None:
                moment = moment.replace(tzinfo=zone)
            if moment.tzinfo is not None:
                moment = moment.astimezone(UTC)
                if _EARLIEST <= moment <= latest:
                    return moment
    except (ValueError, OverflowError):
        moment = None
    raise RowError(field, _instant_reason(value, moment))


def instant_or(
    row: Row, field: str, default: datetime | None, *, zone: tzinfo | None, latest: datetime
) -> datetime | None:
    """Read an optional instant."""
    value = row.get(field)
    if value is None or value == "":
        return default
    return instant(row, field, zone=zone, latest=latest)


def _instant_reason(value: object, moment: datetime | None) -> str:
    if value is None or value == "":
        return REQUIRED
    if moment is None:
        return INSTANT
    if moment.tzinfo is None:
        return NO_ZONE
    return TOO_OLD if moment < _EARLIEST else FUTURE


def _identity_reason(value: object, length_max: int) -> str:
    if value is None or value == "":
        return REQUIRED
    if not isinstance(value, str):
        return TEXT_ONLY
    if value in _PLACEHOLDERS:
        return "berisi tulisan NULL; kosongkan atau isi yang sebenarnya"
    return f"harus 1 sampai {length_max} karakter tanpa karakter kendali dan tanpa spasi di awal atau akhir"


def _destination_reason(value: object) -> str:
    if value is None or value == "":
        return REQUIRED
    if not isinstance(value, str):
        return TEXT_ONLY
    return (
        f"harus {DESTINATION_MIN} sampai {DESTINATION_MAX} karakter: huruf, angka 0-9 dan tanda baca biasa, "
        "tanpa karakter kendali atau simbol"
    )


def _is_plain(text: str) -> bool:
    return text.isascii() or all(
        c.isascii() or (c.isalpha() and unicodedata.bidirectional(c) == "L" and unicodedata.normalize("NFKC", c) == c)
        for c in text
    )


def _is_encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)
