"""Reading TOML tables strictly: what is not known is refused, and the message names the key."""

from collections.abc import Mapping
from typing import NoReturn


class MappingError(ValueError):
    """A mapping or plan cannot be used. The text names the key and what is allowed there."""


def refuse(where: str, what: str) -> NoReturn:
    """Say which key is wrong.

    Raises:
        MappingError: always.
    """
    text = f"{where}: {what}"
    raise MappingError(text)


def only_known(table: Mapping[str, object], allowed: frozenset[str], *, where: str) -> None:
    """Refuse keys that nothing would read.

    Raises:
        MappingError: naming the first unknown key.
    """
    unknown = sorted(set(table) - allowed)
    if unknown:
        refuse(where, f"unknown key {unknown[0]!r}; allowed: {', '.join(sorted(allowed))}")


def as_table(value: object, *, where: str) -> Mapping[str, object]:
    """Read a table.

    Raises:
        MappingError: for anything else.
    """
    if not isinstance(value, Mapping):
        refuse(where, "must be a table")
    return value


def as_text(value: object, *, where: str, may_be_empty: bool = False) -> str:
    """Read a text with its line breaks and runs of spaces folded into one space.

    Raises:
        MappingError: for anything else, and for an empty text unless it may be.
    """
    if not isinstance(value, str) or not (value.strip() or may_be_empty):
        refuse(where, "must be a text")
    return " ".join(value.split())


def as_texts(value: object, *, where: str) -> dict[str, str]:
    """Read a table of texts.

    Raises:
        MappingError: for anything else.
    """
    return {name: as_text(item, where=f"{where}.{name}") for name, item in as_table(value, where=where).items()}


def as_list(value: object, *, where: str) -> list[object]:
    """Read a list.

    Raises:
        MappingError: for anything else.
    """
    if not isinstance(value, list):
        refuse(where, "must be a list")
    return value


def as_count(value: object, *, where: str) -> int:
    """Read a whole number from 0 up.

    Raises:
        MappingError: for anything else.
    """
    if type(value) is not int or value < 0:
        refuse(where, "must be a whole number from 0 up")
    return value
