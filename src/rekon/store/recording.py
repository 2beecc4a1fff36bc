"""What recording a batch of rows tells its caller, and how stored rows are looked up by key."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import JSON, Column, ColumnElement, Connection, Label, Row, Select, bindparam, func, select, type_coerce

SETTLED_AFTER = timedelta(days=7)
"""Orders that entered final and older than this are history: kept for reports, not worked on."""


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


def among(connection: Connection, column: ColumnElement[str], keys: Iterable[str]) -> ColumnElement[bool]:
    """Say that a column is one of these keys, however many: they travel as one value and are looked up by index."""
    return _among(connection.dialect.name, column, type_coerce(list(keys), JSON))


def _among(dialect: str, column: ColumnElement[str], keys: ColumnElement[Any]) -> ColumnElement[bool]:
    unpack = func.json_array_elements_text if dialect == "postgresql" else func.json_each
    return column.in_(select(unpack(keys).table_valued("value").c.value))


def existing(
    connection: Connection, column: Column[str], keys: Iterable[str], *columns: Column[Any] | Label[Any]
) -> dict[str, Row[Any]]:
    """Fetch rows by key."""
    wanted = list(keys)
    if not wanted:
        return {}
    query = _look_up(connection.dialect.name, column, *columns)
    return {row[0]: row for row in connection.execute(query, {"keys": wanted})}


@cache
def _look_up(dialect: str, column: Column[str], *columns: Column[Any] | Label[Any]) -> Select[Any]:
    """Built once for each question; pass labels that live as long as the program."""
    return select(column, *columns).where(_among(dialect, column, bindparam("keys", type_=JSON)))


def by_provider(refs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Sequence[str]]]:
    """Sort (provider, reference) pairs by provider: `provider = … AND ref_id IN …` goes through an index everywhere."""
    ids: dict[str, set[str]] = defaultdict(set)
    for provider, ref_id in refs:
        ids[provider].add(ref_id)
    for provider in sorted(ids):
        yield provider, sorted(ids[provider])
