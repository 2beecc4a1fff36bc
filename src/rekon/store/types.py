"""Column types that mean the same on SQLite and PostgreSQL: instants, exact decimals, words from outside."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import BigInteger, Dialect, Integer, String
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400_000_000
_SECOND = 1_000_000
_HALF_CHARACTERS = ("\ud800", "\udfff")

Serial = BigInteger().with_variant(Integer(), "sqlite")
"""A number the database counts itself. SQLite counts only columns declared INTEGER."""


def micros(value: datetime) -> int:
    """Write an aware instant as whole microseconds since 1970.

    Raises:
        TypeError: for a naive one (I23).
    """
    since = value - _EPOCH
    return since.days * _DAY + since.seconds * _SECOND + since.microseconds


def span(value: timedelta) -> int:
    """Write a duration as whole microseconds, to compare with differences of instants."""
    return value.days * _DAY + value.seconds * _SECOND + value.microseconds


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant as whole microseconds since 1970; naive values are refused (I23)."""

    impl = BigInteger
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], int | None]:
        """Turn aware instants into microseconds, with one call a value."""
        del dialect
        return _to_micros

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Turn an aware instant into microseconds."""
        del dialect
        return _to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Turn microseconds into an aware UTC instant."""
        del dialect
        return None if value is None else _EPOCH + timedelta(microseconds=value)


def _to_micros(value: datetime | None) -> int | None:
    return None if value is None else micros(value)


class Exact(TypeDecorator[Decimal]):
    """A decimal kept as it was written; SQLite's NUMERIC would make a float of it."""

    impl = String(64)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """Write the decimal's own digits."""
        del dialect
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        """Read the digits back."""
        del dialect
        return None if value is None else Decimal(value)


class Quoted(TypeDecorator[str]):
    """Words from outside: cut to the column, without NUL and half characters, which no database takes.

    A reply that cannot be written down would otherwise stop the unit of work it came in, again and again.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Cut and clean the words."""
        del dialect
        if value is None:
            return None
        if "\x00" in value or not value.isascii():
            low, high = _HALF_CHARACTERS
            value = "".join(c for c in value if c != "\x00" and not low <= c <= high)
        return value[: self.length]
