"""What recording a batch of rows tells its caller, and how stored rows are looked up by key."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Label, Row, select

SETTLED_AFTER = timedelta(days=7)
"""Orders that entered final and older than this are history: kept for reports, not worked on."""
PART = 500
"""Values asked for in one query: few enough for every driver."""

T = TypeVar("T")


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
    """Fetch rows by key."""
    found: dict[str, Row[Any]] = {}
    for part in in_parts(keys):
        for row in connection.execute(select(column, *columns).where(column.in_(part))):
            found[row[0]] = row
    return found


def in_parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut a long list into parts that one query can name."""
    for start in range(0, len(values), PART):
        yield values[start : start + PART]


def refs_in_parts(refs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Sequence[str]]]:
    """Sort (provider, reference) pairs by provider, for both databases find `provider = … AND ref_id IN …` by index."""
    ids: dict[str, set[str]] = defaultdict(set)
    for provider, ref_id in refs:
        ids[provider].add(ref_id)
    for provider in sorted(ids):
        for part in in_parts(sorted(ids[provider])):
            yield provider, part
