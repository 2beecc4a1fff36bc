"""Where in a scenario file something is wrong, said so that a person finds it."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any


class ScenarioError(ValueError):
    """A scenario file cannot be played. One line a fault: file, line, place, what is wrong and what is allowed."""


def parsed(text: str, *, name: str) -> dict[str, Any]:
    """Read TOML.

    Raises:
        ScenarioError: it is none.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = f"{name}: {error}"
        raise ScenarioError(message) from error


def fault(text: str, name: str, found: Mapping[str, Any]) -> str:
    """Word one fault of a validation."""
    place = [part for part in found["loc"] if not _is_tag(part)]
    said = str(found["msg"]).removeprefix("Value error, ")
    return f"{name}:{line_of(text, place)}: {_path(place)}: {said}{_given(found)}"


def _is_tag(part: object) -> bool:
    """Tell the names a union puts between a place and its parts from names that stand in the file."""
    return part in {"sale", "old_order", "outage", "stale_books", "crash", "datetime", "timedelta"}


def _given(found: Mapping[str, Any]) -> str:
    value = found.get("input")
    return f" (given: {value!r})" if isinstance(value, str | int | float) else ""


def _path(place: Sequence[object]) -> str:
    words = ""
    for part in place:
        words += f"[{int(part) + 1}]" if isinstance(part, int) else f".{part}"
    return words.lstrip(".") or "scenario"


def line_of(text: str, place: Sequence[object]) -> int:
    """Find the line a place of the document stands on, as near as a reader needs it; the first when it is nowhere."""
    lines = text.splitlines()
    at, inside = 0, 0
    names = list(place)
    while names:
        head = names.pop(0)
        if isinstance(head, int):
            continue
        number = names[0] if names and isinstance(names[0], int) else 0
        found = _header(lines, str(head), number) if not inside else None
        if found is None:
            found = _key(lines, str(head), since=at)
        if found is not None:
            at, inside = found, 1
    return at + 1


def _header(lines: Sequence[str], name: str, number: int) -> int | None:
    pattern = re.compile(rf"\s*\[\[?\s*{re.escape(name)}\s*\]\]?")
    found = [i for i, line in enumerate(lines) if pattern.match(line)]
    return found[number] if number < len(found) else None


def _key(lines: Sequence[str], name: str, *, since: int) -> int | None:
    pattern = re.compile(rf"(?:.*[{{,]\s*|\s*\[+.*\.)?\s*{re.escape(name)}\s*[=\].]")
    return next((i for i in range(since, len(lines)) if pattern.match(lines[i])), None)
