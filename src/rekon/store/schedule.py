"""Open legs and when each is asked about next. Exactly one narrow row an open leg (design 1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, or_, select, update

from rekon.domain.transaction import Leg, LegState
from rekon.store import rows, schema
from rekon.store.books import upsert

LEASE_PREFIX = "lease"


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One leg that was claimed, and when it was asked last."""

    leg: Leg
    asked_at: datetime | None


def claim(
    connection: Connection, *, now: datetime, limit: int, lease: str, lease_until: datetime, skip: Sequence[str] = ()
) -> list[Due]:
    """Claim due legs: their due time moves to the end of the lease, so a crash gives them back by itself."""
    s = schema.schedule
    query = select(s.c.leg_key, s.c.asked_at).where(s.c.due_at <= now).order_by(s.c.due_at, s.c.leg_key).limit(limit)
    if skip:
        query = query.where(s.c.provider.not_in(skip))
    asked = dict(connection.execute(query.with_for_update(skip_locked=True)).tuples().all())
    if not asked:
        return []
    connection.execute(update(s).where(s.c.leg_key.in_(asked)).values(due_at=lease_until, lease=lease))
    found = connection.execute(select(schema.legs).where(schema.legs.c.key.in_(asked))).mappings()
    legs = {row["key"]: rows.leg(row) for row in found}
    return [Due(leg=legs[key], asked_at=at) for key, at in asked.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to write after a claimed leg was looked at."""

    leg: Leg
    due_at: datetime | None
    state: LegState
    asked_at: datetime | None
    asked: bool


def record(connection: Connection, plans: Sequence[Plan], *, lease: str) -> list[str]:
    """Write results of claimed legs, fenced by the lease: who lost it changes nothing (I16). Returns the legs written."""
    written = []
    for plan in plans:
        mine = (schema.schedule.c.leg_key == plan.leg.key) & (schema.schedule.c.lease == lease)
        if plan.due_at is None:
            kept = connection.execute(delete(schema.schedule).where(mine).returning(schema.schedule.c.leg_key)).first()
        else:
            change = update(schema.schedule).where(mine).values(due_at=plan.due_at, lease=None, asked_at=plan.asked_at)
            kept = connection.execute(change.returning(schema.schedule.c.leg_key)).first()
        if kept is None:
            continue
        written.append(plan.leg.key)
        move_leg(connection, plan.leg, state=plan.state, asked=plan.asked)
    return written


def move_leg(connection: Connection, leg: Leg, *, state: LegState, asked: bool) -> bool:
    """Change a leg by compare-and-set on its version. Returns whether it was still the version that was read."""
    if state is leg.state and not asked:
        return True
    c = schema.legs.c
    values = {"state": state, "checks_done": leg.checks_done + asked, "version": leg.version + 1}
    change = update(schema.legs).where(c.key == leg.key, c.version == leg.version).values(values)
    return connection.execute(change.returning(c.key)).first() is not None


def release(connection: Connection, keys: Sequence[str], *, lease: str, due_at: datetime) -> None:
    """Give claimed legs back unasked, e.g. when the provider's limit was reached."""
    s = schema.schedule
    connection.execute(update(s).where(s.c.leg_key.in_(keys), s.c.lease == lease).values(due_at=due_at, lease=None))


def hasten(connection: Connection, leg_key: str, *, provider: str, now: datetime) -> None:
    """Make the next check of a leg due now: a hint arrived, or money needs a fresh word. A leased row stays leased."""
    statement = upsert(connection, schema.schedule).values(leg_key=leg_key, provider=provider, due_at=now)
    s = schema.schedule
    free = or_(s.c.lease.is_(None)) & (s.c.due_at > statement.excluded.due_at)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["leg_key"], set_={"due_at": statement.excluded.due_at}, where=free)
    )
    connection.execute(
        update(schema.legs).where(schema.legs.c.key == leg_key, schema.legs.c.state != LegState.OPEN).values(state=LegState.OPEN)
    )


def next_due(connection: Connection) -> datetime | None:
    """Say when the next leg is due."""
    return connection.execute(select(func.min(schema.schedule.c.due_at))).scalar_one()
