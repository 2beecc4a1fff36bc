"""The `book` gateway's wallet: rekon keeps the balance of small shops. Append-only credits, idempotent by key."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from rekon.store import schema
from rekon.store.inserts import upsert, wait_turn

Row = Mapping[Any, Any]


def credit(
    connection: Connection, *, key: str, agent_id: str, transaction_id: str, amount: int, reason: str, now: datetime
) -> Row:
    """Credit a wallet once a key and return the line, new or old.

    Credits follow each other, so that a server that pulls them by position never passes one that commits later.
    """
    wait_turn(connection, "book_lines")
    statement = upsert(connection, schema.book_lines).values(
        key=key, agent_id=agent_id, transaction_id=transaction_id, amount=amount, reason=reason, at=now
    )
    connection.execute(statement.on_conflict_do_nothing())
    found = find(connection, key)
    if found is None:
        text = "a credit that was just written cannot be read"
        raise LookupError(text)
    return found


def find(connection: Connection, key: str) -> Row | None:
    """Find a credit by its key."""
    query = select(schema.book_lines).where(schema.book_lines.c.key == key)
    return connection.execute(query).mappings().one_or_none()


def after(connection: Connection, position: int, *, limit: int) -> Sequence[Row]:
    """Read credits behind a position, for a server that pulls them."""
    b = schema.book_lines.c
    query = select(schema.book_lines).where(b.id > position).order_by(b.id).limit(limit)
    return connection.execute(query).mappings().all()


def of_transaction(connection: Connection, transaction_id: str) -> Sequence[Row]:
    """Read the credits of one purchase."""
    b = schema.book_lines.c
    query = select(schema.book_lines).where(b.transaction_id == transaction_id).order_by(b.id)
    return connection.execute(query).mappings().all()
