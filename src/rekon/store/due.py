"""When each stage has work next, found by index and read in one statement a beat."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Label, ScalarSelect, Select, Table, func, select

from rekon.store import schema


def _first(table: Table, column: str = "due_at") -> ScalarSelect[datetime]:
    return select(func.min(table.c[column])).scalar_subquery()


_OPEN_PROMISES = select(func.min(schema.promises.c.due_at)).where(schema.promises.c.state == "open").scalar_subquery()
_UNREAD = select(func.min(schema.inbox.c.received_at)).where(schema.inbox.c.state == "new").scalar_subquery()
_NEW_ANSWERS = select(func.min(schema.answers.c.at)).where(schema.answers.c.state == "new").scalar_subquery()
_UNPLANNED = (
    select(func.min(schema.cases.c.resolved_at))
    .where(schema.cases.c.state == "resolved", schema.cases.c.felt, schema.cases.c.aftercare_due_at.is_(None))
    .scalar_subquery()
)
_AFTERCARE = (
    select(func.min(schema.cases.c.aftercare_due_at)).where(schema.cases.c.state == "resolved").scalar_subquery()
)

_TIMES: dict[str, tuple[ScalarSelect[datetime], ...]] = {
    "check": (_first(schema.schedule), _UNREAD),
    "decide": (_first(schema.evaluations),),
    "act": (_first(schema.refunds), _first(schema.order_results), _first(schema.vouchers)),
    "tell": (_first(schema.messages),),
    "follow_up": (_NEW_ANSWERS, _UNPLANNED, _AFTERCARE, _OPEN_PROMISES, _first(schema.complaints, "chase_due_at")),
}


def _labels() -> list[Label[datetime]]:
    return [time.label(f"{stage}_{number}") for stage, times in _TIMES.items() for number, time in enumerate(times)]


_ALL: Select[Any] = select(*_labels())


def times(connection: Connection) -> dict[str, datetime | None]:
    """Read the next due time of every stage; None where nothing waits."""
    row = connection.execute(_ALL).mappings().one()
    return {
        stage: min((at for n in range(len(parts)) if (at := row[f"{stage}_{n}"]) is not None), default=None)
        for stage, parts in _TIMES.items()
    }
