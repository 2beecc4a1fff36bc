"""Callbacks that have to reach the server too: kept with the inbox, passed on in their order, one queue a provider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, text, update

from rekon.store import schema
from rekon.store.inserts import upsert
from rekon.store.tables_books import IS_WAITING

Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What of a callback is not in its body. `query` is raw, headers are (name, value) pairs."""

    method: str
    query: bytes = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A provider's next callbacks, oldest first, claimed together. `attempts` is how often in a row none went out."""

    provider: str
    attempts: int
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of one callback: `taken`, `refused`, `expired`, or still `waiting`."""

    inbox_id: int
    state: str
    note: str = ""


def keep(connection: Connection, inbox_id: int, envelope: Envelope, *, provider: str, now: datetime) -> None:
    """Have a callback that was stored in this very unit of work passed on, behind those that wait already."""
    connection.execute(
        insert(schema.relays).values(
            inbox_id=inbox_id,
            provider=provider,
            method=envelope.method,
            query=envelope.query,
            headers=[list(pair) for pair in envelope.headers],
            state="waiting",
            attempts=0,
            note="",
            recorded_at=now,
        )
    )
    q = schema.relay_queue.c
    statement = upsert(connection, schema.relay_queue).values(provider=provider, due_at=now, attempts=0)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["provider"], set_={"due_at": func.coalesce(q.due_at, statement.excluded.due_at)}
        )
    )


def claim_due(connection: Connection, *, now: datetime, limit: int, lease: str, lease_until: datetime) -> list[Waiting]:
    """Claim the queues that are due, each with its oldest callbacks and their bodies."""
    q = schema.relay_queue.c
    due = select(q.provider, q.attempts).where(q.due_at <= now).order_by(q.provider)
    found = connection.execute(due.with_for_update(skip_locked=True)).all()
    if not found:
        return []
    names = [provider for provider, _ in found]
    taken = update(schema.relay_queue).where(q.provider.in_(names)).values(due_at=lease_until, lease=lease)
    connection.execute(taken)
    return [
        Waiting(provider=provider, attempts=attempts, rows=_oldest(connection, provider, limit=limit))
        for provider, attempts in found
    ]


def _oldest(connection: Connection, provider: str, *, limit: int) -> Sequence[Row]:
    r = schema.relays.c
    query = (
        select(schema.relays, schema.inbox.c.body)
        .join(schema.inbox, schema.inbox.c.id == r.inbox_id)
        .where(r.provider == provider, text(f"relays.{IS_WAITING}"))
        .order_by(r.inbox_id)
        .limit(limit)
    )
    return connection.execute(query).mappings().all()


def record(
    connection: Connection,
    queue: Waiting,
    tried: Sequence[Tried],
    *,
    lease: str,
    retry_at: datetime | None,
    now: datetime,
) -> bool:
    """Write what became of a claimed queue, fenced by the lease. `retry_at` is None when nothing is in the way.

    The queue's row is locked before its callbacks are looked at, so that one stored meanwhile is never overlooked.
    """
    q, r = schema.relay_queue.c, schema.relays.c
    mine = select(q.provider).where(q.provider == queue.provider, q.lease == lease).with_for_update()
    if connection.execute(mine).first() is None:
        return False
    for one in tried:
        values: dict[str, Any] = {"state": one.state, "note": one.note, "attempts": r.attempts + 1}
        if one.state != "waiting":
            values |= {"ended_at": now, "headers": []}
        connection.execute(update(schema.relays).where(r.inbox_id == one.inbox_id).values(**values))
    left = select(r.inbox_id).where(r.provider == queue.provider, text(IS_WAITING)).limit(1)
    due_at = None if connection.execute(left).first() is None else retry_at or now
    moved = any(one.state != "waiting" for one in tried)
    attempts = (0 if moved else queue.attempts) + (1 if retry_at else 0)
    change = update(schema.relay_queue).where(q.provider == queue.provider)
    connection.execute(change.values(due_at=due_at, lease=None, attempts=attempts))
    return True


def overview(connection: Connection) -> Sequence[Row]:
    """Count by provider and state what did not reach the server, with the oldest of each."""
    r = schema.relays.c
    query = (
        select(r.provider, r.state, func.count().label("count"), func.min(r.recorded_at).label("since"))
        .where(r.state != "taken")
        .group_by(r.provider, r.state)
        .order_by(r.provider, r.state)
    )
    return connection.execute(query).mappings().all()
