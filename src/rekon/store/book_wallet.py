"""The `book` gateway's wallet: rekon keeps the balance of small shops. Append-only credits, idempotent by key."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, select

from rekon.store import schema
from rekon.store.inserts import Upsert, upsert_in, wait_turn

Row = Mapping[Any, Any]

_B = schema.book_lines.c
_BY_KEY = select(schema.book_lines).where(_B.key.in_(bindparam("keys", expanding=True)))
_BY_TRANSACTION = (
    select(schema.book_lines).where(_B.transaction_id.in_(bindparam("ids", expanding=True))).order_by(_B.id)
)


def credit(
    connection: Connection, *, key: str, agent_id: str, transaction_id: str, amount: int, reason: str, now: datetime
) -> Row:
    """Credit a wallet once a key and return the line, new or old."""
    named = {"agent_id": agent_id, "transaction_id": transaction_id, "amount": amount, "reason": reason}
    return credit_all(connection, [{"key": key, **named}], now=now)[0]


def credit_all(connection: Connection, credits_: Sequence[Mapping[str, object]], *, now: datetime) -> list[Row]:
    """Credit wallets, each once a key, and return the lines, new or old, in the same order.

    Credits follow each other, so that a server that pulls them by position never passes one that commits later.
    """
    wait_turn(connection, "book_lines")
    if credits_:
        connection.execute(_crediting(connection.dialect.name), [{**one, "at": now} for one in credits_])
    found = connection.execute(_BY_KEY, {"keys": [one["key"] for one in credits_]}).mappings()
    lines = {row["key"]: row for row in found}
    return [lines[one["key"]] for one in credits_]


@cache
def _crediting(dialect: str) -> Upsert:
    return upsert_in(dialect, schema.book_lines).on_conflict_do_nothing()


def find(connection: Connection, key: str) -> Row | None:
    """Find a credit by its key."""
    query = select(schema.book_lines).where(schema.book_lines.c.key == key)
    return connection.execute(query).mappings().one_or_none()


def after(connection: Connection, position: int, *, limit: int) -> Sequence[Row]:
    """Read credits behind a position, for a server that pulls them."""
    b = schema.book_lines.c
    query = select(schema.book_lines).where(b.id > position).order_by(b.id).limit(limit)
    return connection.execute(query).mappings().all()


def of_transactions(connection: Connection, transaction_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Read the credits of these purchases."""
    found: dict[str, list[Row]] = {one: [] for one in transaction_ids}
    for row in connection.execute(_BY_TRANSACTION, {"ids": list(found)}).mappings():
        found[row["transaction_id"]].append(row)
    return found
