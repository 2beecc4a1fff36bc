"""Rows that could not be taken in: kept whole, with the reason, until a person fixes them. Nothing is lost."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from rekon.store import schema
from rekon.store.books import upsert

Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One row that was refused."""

    index: int
    field: str
    reason: str
    row: Mapping[str, object]


def keep(
    connection: Connection, refused: Sequence[Refused], *, source: str, book: str, origin: str, first_line: int, now: datetime
) -> None:
    """Keep refused rows. The same row from the same place is kept once."""
    rows = []
    for one in refused:
        plain = json.loads(json.dumps(dict(one.row), default=str))
        mark = json.dumps([source, book, origin, first_line + one.index, plain], sort_keys=True, default=str)
        rows.append(
            {
                "source": source,
                "book": book,
                "origin": origin[:256],
                "line": first_line + one.index,
                "field": one.field[:64],
                "reason": one.reason[:400],
                "row": plain,
                "fingerprint": hashlib.sha256(mark.encode()).hexdigest(),
                "state": "waiting",
                "recorded_at": now,
            }
        )
    if rows:
        statement = upsert(connection, schema.quarantine)
        connection.execute(statement.on_conflict_do_nothing(index_elements=["fingerprint"]), rows)


def waiting(connection: Connection, *, limit: int = 200) -> Sequence[Row]:
    """List rows that wait for a person, oldest first."""
    q = schema.quarantine.c
    query = select(schema.quarantine).where(q.state == "waiting").order_by(q.id).limit(limit)
    return connection.execute(query).mappings().all()


def find(connection: Connection, identity: int) -> Row | None:
    """Find one quarantined row."""
    return connection.execute(select(schema.quarantine).where(schema.quarantine.c.id == identity)).mappings().one_or_none()


def change(connection: Connection, identity: int, *, row: Mapping[str, object]) -> bool:
    """Replace the contents of a waiting row by what a person corrected."""
    q = schema.quarantine.c
    changed = update(schema.quarantine).where(q.id == identity, q.state == "waiting").values(row=dict(row))
    return connection.execute(changed.returning(q.id)).first() is not None


def release(connection: Connection, identity: int) -> None:
    """Note that a row was taken in after all."""
    connection.execute(update(schema.quarantine).where(schema.quarantine.c.id == identity).values(state="taken"))
