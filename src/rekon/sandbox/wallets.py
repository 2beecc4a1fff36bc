"""Agents' balances at one played server: every change is a line, and every line is journalled before it counts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rekon.sandbox.journal import Journal

Line = Mapping[str, Any]


class Wallets:
    """Integer balances with running totals and a sequence number per agent."""

    def __init__(self, *, source: str, journal: Journal) -> None:
        self._source = source
        self._journal = journal
        self._balances: dict[str, int] = {}
        self._sequences: dict[str, int] = {}
        self._by_transaction: dict[str, list[Line]] = {}
        self._by_reference: dict[str, Line] = {}
        self.lines: list[Line] = []
        """Every line in the order of posting, as the API shows it."""

    def knows(self, agent_id: str) -> bool:
        """Say whether this agent has a wallet here."""
        return agent_id in self._balances

    def balance(self, agent_id: str) -> int:
        """Return an agent's balance in rupiah."""
        return self._balances[agent_id]

    def balances(self) -> Mapping[str, int]:
        """Return every agent's balance in rupiah."""
        return dict(self._balances)

    def of_transaction(self, transaction_id: str) -> list[Line]:
        """List the lines that name a transaction."""
        return list(self._by_transaction.get(transaction_id, ()))

    def paid_under(self, reference: str) -> Line | None:
        """Find the newest line that carries a reference."""
        return self._by_reference.get(reference) if reference else None

    def net(self, transaction_id: str) -> int:
        """Return what is still taken for a transaction; gifts and other money do not count."""
        own = (line for line in self.of_transaction(transaction_id) if line["kind"] in {"debit", "refund"})
        return -sum(int(line["amount"]) for line in own if not line["reference"].startswith("voucher:"))

    def post(
        self,
        agent_id: str,
        amount: int,
        *,
        kind: str,
        at: datetime,
        transaction_id: str | None = None,
        reference: str = "",
    ) -> Line:
        """Add a line of a signed amount; the first line of an agent opens his wallet."""
        sequence = self._sequences.get(agent_id, 0) + 1
        balance = self._balances.get(agent_id, 0) + amount
        line = {
            "line_id": f"{self._source[0].upper()}L{len(self.lines) + 1:07d}",
            "agent_id": agent_id,
            "posted_at": at.isoformat(),
            "amount": amount,
            "kind": kind,
            "transaction_id": transaction_id,
            "balance_after": balance,
            "reference": reference,
            "sequence": sequence,
        }
        named = {name: value for name, value in line.items() if name != "kind"}
        self._journal.append("wallet", at, source=self._source, line_kind=kind, **named)
        self._balances[agent_id] = balance
        self._sequences[agent_id] = sequence
        self.lines.append(line)
        self._by_reference[reference] = line
        if transaction_id:
            self._by_transaction.setdefault(transaction_id, []).append(line)
        return line
