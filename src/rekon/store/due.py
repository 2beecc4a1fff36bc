"""When each stage has work next, found by index and read in one statement a beat."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Label, ScalarSelect, Select, Table, func, select, text, type_coerce

from rekon.store import schema
from rekon.store.inbox import EARLY_MAX
from rekon.store.messages import PROMISE_GRACE
from rekon.store.tables_books import IS_EARLY, IS_NEW
from rekon.store.tables_cases import AWAITS_AFTERCARE, IS_UNPLANNED
from rekon.store.tables_effects import IS_OPEN
from rekon.store.types import Instant, span


def _first(table: Table, column: str = "due_at") -> Select[datetime | None]:
    """Ask for the smallest due time. Said so that the index over rows that are due at all answers it."""
    return select(func.min(table.c[column])).where(table.c[column].is_not(None))


def _first_where(table: Table, column: str, condition: str) -> Select[datetime | None]:
    return select(func.min(table.c[column])).where(text(condition))


_AFTERCARE = _first_where(schema.cases, "aftercare_due_at", AWAITS_AFTERCARE)
_CHASES = _first(schema.complaints, "chase_due_at")
_PROMISES: Select[datetime | None] = select(
    type_coerce(func.min(type_coerce(schema.promises.c.due_at, BigInteger)) + span(PROMISE_GRACE) + 1, Instant)
).where(text(IS_OPEN))
"""A promise is broken just after its minute: news in the last instant still keeps it."""
_UNREAD = _first_where(schema.inbox, "received_at", IS_NEW)
_EARLY: Select[datetime | None] = select(
    type_coerce(func.min(type_coerce(schema.inbox.c.received_at, BigInteger)) + span(EARLY_MAX), Instant)
).where(text(IS_EARLY))
_NEW_ANSWERS = _first_where(schema.answers, "at", IS_NEW)
_UNPLANNED = _first_where(schema.cases, "resolved_at", IS_UNPLANNED)

_TIMES: dict[str, tuple[Select[datetime | None], ...]] = {
    "check": (_first(schema.schedule), _UNREAD),
    "decide": (_first(schema.evaluations),),
    "act": (_first(schema.refunds), _first(schema.order_results), _first(schema.vouchers)),
    "tell": (_first(schema.messages),),
    "relay": (_first(schema.relay_queue),),
    "follow_up": (_NEW_ANSWERS, _UNPLANNED, _AFTERCARE, _PROMISES, _CHASES, _EARLY),
}


def _labels() -> list[Label[datetime | None]]:
    parts: list[tuple[str, ScalarSelect[datetime | None]]] = [
        (f"{stage}_{number}", query.scalar_subquery())
        for stage, queries in _TIMES.items()
        for number, query in enumerate(queries)
    ]
    return [part.label(name) for name, part in parts]


_ALL: Select[*tuple[Any, ...]] = select(*_labels())


def times(connection: Connection) -> dict[str, datetime | None]:
    """Read the next due time of every stage; None where nothing waits."""
    row = connection.execute(_ALL).mappings().one()
    return {
        stage: min((at for n in range(len(parts)) if (at := row[f"{stage}_{n}"]) is not None), default=None)
        for stage, parts in _TIMES.items()
    }
