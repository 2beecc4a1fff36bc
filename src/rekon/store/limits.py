"""How much automatic money moved, counted from the refunds themselves inside the intent's unit of work (I18).

No counter is kept anywhere else, so a restart, a second daemon or a lowered limit cannot lose or double one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, delete, func, literal, select, type_coerce

from rekon.domain.money import format_rupiah
from rekon.domain.policy import Policy
from rekon.store import audit, schema
from rekon.store.inserts import upsert, wait_turn
from rekon.store.types import micros, span

_HOUR = timedelta(minutes=60)
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_HISTORY_DAYS = 28
_TIMES_USUAL = 3
GLOBAL = "all"
_PROVIDER = "provider:"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why automatic money does not move now. `halts` opens the global HALT."""

    reason: str
    halts: bool = False


def take_turn(connection: Connection) -> None:
    """Make intents wait for each other, so that two daemons cannot both take the last place in a limit."""
    wait_turn(connection, "intents")


def check(
    connection: Connection,
    *,
    agent_id: str,
    amount: int,
    never_formed: bool,
    policy: Policy,
    now: datetime,
    providers: Sequence[str] = (),
) -> Refusal | None:
    """Say whether one more automatic refund fits every window, or why not (rulebook G6, 3.3).

    `providers` are those on whose word it goes back; the HALT of each counts.
    """
    for scope in scopes(providers):
        stopped = halted(connection, scope)
        if stopped:
            return Refusal(f"{_named(scope)}: {stopped}")
    frozen = connection.execute(
        select(schema.agents.c.frozen_because).where(schema.agents.c.agent_id == agent_id)
    ).scalar_one_or_none()
    if frozen:
        return Refusal(f"agen dibekukan: {frozen}")
    today = _agent_day(connection, agent_id, amount, policy=policy, now=now)
    if today:
        return Refusal(today)
    return None if never_formed else _velocity(connection, amount, policy=policy, now=now)


def _velocity(connection: Connection, amount: int, *, policy: Policy, now: datetime) -> Refusal | None:
    """Compare the last 60 minutes with three times the mean of the same hour of the last 28 days (G6)."""
    r = schema.refunds.c
    count, total = _counted(connection, r.submitted_at > now - _HOUR)
    since = now - _HOUR - timedelta(days=_HISTORY_DAYS)
    past_count, past_total = _counted(
        connection, (r.submitted_at > since) & (r.submitted_at <= now - _HOUR) & _is_same_hour(now)
    )
    count_limit = max(policy.breaker_count, _TIMES_USUAL * past_count // _HISTORY_DAYS)
    amount_limit = max(policy.breaker_amount, _TIMES_USUAL * past_total // _HISTORY_DAYS)
    if count + 1 > count_limit:
        return Refusal(f"lebih dari {count_limit} pengembalian otomatis dalam 60 menit", halts=True)
    if total + amount > amount_limit:
        return Refusal(f"lebih dari {format_rupiah(amount_limit)} pengembalian otomatis dalam 60 menit", halts=True)
    return None


def _counted(connection: Connection, when: ColumnElement[bool]) -> tuple[int, int]:
    r = schema.refunds.c
    query: Select[int, int] = select(func.count(), func.coalesce(func.sum(r.amount), 0)).where(
        r.automatic.is_(True), r.never_formed.is_(False), when
    )
    count, total = connection.execute(query).one()
    return count, int(total)


def _is_same_hour(now: datetime) -> ColumnElement[bool]:
    """Say whether a refund was submitted within the 60 minutes before this time of day."""
    age = literal(micros(now), BigInteger) - type_coerce(schema.refunds.c.submitted_at, BigInteger)
    return age % span(_DAY) < span(_HOUR)


def _agent_day(connection: Connection, agent_id: str, amount: int, *, policy: Policy, now: datetime) -> str:
    """Compare the agent's last 24 hours with a share of his usual day, in number and in rupiah alike (3.3)."""
    r, t = schema.refunds.c, schema.transactions.c
    mine = (r.agent_id == agent_id, r.automatic.is_(True), r.submitted_at > now - _DAY)
    count, total = connection.execute(select(func.count(), func.coalesce(func.sum(r.amount), 0)).where(*mine)).one()
    week = (t.agent_id == agent_id, t.ordered_at > now - _WEEK)
    sold, worth = connection.execute(select(func.count(), func.coalesce(func.sum(t.price), 0)).where(*week)).one()
    count_limit = max(policy.agent_day_count, sold * policy.agent_day_share_percent // 700)
    amount_limit = max(policy.agent_day_amount, int(worth) * policy.agent_day_share_percent // 700)
    if count + 1 > count_limit:
        return f"lebih dari {count_limit} pengembalian otomatis untuk agen ini dalam 24 jam"
    if int(total) + amount > amount_limit:
        return f"lebih dari {format_rupiah(amount_limit)} pengembalian otomatis untuk agen ini dalam 24 jam"
    return ""


def scope_of(provider: str) -> str:
    """Name the scope of one provider's HALT."""
    return f"{_PROVIDER}{provider}"


def scopes(providers: Iterable[str]) -> list[str]:
    """List the scopes whose HALT stops money that goes back on these providers' word."""
    return [GLOBAL, *(scope_of(provider) for provider in providers)]


def _named(scope: str) -> str:
    return "HALT" if scope == GLOBAL else f"HALT {scope.removeprefix(_PROVIDER)}"


def halted(connection: Connection, scope: str) -> str:
    """Return why automatic money of this scope stands still, or an empty text."""
    h = schema.halts.c
    return connection.execute(select(h.reason).where(h.scope == scope)).scalar_one_or_none() or ""


def halt(connection: Connection, *, scope: str, reason: str, by: str, now: datetime) -> bool:
    """Stop automatic money of a scope; the first reason stays. Returns whether it moved until now."""
    h = schema.halts.c
    statement = upsert(connection, schema.halts).values(scope=scope, reason=reason, opened_at=now, opened_by=by[:64])
    opened = statement.on_conflict_do_nothing(index_elements=["scope"]).returning(h.scope)
    if connection.execute(opened).first() is None:
        return False
    audit.record(connection, who=by, what="halt.opened", about=scope, detail={"reason": reason}, now=now)
    return True


def resume(connection: Connection, *, scope: str) -> bool:
    """Let automatic money of a scope move again. Returns whether it stood still."""
    h = schema.halts.c
    return connection.execute(delete(schema.halts).where(h.scope == scope).returning(h.scope)).first() is not None


def stands_still(connection: Connection) -> bool:
    """Say whether the global HALT stands."""
    return bool(halted(connection, GLOBAL))
