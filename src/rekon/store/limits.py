"""How much automatic money moved, counted from the refunds themselves inside the intent's unit of work (I18).

No counter is kept anywhere else, so a restart, a second daemon or a lowered limit cannot lose or double one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import BigInteger, BindParameter, Connection, Select, bindparam, delete, func, select, type_coerce

from rekon.domain.money import format_rupiah
from rekon.domain.policy import Policy
from rekon.store import audit, schema
from rekon.store.inserts import upsert, wait_turn
from rekon.store.types import Instant, micros, span

_HOUR = timedelta(minutes=60)
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_HISTORY_DAYS = 28
_TIMES_USUAL = 3
GLOBAL = "all"
_PROVIDER = "provider:"

# Questions are built once: building one costs more than running it.
_R, _T, _A, _H = schema.refunds.c, schema.transactions.c, schema.agents.c, schema.halts.c
_AGENTS: BindParameter[Any] = bindparam("agents", expanding=True)
_SINCE: BindParameter[Any] = bindparam("since", type_=Instant)
_COUNTS = (_R.automatic.is_(True), _R.never_formed.is_(False), _R.submitted_at > _SINCE)
_AGE = bindparam("at", type_=BigInteger) - type_coerce(_R.submitted_at, BigInteger)
"""How long ago a refund was submitted: with whole days taken away, how far from this time of day."""
_HALTS = select(_H.scope, _H.reason)
_FROZEN = select(_A.agent_id, _A.frozen_because).where(_A.agent_id.in_(_AGENTS))
_AGENT_DAYS = (
    select(_R.agent_id, func.count(), func.coalesce(func.sum(_R.amount), 0))
    .where(_R.agent_id.in_(_AGENTS), _R.automatic.is_(True), _R.submitted_at > _SINCE)
    .group_by(_R.agent_id)
)
_AGENT_WEEKS = (
    select(_T.agent_id, func.count(), func.coalesce(func.sum(_T.price), 0))
    .where(_T.agent_id.in_(_AGENTS), _T.ordered_at > _SINCE)
    .group_by(_T.agent_id)
)
_HOUR_COUNT = select(func.count(), func.coalesce(func.sum(_R.amount), 0)).where(*_COUNTS)
_USUAL_COUNT = _HOUR_COUNT.where(_R.submitted_at <= bindparam("until", type_=Instant), _AGE % span(_DAY) < span(_HOUR))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why automatic money does not move now. `halts` opens the global HALT."""

    reason: str
    halts: bool = False


def take_turn(connection: Connection) -> None:
    """Make intents wait for each other, so that two daemons cannot both take the last place in a limit."""
    wait_turn(connection, "intents")


class Room:
    """What automatic money may still move in this unit of work: counted once, then taken from refund by refund (I18).

    Its owner took the turn, so that nobody else submits meanwhile and the counts stay exact to one refund.
    """

    def __init__(self, connection: Connection, agents: Iterable[str], *, policy: Policy, now: datetime) -> None:
        """Count for these agents; what nothing asks about is not read."""
        self._connection = connection
        self._agents = sorted(set(agents))
        self._policy = policy
        self._now = now

    @cached_property
    def _halts(self) -> dict[str, str]:
        return dict(self._connection.execute(_HALTS).all())

    @cached_property
    def _frozen(self) -> dict[str, str]:
        return dict(self._connection.execute(_FROZEN, {"agents": self._agents}).all())

    @cached_property
    def _days(self) -> dict[str, tuple[int, int]]:
        """Number and rupiah of each agent's automatic refunds of the last 24 hours."""
        return self._of_agents(_AGENT_DAYS, self._now - _DAY)

    @cached_property
    def _weeks(self) -> dict[str, tuple[int, int]]:
        """Number and rupiah of what each agent bought in a week."""
        return self._of_agents(_AGENT_WEEKS, self._now - _WEEK)

    def _of_agents(self, question: Select[str, int, int], since: datetime) -> dict[str, tuple[int, int]]:
        found = self._connection.execute(question, {"agents": self._agents, "since": since})
        return {agent: (count, int(total)) for agent, count, total in found}

    @cached_property
    def _hour(self) -> tuple[int, int]:
        """Number and rupiah of the automatic refunds of the last 60 minutes."""
        count, total = self._connection.execute(_HOUR_COUNT, {"since": self._now - _HOUR}).one()
        return count, int(total)

    @cached_property
    def _hour_limits(self) -> tuple[int, int]:
        """Three times the mean of the same hour of the last 28 days, or what the policy allows anyway (G6)."""
        since = self._now - _HOUR - timedelta(days=_HISTORY_DAYS)
        asked = {"since": since, "until": self._now - _HOUR, "at": micros(self._now)}
        count, total = self._connection.execute(_USUAL_COUNT, asked).one()
        return (
            max(self._policy.breaker_count, _TIMES_USUAL * count // _HISTORY_DAYS),
            max(self._policy.breaker_amount, _TIMES_USUAL * int(total) // _HISTORY_DAYS),
        )

    def halted(self, providers: Iterable[str]) -> Refusal | None:
        """Say whether a HALT stops money that goes back on the word of these providers."""
        stopped = ((scope, self._halts.get(scope)) for scope in scopes(providers))
        return next((Refusal(f"{_named(scope)}: {reason}") for scope, reason in stopped if reason), None)

    def refusal(
        self, *, agent_id: str, amount: int, never_formed: bool, providers: Sequence[str] = ()
    ) -> Refusal | None:
        """Say why one more automatic refund does not fit every window, or None (rulebook G6, 3.3).

        `providers` are those on whose word it goes back; the HALT of each counts.
        """
        stopped = self.halted(providers)
        if stopped is not None:
            return stopped
        frozen = self._frozen.get(agent_id)
        if frozen:
            return Refusal(f"agen dibekukan: {frozen}")
        today = self._agent_day(agent_id, amount)
        if today:
            return Refusal(today)
        return None if never_formed else self._velocity(amount)

    def _agent_day(self, agent_id: str, amount: int) -> str:
        """Compare the agent's last 24 hours with a share of his usual day, in number and in rupiah alike (3.3)."""
        policy = self._policy
        count, total = self._days.get(agent_id, (0, 0))
        sold, worth = self._weeks.get(agent_id, (0, 0))
        count_limit = max(policy.agent_day_count, sold * policy.agent_day_share_percent // 700)
        amount_limit = max(policy.agent_day_amount, worth * policy.agent_day_share_percent // 700)
        if count + 1 > count_limit:
            return f"lebih dari {count_limit} pengembalian otomatis untuk agen ini dalam 24 jam"
        if total + amount > amount_limit:
            return f"lebih dari {format_rupiah(amount_limit)} pengembalian otomatis untuk agen ini dalam 24 jam"
        return ""

    def _velocity(self, amount: int) -> Refusal | None:
        """Compare the last 60 minutes with what is usual."""
        (count, total), (count_limit, amount_limit) = self._hour, self._hour_limits
        if count + 1 > count_limit:
            return Refusal(f"lebih dari {count_limit} pengembalian otomatis dalam 60 menit", halts=True)
        if total + amount > amount_limit:
            return Refusal(f"lebih dari {format_rupiah(amount_limit)} pengembalian otomatis dalam 60 menit", halts=True)
        return None

    def take(self, *, agent_id: str, amount: int, never_formed: bool) -> None:
        """Count one automatic refund that this unit of work submits."""
        count, total = self._days.get(agent_id, (0, 0))
        self._days[agent_id] = (count + 1, total + amount)
        if not never_formed:
            count, total = self._hour
            self._hour = (count + 1, total + amount)

    def halt(self, reason: str) -> None:
        """Stop all automatic money because a rule says so, the rest of this unit of work included."""
        halt(self._connection, scope=GLOBAL, reason=reason, by="rule", now=self._now)
        self._halts.setdefault(GLOBAL, reason)


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
