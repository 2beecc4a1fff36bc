"""Rows that could not be taken in: kept whole, with the reason, until a person fixes them. Nothing is lost."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text, update

from rekon.store import schema
from rekon.store.inserts import upsert
from rekon.store.tables_books import IS_WAITING

Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One row that was refused."""

    index: int
    field: str
    reason: str
    row: Mapping[str, object]


def keep(
    connection: Connection,
    refused: Sequence[Refused],
    *,
    source: str,
    book: str,
    origin: str,
    lines: Sequence[int],
    now: datetime,
    account: str = "",
) -> None:
    """Keep refused rows, each with its line; the same row of a book is kept once, however often its source sends it."""
    rows = []
    for one, line in zip(refused, lines, strict=True):
        plain = _plain(one.row)
        mark = json.dumps([source, book, plain, *([account] if account else [])], sort_keys=True)
        rows.append(
            {
                "source": source,
                "book": book,
                "origin": origin,
                "line": line,
                "account": account,
                "field": one.field,
                "reason": one.reason,
                "row": plain,
                "fingerprint": hashlib.sha256(mark.encode()).hexdigest(),
                "state": "waiting",
                "recorded_at": now,
            }
        )
    if rows:
        statement = upsert(connection, schema.quarantine)
        connection.execute(statement.on_conflict_do_nothing(index_elements=["fingerprint"]), rows)


def _plain(row: Mapping[str, object]) -> dict[str, Any]:
    """Write a row as JSON that every database takes: cells of spreadsheets may hold dates and NaN."""
    text_ = json.dumps({str(name): value for name, value in row.items()}, default=str)
    plain: dict[str, Any] = json.loads(text_, parse_constant=str)
    return plain


def waiting(connection: Connection, *, limit: int = 200) -> Sequence[Row]:
    """List rows that wait for a person, oldest first."""
    query = select(schema.quarantine).where(text(IS_WAITING)).order_by(schema.quarantine.c.id).limit(limit)
    return connection.execute(query).mappings().all()


def find(connection: Connection, identity: int) -> Row | None:
    """Find one quarantined row."""
    query = select(schema.quarantine).where(schema.quarantine.c.id == identity)
    return connection.execute(query).mappings().one_or_none()


def change(connection: Connection, identity: int, *, row: Mapping[str, object]) -> bool:
    """Replace the contents of a waiting row by what a person corrected."""
    q = schema.quarantine.c
    changed = update(schema.quarantine).where(q.id == identity, q.state == "waiting").values(row=dict(row))
    return connection.execute(changed.returning(q.id)).first() is not None


def release(connection: Connection, identity: int) -> None:
    """Note that a row was taken in after all."""
    connection.execute(update(schema.quarantine).where(schema.quarantine.c.id == identity).values(state="taken"))
