"""Open legs and when each is asked about next. Exactly one narrow row an open leg (design 1)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, delete, select, update

from rekon.domain.transaction import Leg, LegState
from rekon.store import rows, schema
from rekon.store.inserts import Upsert, insert_rows, upsert_in
from rekon.store.recording import among, by_provider
from rekon.store.types import micros

# Statements are built once: building and hashing one costs more than running it.
_S, _L = schema.schedule.c, schema.legs.c
_KEYS: BindParameter[Any] = bindparam("keys", expanding=True)
_IS_MINE = _S.lease == bindparam("held")
_DUE = (
    select(_S.leg_key, _S.asked_at)
    .where(_S.due_at <= bindparam("now"), _S.provider.not_in(bindparam("skipped", expanding=True)))
    .order_by(_S.due_at, _S.leg_key)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_LEASE = update(schema.schedule).where(_S.leg_key.in_(_KEYS))
_LEGS = select(schema.legs).where(_L.key.in_(_KEYS))
_HELD = select(_S.leg_key).where(_S.leg_key.in_(_KEYS), _IS_MINE).order_by(_S.leg_key).with_for_update()
_VERSIONS = select(_L.key, _L.version).where(_L.key.in_(_KEYS)).order_by(_L.key).with_for_update()
_MOVE_LEG = update(schema.legs).where(_L.key == bindparam("leg"), _L.version == bindparam("read"))
_DROP = delete(schema.schedule).where(_S.leg_key.in_(_KEYS), _IS_MINE)
_CHANGE_ROW = update(schema.schedule).where(_S.leg_key == bindparam("leg"), _IS_MINE)
_REOPEN = (
    update(schema.legs)
    .where(_L.key == bindparam("leg"), _L.state != LegState.OPEN)
    .values(state=LegState.OPEN, version=_L.version + 1)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One leg that was claimed, and when it was asked last."""

    leg: Leg
    asked_at: datetime | None


def add(connection: Connection, legs: Iterable[Leg], *, due_at: datetime) -> None:
    """Give legs that were stored in this very unit of work their one row."""
    due = micros(due_at)
    new = [(leg.key, leg.provider, due) for leg in legs]
    insert_rows(connection, schema.schedule, ("leg_key", "provider", "due_at"), new)


def put(connection: Connection, legs: Iterable[Leg], *, due_at: datetime) -> None:
    """Give each of these legs its one row, due at `due_at` at the latest.

    A leased row is left to the one who holds it: he sees that the leg changed and gives it back unwritten.
    """
    new = [{"leg_key": leg.key, "provider": leg.provider, "due_at": due_at} for leg in legs]
    if not new:
        return
    connection.execute(_or_sooner(connection.dialect.name), sorted(new, key=lambda row: str(row["leg_key"])))


@cache
def _or_sooner(dialect: str) -> Upsert:
    """Give a leg its row, or let the sooner time stay where there is one; a leased row is left alone."""
    statement = upsert_in(dialect, schema.schedule)
    due_at = statement.excluded.due_at
    free = _S.lease.is_(None) & (_S.due_at > due_at)
    return statement.on_conflict_do_update(index_elements=["leg_key"], set_={"due_at": due_at}, where=free)


def claim(
    connection: Connection, *, now: datetime, limit: int, lease: str, lease_until: datetime, skip: Sequence[str] = ()
) -> list[Due]:
    """Claim due legs: their due time moves to the end of the lease, so a crash gives them back by itself."""
    asked = dict(connection.execute(_DUE, {"now": now, "most": limit, "skipped": list(skip)}).all())
    if not asked:
        return []
    keys = list(asked)
    connection.execute(_LEASE, {"keys": keys, "due_at": lease_until, "lease": lease})
    found = connection.execute(_LEGS, {"keys": keys}).mappings()
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
    """Write results of claimed legs. Returns the legs written.

    Who lost the lease changes nothing (I16). A leg that somebody else changed meanwhile keeps its row as claimed, so it
    is looked at again when the lease ends; only the instant of the question is kept, for the gap to the next one.
    """
    mine = _still_leased(connection, [plan.leg.key for plan in plans], lease=lease)
    held = [plan for plan in plans if plan.leg.key in mine]
    same = _unchanged(connection, [plan.leg for plan in held])
    written = [plan for plan in held if plan.leg.key in same]
    _write_legs(connection, written)
    _write_rows(connection, written, lease=lease)
    overtaken = [plan for plan in held if plan.leg.key not in same and plan.asked]
    _note_questions(connection, overtaken, lease=lease)
    return [plan.leg.key for plan in written]


def _still_leased(connection: Connection, keys: Sequence[str], *, lease: str) -> set[str]:
    return set(connection.execute(_HELD, {"keys": keys, "held": lease}).scalars()) if keys else set()


def _unchanged(connection: Connection, legs: Sequence[Leg]) -> set[str]:
    """Lock these legs and name those that still have the version that was read."""
    if not legs:
        return set()
    stored = dict(connection.execute(_VERSIONS, {"keys": [leg.key for leg in legs]}).all())
    return {leg.key for leg in legs if stored.get(leg.key) == leg.version}


def _write_legs(connection: Connection, plans: Sequence[Plan]) -> None:
    moved = [plan for plan in plans if plan.asked or plan.state is not plan.leg.state]
    values = [
        {
            "leg": plan.leg.key,
            "read": plan.leg.version,
            "state": plan.state,
            "checks_done": plan.leg.checks_done + plan.asked,
            "version": plan.leg.version + 1,
        }
        for plan in moved
    ]
    if values:
        connection.execute(_MOVE_LEG, values)


def _write_rows(connection: Connection, plans: Sequence[Plan], *, lease: str) -> None:
    done = [plan.leg.key for plan in plans if plan.due_at is None]
    if done:
        connection.execute(_DROP, {"keys": done, "held": lease})
    later = [
        {"leg": plan.leg.key, "due_at": plan.due_at, "lease": None, "asked_at": plan.asked_at}
        for plan in plans
        if plan.due_at is not None
    ]
    _change_rows(connection, later, lease=lease)


def _note_questions(connection: Connection, plans: Sequence[Plan], *, lease: str) -> None:
    asked = [{"leg": plan.leg.key, "asked_at": plan.asked_at} for plan in plans]
    _change_rows(connection, asked, lease=lease)


def _change_rows(connection: Connection, values: Sequence[dict[str, Any]], *, lease: str) -> None:
    if values:
        connection.execute(_CHANGE_ROW, [{**one, "held": lease} for one in values])


def hasten(connection: Connection, leg_key: str, *, provider: str, now: datetime) -> None:
    """Make the next check of a leg due now: a hint arrived, or money needs a fresh word. A leased row stays leased."""
    row = {"leg_key": leg_key, "provider": provider, "due_at": now}
    connection.execute(_or_sooner(connection.dialect.name), row)
    connection.execute(_REOPEN, {"leg": leg_key})


def wake_refs(connection: Connection, refs: Sequence[tuple[str, str]], *, now: datetime) -> None:
    """Have the open legs of these (provider, reference) pairs planned anew: a proved credit shortens a hold."""
    legs, s = schema.legs.c, schema.schedule.c
    for provider, ids in by_provider(refs):
        named = (legs.provider == provider) & among(connection, legs.ref_id, ids)
        mine = s.leg_key.in_(select(legs.key).where(named))
        change = update(schema.schedule).where(mine, s.lease.is_(None), s.due_at > now)
        connection.execute(change.values(due_at=now))


def hasten_leg(connection: Connection, leg_key: str, *, now: datetime) -> None:
    """Make the next check of a leg due now, known by its key alone."""
    c = schema.legs.c
    provider = connection.execute(select(c.provider).where(c.key == leg_key)).scalar_one()
    hasten(connection, leg_key, provider=provider, now=now)
