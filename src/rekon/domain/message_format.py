"""How instants, hours and durations are written in messages (rulebook 3.7).

Indonesia keeps no daylight saving time, so its three zones are fixed offsets and need no zone files.
"""

from datetime import datetime, timedelta, timezone

_WIB = timezone(timedelta(hours=7), "WIB")
_WITA = timezone(timedelta(hours=8), "WITA")
_WIT = timezone(timedelta(hours=9), "WIT")

_ZONES = {
    "WIB": _WIB,
    "Asia/Jakarta": _WIB,
    "Asia/Pontianak": _WIB,
    "WITA": _WITA,
    "Asia/Makassar": _WITA,
    "Asia/Ujung_Pandang": _WITA,
    "WIT": _WIT,
    "Asia/Jayapura": _WIT,
}

_MONTHS = {
    "id": [
        "Januari",
        "Februari",
        "Maret",
        "April",
        "Mei",
        "Juni",
        "Juli",
        "Agustus",
        "September",
        "Oktober",
        "November",
        "Desember",
    ],
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
}
_AT = {"id": "pukul", "en": "at"}
_ON = {"id": "tanggal", "en": "on"}
_SPANS = {"id": ("hari", "jam", "menit"), "en": ("days", "hours", "minutes")}
_LESS_THAN_A_MINUTE = {"id": "kurang dari 1 menit", "en": "less than 1 minute"}


class MessageError(ValueError):
    """A message cannot be written: a template, a variable or a zone is wrong. The text names which."""


def format_instant(at: datetime, zone: str, *, language: str = "id") -> str:
    """Write an instant as messages do: `22 November 2026 pukul 14.05 WIB`.

    `zone` is WIB, WITA, WIT or the IANA name of one of them.

    Raises:
        MessageError: for a naive instant or another zone.
    """
    local = to_local(at, zone)
    return f"{_day(local, language)} {local.year} {_AT[language]} {_hour(local)}"


def format_hour(at: datetime, zone: str, *, now: datetime | None = None, language: str = "id") -> str:
    """Write the hour of an instant: `14.05 WIB`; given `now`, an hour on another day also names the day.

    Raises:
        MessageError: for a naive instant or an unknown zone.
    """
    local = to_local(at, zone)
    if now is None or to_local(now, zone).date() == local.date():
        return _hour(local)
    return f"{_hour(local)} {_ON[language]} {_day(local, language)}"


def format_duration(duration: timedelta, *, language: str = "id") -> str:
    """Write a duration in its two largest units: `2 jam 15 menit`, `1 hari`, `kurang dari 1 menit`."""
    minutes = int(duration.total_seconds()) // 60
    if minutes < 1:
        return _LESS_THAN_A_MINUTE[language]
    counts = (minutes // 1440, minutes // 60 % 24, minutes % 60)
    parts = [_count(n, word, language) for n, word in zip(counts, _SPANS[language], strict=True) if n]
    return " ".join(parts[:2])


def to_local(at: datetime, zone: str) -> datetime:
    """Bring an aware instant to an Indonesian zone.

    Raises:
        MessageError: for a naive instant or an unknown zone.
    """
    if at.tzinfo is None:
        text = "an instant in a message needs an offset"
        raise MessageError(text)
    try:
        return at.astimezone(_ZONES[zone])
    except KeyError:
        text = f"{zone!r} is not a zone of Indonesia"
        raise MessageError(text) from None


def _day(local: datetime, language: str) -> str:
    return f"{local.day} {_MONTHS[language][local.month - 1]}"


def _hour(local: datetime) -> str:
    return f"{local:%H.%M} {local.tzname()}"


def _count(number: int, word: str, language: str) -> str:
    return f"{number} {word.removesuffix('s')}" if language == "en" and number == 1 else f"{number} {word}"
