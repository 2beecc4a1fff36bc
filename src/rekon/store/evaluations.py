"""Which transactions have to be looked at, and when. One narrow row each, found by its due time."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    bindparam,
    delete,
    literal,
    or_,
    select,
    type_coerce,
    update,
)

from rekon.domain.transaction import OrderStatus
from rekon.store import schema
from rekon.store.inserts import Upsert, insert_rows, upsert, upsert_in
from rekon.store.recording import among, by_provider
from rekon.store.types import Instant, micros, span

_E = schema.evaluations.c
_CLAIM = (
    select(_E.transaction_key)
    .where(_E.due_at <= bindparam("now"))
    .order_by(_E.due_at, _E.transaction_key)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_MINE = _E.transaction_key == bindparam("looked_at")
_DONE = delete(schema.evaluations).where(_MINE)
_LATER = update(schema.evaluations).where(_MINE)


def touch(connection: Connection, keys: Iterable[str], *, due_at: datetime) -> None:
    """Have these transactions looked at no later than `due_at`.

    In one order everywhere, so that two units of work cannot wait for each other.
    """
    rows = [{"transaction_key": key, "due_at": due_at} for key in sorted(set(keys))]
    if not rows:
        return
    connection.execute(_touching(connection.dialect.name), rows)


@cache
def _touching(dialect: str) -> Upsert:
    return _or_sooner(upsert_in(dialect, schema.evaluations))


def _or_sooner(statement: Upsert) -> Upsert:
    """Let the sooner time stay where there is one already."""
    due_at = statement.excluded.due_at
    return statement.on_conflict_do_update(
        index_elements=["transaction_key"], set_={"due_at": due_at}, where=due_at < schema.evaluations.c.due_at
    )


def add(connection: Connection, keys: Iterable[str], *, due_at: datetime) -> None:
    """Have transactions looked at that were stored in this very unit of work and so cannot be waiting yet."""
    due = micros(due_at)
    insert_rows(connection, schema.evaluations, ("transaction_key", "due_at"), [(key, due) for key in sorted(keys)])


def touch_known(
    connection: Connection, keys: Sequence[str], *, due_at: datetime, history_after: timedelta | None = None
) -> None:
    """Have those of these transactions looked at that are already stored: a wallet line may come before its order.

    With `history_after`, orders that entered closed and older than that are left alone.
    """
    if not keys:
        return
    t = schema.transactions.c
    known = select(t.key, literal(due_at, Instant)).where(among(connection, t.key, keys)).order_by(t.key)
    if history_after is not None:
        known = known.where(_is_worked_on(history_after))
    statement = upsert(connection, schema.evaluations).from_select(["transaction_key", "due_at"], known)
    connection.execute(_or_sooner(statement))


def _is_worked_on(history_after: timedelta) -> ColumnElement[bool]:
    t = schema.transactions.c
    age = type_coerce(t.recorded_at, BigInteger) - type_coerce(t.ordered_at, BigInteger)
    return or_(t.order_status == OrderStatus.PENDING, age <= span(history_after))


def touch_refs(
    connection: Connection,
    refs: Sequence[tuple[str, str]],
    *,
    due_at: datetime,
    history_after: timedelta | None = None,
) -> None:
    """Have the transactions looked at that these (provider, reference) pairs belong to."""
    legs = schema.legs.c
    found: set[str] = set()
    for provider, ids in by_provider(refs):
        query = select(legs.transaction_key).where(legs.provider == provider, among(connection, legs.ref_id, ids))
        found.update(connection.execute(query).scalars())
    touch_known(connection, sorted(found), due_at=due_at, history_after=history_after)


def claim(connection: Connection, *, now: datetime, limit: int) -> list[str]:
    """Take due transactions to look at in this same unit of work."""
    return list(connection.execute(_CLAIM, {"now": now, "most": limit}).scalars())


def settle(connection: Connection, next_due: Mapping[str, datetime | None]) -> None:
    """Write when each looked-at transaction is due again; None drops its row."""
    done = [key for key, due in next_due.items() if due is None]
    if done:
        connection.execute(_DONE, [{"looked_at": key} for key in done])
    later = [{"looked_at": key, "due_at": due} for key, due in next_due.items() if due is not None]
    if later:
        connection.execute(_LATER, later)
