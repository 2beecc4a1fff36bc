"""Intents to tell a server how an order ended: one a purchase."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from rekon.domain.refund import result_key
from rekon.domain.transaction import Transaction
from rekon.store import leases, schema
from rekon.store.inserts import upsert

Row = Mapping[Any, Any]


def request(
    connection: Connection, transaction: Transaction, *, status: str, serial_number: str, reason: str, now: datetime
) -> bool:
    """Write the intent down. Returns whether it is new."""
    statement = upsert(connection, schema.order_results).values(
        key=result_key(transaction.key, status),
        transaction_key=transaction.key,
        source=transaction.source,
        transaction_id=transaction.transaction_id,
        status=status,
        serial_number=serial_number,
        reason=reason,
        state="pending",
        recorded_at=now,
        due_at=now,
        attempts=0,
    )
    o = schema.order_results.c
    created = statement.on_conflict_do_nothing().returning(o.key)
    return connection.execute(created).first() is not None


def claim_due(connection: Connection, *, now: datetime, limit: int, lease: str, lease_until: datetime) -> Sequence[Row]:
    """Claim intents that wait for their call."""
    o = schema.order_results.c
    query = select(schema.order_results).where(o.due_at <= now).order_by(o.due_at, o.key).limit(limit)
    found = connection.execute(query.with_for_update(skip_locked=True)).mappings().all()
    if found:
        keys = [row["key"] for row in found]
        connection.execute(update(schema.order_results).where(o.key.in_(keys)).values(due_at=lease_until, lease=lease))
    return found


def record(connection: Connection, row: Row, *, lease: str, state: str, due_at: datetime | None, now: datetime) -> bool:
    """Write the server's answer, fenced by the lease."""
    o = schema.order_results.c
    change = update(schema.order_results).where(o.key == row["key"], o.lease == lease)
    change = change.values(state=state, due_at=due_at, lease=None, attempts=row["attempts"] + 1)
    if due_at is None:
        change = change.values(answered_at=now)
    return connection.execute(change.returning(o.key)).first() is not None


def give_back(connection: Connection, rows: Sequence[Row], *, lease: str, now: datetime) -> None:
    """Free what was claimed and not begun."""
    leases.give_back(connection, schema.order_results, [row["key"] for row in rows], lease=lease, now=now)
