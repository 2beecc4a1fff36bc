"""What recording a batch of rows tells its caller, and how stored rows are looked up by key."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Column, Connection, Label, Row, select

SETTLED_AFTER = timedelta(days=7)
"""Orders that entered final and older than this are history: kept for reports, not worked on."""
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row that contradicts what is stored under the same identity."""

    index: int
    field: str
    reason: str


@dataclass(slots=True)
class Recorded:
    """What a batch did."""

    accepted: int = 0
    unchanged: int = 0
    conflicts: list[Conflict] = field(default_factory=list)


def existing(
    connection: Connection, column: Column[str], keys: Sequence[str], *columns: Column[Any] | Label[Any]
) -> dict[str, Row[Any]]:
    """Fetch rows by key, in parts small enough for every driver."""
    found: dict[str, Row[Any]] = {}
    for start in range(0, len(keys), _CHUNK):
        query = select(column, *columns).where(column.in_(keys[start : start + _CHUNK]))
        for row in connection.execute(query):
            found[row[0]] = row
    return found
