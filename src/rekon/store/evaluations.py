"""Which transactions have to be looked at, and when. One narrow row each, found by its due time."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, case, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from rekon.store import schema

_CHUNK = 400


def touch(connection: Connection, keys: Iterable[str], *, due_at: datetime) -> None:
    """Have these transactions looked at no later than `due_at`."""
    rows = [{"transaction_key": key, "due_at": due_at} for key in keys]
    if not rows:
        return
    e = schema.evaluations
    statement = (postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert)(e)
    sooner = case((statement.excluded.due_at < e.c.due_at, statement.excluded.due_at), else_=e.c.due_at)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["transaction_key"], set_={"due_at": sooner}), rows
    )


def touch_known(connection: Connection, keys: Sequence[str], *, due_at: datetime) -> None:
    """Have those of these transactions looked at that are already stored: a wallet line may come before its order."""
    t = schema.transactions.c
    for start in range(0, len(keys), _CHUNK):
        part = keys[start : start + _CHUNK]
        touch(connection, connection.execute(select(t.key).where(t.key.in_(part))).scalars().all(), due_at=due_at)


def touch_refs(connection: Connection, refs: Sequence[tuple[str, str]], *, due_at: datetime) -> None:
    """Have the transactions looked at that these provider references belong to."""
    legs = schema.legs.c
    for start in range(0, len(refs), _CHUNK):
        part = refs[start : start + _CHUNK]
        query = select(legs.transaction_key).where(tuple_(legs.provider, legs.ref_id).in_(part))
        touch(connection, set(connection.execute(query).scalars()), due_at=due_at)


def claim(connection: Connection, *, now: datetime, limit: int) -> list[str]:
    """Take due transactions to look at in this same unit of work."""
    e = schema.evaluations
    query = select(e.c.transaction_key).where(e.c.due_at <= now).order_by(e.c.due_at, e.c.transaction_key).limit(limit)
    return list(connection.execute(query.with_for_update(skip_locked=True)).scalars())


def settle(connection: Connection, next_due: Mapping[str, datetime | None]) -> None:
    """Write when each looked-at transaction is due again; None drops its row."""
    done = [key for key, due in next_due.items() if due is None]
    for start in range(0, len(done), _CHUNK):
        part = done[start : start + _CHUNK]
        connection.execute(delete(schema.evaluations).where(schema.evaluations.c.transaction_key.in_(part)))
    e = schema.evaluations
    for key, due in next_due.items():
        if due is not None:
            connection.execute(e.update().where(e.c.transaction_key == key).values(due_at=due))


def next_due(connection: Connection) -> datetime | None:
    """Say when the next transaction is due."""
    return connection.execute(select(func.min(schema.evaluations.c.due_at))).scalar_one()
