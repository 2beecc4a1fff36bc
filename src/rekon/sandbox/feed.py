"""How the played operator's books reach rekon: orders and wallet lines every few seconds, statements now and then."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from rekon.sandbox.deposit import Deposit, StatementLine
from rekon.sandbox.journal import Journal
from rekon.sandbox.parcels import API_KEY, Answer, Call, Door
from rekon.sandbox.people import Agent
from rekon.sandbox.purchase import PROVIDER_ACCOUNT
from rekon.sandbox.server import PlayedServer

LAG: Final = timedelta(seconds=3)
"""How far behind the server's own database each push is."""
HEARTBEAT: Final = timedelta(seconds=30)
REST: Final = timedelta(hours=2)
"""Between two signs of life of a server at which nothing happens."""
STATEMENT_LAG: Final = timedelta(seconds=60)
_HEADERS: Final = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}


def posted(path: str, document: Mapping[str, Any]) -> Call:
    """Word an API call with a JSON body."""
    return Call(method="POST", path=path, headers=_HEADERS, content=json.dumps(document).encode())


@dataclass(slots=True)
class Feed:
    """Pushes one server's orders and wallet lines; what rekon has confirmed is not sent again."""

    server: PlayedServer
    at: datetime
    """When the waiting push is due; pushes that found nobody are made up by the next one."""
    is_waiting: bool = False
    heartbeat: timedelta = HEARTBEAT
    """How long a server may go without news before it says that it is there."""
    rests_after: timedelta | None = None
    """How long after its last change a server goes on saying that it is there; None never rests."""
    _orders_sent: int = 0
    _lines_sent: int = 0
    _pushed_at: datetime | None = None

    @property
    def lane(self) -> str:
        """Keep one server's pushes in order."""
        return f"feed:{self.server.source}"

    def has_news(self, now: datetime) -> bool:
        """Say whether a push is worth its call: something changed, or the last one is a heartbeat ago."""
        gap = REST if self.is_at_rest(now) else self.heartbeat
        if self._pushed_at is None or now - self._pushed_at >= gap:
            return True
        return self._orders_due(now - LAG) > self._orders_sent or self._lines_due(now - LAG) > self._lines_sent

    def is_at_rest(self, now: datetime) -> bool:
        """Say whether nothing happened at the server for a while."""
        if self.rests_after is None:
            return False
        changed = [at for at, _ in self.server.changes[-1:]]
        changed += [datetime.fromisoformat(line["posted_at"]) for line in self.server.wallets.lines[-1:]]
        return all(now - at > self.rests_after for at in changed)

    async def deliver(self, door: Door, journal: Journal, now: datetime) -> bool:
        """Push both books as they stood `LAG` ago."""
        as_of = now - LAG
        orders_to, lines_to = self._orders_due(as_of), self._lines_due(as_of)
        latest = {row["transaction_id"]: row for _, row in self.server.changes[self._orders_sent : orders_to]}
        if not await self._push("transactions", list(latest.values()), as_of, door=door, journal=journal, now=now):
            return False
        self._orders_sent = orders_to
        lines = self.server.wallets.lines[self._lines_sent : lines_to]
        if not await self._push("wallet-lines", lines, as_of, door=door, journal=journal, now=now):
            return False
        self._lines_sent, self._pushed_at, self.is_waiting = lines_to, now, False
        return True

    async def _push(
        self,
        book: str,
        items: Sequence[Mapping[str, Any]],
        as_of: datetime,
        *,
        door: Door,
        journal: Journal,
        now: datetime,
    ) -> bool:
        document = {"source": self.server.source, "as_of": as_of.isoformat(), "items": items}
        answer = await door.call(posted(f"/api/v1/{book}", document))
        if answer is None:
            return False
        told = {"book": book, "as_of": as_of, "sent": len(items)} | _outcome(answer)
        journal.append("pushed", now, source=self.server.source, **told)
        return True

    def _orders_due(self, as_of: datetime) -> int:
        changes, end = self.server.changes, self._orders_sent
        while end < len(changes) and changes[end][0] <= as_of:
            end += 1
        return end

    def _lines_due(self, as_of: datetime) -> int:
        lines, end = self.server.wallets.lines, self._lines_sent
        while end < len(lines) and datetime.fromisoformat(lines[end]["posted_at"]) <= as_of:
            end += 1
        return end


@dataclass(slots=True)
class StatementFeed:
    """Pushes the statement of one provider's deposit, as an operator's export would."""

    provider: str
    deposit: Deposit
    at: datetime
    is_waiting: bool = False
    _sent: int = 0

    @property
    def lane(self) -> str:
        """Keep one provider's statements in order."""
        return f"statement:{self.provider}"

    def has_news(self, now: datetime) -> bool:
        """Say whether there are lines old enough to be exported."""
        return self._due(now) > self._sent

    async def deliver(self, door: Door, journal: Journal, now: datetime) -> bool:
        """Push the lines that rekon does not have yet."""
        due = self._due(now)
        lines = self.deposit.lines[self._sent : due]
        items = [statement_row(line) for line in lines]
        document = {"provider": self.provider, "account": PROVIDER_ACCOUNT, "items": items}
        answer = await door.call(posted("/api/v1/statement-lines", document))
        if answer is None:
            return False
        returned = [line.ref_id for line in lines if line.kind == "reversal"]
        told = {"sent": len(items), "returned": returned} | _outcome(answer)
        journal.append("stated", now, provider=self.provider, **told)
        self._sent, self.is_waiting = due, False
        return True

    def _due(self, now: datetime) -> int:
        lines, end = self.deposit.lines, self._sent
        while end < len(lines) and lines[end].posted_at <= now - STATEMENT_LAG:
            end += 1
        return end


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsParcel:
    """Tells rekon once who the agents of a source are and where their messages go."""

    at: datetime
    source: str
    agents: tuple[Agent, ...]

    @property
    def lane(self) -> str:
        """Arrive before the orders of the same source."""
        return f"feed:{self.source}"

    async def deliver(self, door: Door, journal: Journal, now: datetime) -> bool:
        """Push the agents."""
        items = [
            {
                "agent_id": agent.agent_id,
                "name": agent.name,
                "zone": agent.zone,
                "channel": "webhook",
                "address": f"inbox:{agent.agent_id}",
                "registered_at": self.at.replace(year=self.at.year - 2).isoformat(),
            }
            for agent in self.agents
        ]
        answer = await door.call(posted("/api/v1/agents", {"source": self.source, "items": items}))
        if answer is None:
            return False
        told = {"book": "agents", "as_of": now, "sent": len(items)} | _outcome(answer)
        journal.append("pushed", now, source=self.source, **told)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class CallParcel:
    """A single call: a callback of a provider, or an agent's answer."""

    at: datetime
    lane: str
    call: Call = field(repr=False)
    kind: str
    """Journal kind, `called_back` or `answered`."""
    facts: Mapping[str, Any]

    async def deliver(self, door: Door, journal: Journal, now: datetime) -> bool:
        """Make the call."""
        answer = await door.call(self.call)
        if answer is None:
            return False
        journal.append(self.kind, now, due_at=self.at, status=answer.status, **self.facts)
        return True


def statement_row(line: StatementLine) -> dict[str, Any]:
    """Word one statement line for the API and for the exported file."""
    return {
        "line_id": line.line_id,
        "posted_at": line.posted_at.isoformat(),
        "ref_id": line.ref_id,
        "amount": line.amount,
        "kind": line.kind,
        "balance_after": line.balance_after,
    }


def _outcome(answer: Answer) -> dict[str, Any]:
    """Note what rekon made of a push; a refusal of the whole batch is a defect the judge must see."""
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    counts = {name: said.get(name) for name in ("accepted", "unchanged")}
    return {"status": answer.status, "quarantined": said.get("quarantined", [])} | counts
