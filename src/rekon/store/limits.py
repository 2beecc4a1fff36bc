"""How much automatic money moved, counted from the refunds themselves inside the intent's unit of work (I18).

No counter is kept anywhere else, so a restart, a second daemon or a lowered limit cannot lose or double one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select, text

from rekon.domain.policy import Policy
from rekon.store import schema
from rekon.store.books import upsert

_HOUR = timedelta(minutes=60)
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
GLOBAL = "all"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why automatic money does not move now. `halts` opens the global HALT."""

    reason: str
    halts: bool = False


def take_turn(connection: Connection) -> None:
    """Make intents wait for each other, so that two daemons cannot both take the last place in a limit."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(7265)"))


def check(
    connection: Connection, *, agent_id: str, amount: int, never_formed: bool, policy: Policy, now: datetime
) -> Refusal | None:
    """Say whether one more automatic refund fits every window, or why not (rulebook G6, 3.3)."""
    stopped = halted(connection, GLOBAL)
    if stopped:
        return Refusal(f"HALT: {stopped}")
    frozen = connection.execute(
        select(schema.agents.c.frozen_because).where(schema.agents.c.agent_id == agent_id)
    ).scalar_one_or_none()
    if frozen:
        return Refusal(f"agen dibekukan: {frozen}")
    today = _agent_day(connection, agent_id, policy=policy, now=now)
    if today:
        return Refusal(today)
    return None if never_formed else _velocity(connection, amount, policy=policy, now=now)


def _velocity(connection: Connection, amount: int, *, policy: Policy, now: datetime) -> Refusal | None:
    r = schema.refunds.c
    counted = select(func.count(), func.coalesce(func.sum(r.amount), 0)).where(
        r.automatic.is_(True), r.never_formed.is_(False), r.submitted_at > now - _HOUR
    )
    count, total = connection.execute(counted).one()
    history = select(func.count(), func.coalesce(func.sum(r.amount), 0)).where(
        r.automatic.is_(True), r.never_formed.is_(False), r.submitted_at > now - 28 * _DAY, r.submitted_at <= now - _HOUR
    )
    past_count, past_total = connection.execute(history).one()
    usual = 3 / (28 * 24)
    count_limit = max(policy.breaker_count, int(past_count * usual))
    amount_limit = max(policy.breaker_amount, int(int(past_total) * usual))
    if count + 1 > count_limit:
        return Refusal(f"lebih dari {count_limit} pengembalian otomatis dalam 60 menit", halts=True)
    if int(total) + amount > amount_limit:
        return Refusal(f"lebih dari Rp {amount_limit} pengembalian otomatis dalam 60 menit", halts=True)
    return None


def _agent_day(connection: Connection, agent_id: str, *, policy: Policy, now: datetime) -> str:
    r, t = schema.refunds.c, schema.transactions.c
    today = select(func.count()).where(r.agent_id == agent_id, r.automatic.is_(True), r.submitted_at > now - _DAY)
    sold = select(func.count()).select_from(schema.transactions).where(t.agent_id == agent_id, t.ordered_at > now - _WEEK)
    weekly = connection.execute(sold).scalar_one()
    limit = max(policy.agent_day_count, weekly * policy.agent_day_share_percent // 700)
    if connection.execute(today).scalar_one() + 1 > limit:
        return f"lebih dari {limit} pengembalian otomatis untuk agen ini dalam 24 jam"
    return ""


def halted(connection: Connection, scope: str) -> str:
    """Return why automatic money of this scope stands still, or an empty text."""
    h = schema.halts.c
    return connection.execute(select(h.reason).where(h.scope == scope)).scalar_one_or_none() or ""


def halt(connection: Connection, *, scope: str, reason: str, by: str, now: datetime) -> None:
    """Stop automatic money of a scope. The first reason stays."""
    statement = upsert(connection, schema.halts).values(scope=scope, reason=reason[:300], opened_at=now, opened_by=by)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["scope"]))


def resume(connection: Connection, *, scope: str) -> bool:
    """Let automatic money of a scope move again. Returns whether it stood still."""
    h = schema.halts.c
    return connection.execute(delete(schema.halts).where(h.scope == scope).returning(h.scope)).first() is not None
