"""Complaints to providers: one open a purchase and provider (I4)."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from rekon.domain.breaks import BreakKind
from rekon.domain.decision import stable_id
from rekon.domain.transaction import Leg
from rekon.store import schema
from rekon.store.inserts import upsert

Row = Mapping[Any, Any]
CHASE_AFTER = timedelta(hours=2)
"""First reminder to the provider after this long without an answer (rulebook 3.5)."""


def open_complaint(
    connection: Connection, leg: Leg, *, kind: BreakKind, text: str, links: Sequence[str], now: datetime
) -> str | None:
    """Write a complaint ready to be sent. Returns its id if it is new."""
    complaint_id = stable_id("cmp", leg.transaction_key, leg.provider)
    statement = upsert(connection, schema.complaints).values(
        complaint_id=complaint_id,
        transaction_key=leg.transaction_key,
        leg_key=leg.key,
        provider=leg.provider,
        break_kind=kind,
        state="draft",
        text=text,
        links=list(links),
        opened_at=now,
        sent_by="",
        answer="",
    )
    c = schema.complaints.c
    created = statement.on_conflict_do_nothing().returning(c.complaint_id)
    return complaint_id if connection.execute(created).first() is not None else None


def mark_sent(connection: Connection, complaint_id: str, *, by: str, now: datetime) -> Row | None:
    """Note that a complaint went out. Returns the complaint if this was the first time."""
    c = schema.complaints.c
    change = (
        update(schema.complaints)
        .where(c.complaint_id == complaint_id, c.state == "draft")
        .values(state="sent", sent_at=now, sent_by=by, chase_due_at=now + CHASE_AFTER)
    )
    return connection.execute(change.returning(*schema.complaints.c)).mappings().one_or_none()


def record_answer(connection: Connection, complaint_id: str, *, answer: str, now: datetime) -> Row | None:
    """Keep what the provider answered. Returns the complaint, or None if there is none that was sent."""
    c = schema.complaints.c
    change = (
        update(schema.complaints)
        .where(c.complaint_id == complaint_id, c.state.in_(["sent", "answered"]))
        .values(state="answered", answer=answer, answered_at=now, chase_due_at=None)
    )
    return connection.execute(change.returning(*schema.complaints.c)).mappings().one_or_none()


def listed(connection: Connection, *, state: str | None, limit: int = 200) -> Sequence[Row]:
    """List complaints, oldest first: the oldest is nearest to the end of its window."""
    c = schema.complaints.c
    query = select(schema.complaints).order_by(c.opened_at, c.complaint_id).limit(limit)
    if state:
        query = query.where(c.state == state)
    return connection.execute(query).mappings().all()


def find(connection: Connection, complaint_id: str) -> Row | None:
    """Find a complaint."""
    query = select(schema.complaints).where(schema.complaints.c.complaint_id == complaint_id)
    return connection.execute(query).mappings().one_or_none()


def due_chases(connection: Connection, *, now: datetime, limit: int) -> Sequence[Row]:
    """Find complaints that wait too long for an answer."""
    c = schema.complaints.c
    query = select(schema.complaints).where(c.chase_due_at <= now).order_by(c.chase_due_at, c.complaint_id).limit(limit)
    return connection.execute(query).mappings().all()


def plan_chase(connection: Connection, complaint_id: str, *, due_at: datetime | None) -> None:
    """Plan the next reminder, or none."""
    c = schema.complaints.c
    connection.execute(update(schema.complaints).where(c.complaint_id == complaint_id).values(chase_due_at=due_at))
