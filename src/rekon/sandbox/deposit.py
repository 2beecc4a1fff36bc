"""The operator's deposit at one provider: a balance and the statement lines behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rekon.sandbox.journal import Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One line of the provider's statement, in whole rupiah."""

    line_id: str
    posted_at: datetime
    ref_id: str
    amount: int
    """Signed: negative is charged to the operator."""
    kind: str
    """charge, reversal, deposit or other."""
    balance_after: int


class Deposit:
    """Keep one deposit. `balance` always equals `opening` plus every line, and may go below zero."""

    def __init__(self, *, provider: str, journal: Journal, opening: int) -> None:
        self.provider = provider
        self.opening = opening
        self.balance = opening
        self._journal = journal
        self._lines: list[StatementLine] = []

    @property
    def lines(self) -> Sequence[StatementLine]:
        """The statement so far, oldest first."""
        return tuple(self._lines)

    def lines_of(self, ref_id: str) -> Sequence[StatementLine]:
        """List the lines that name one reference."""
        return tuple(line for line in self._lines if line.ref_id == ref_id)

    def debit(self, amount: int, *, at: datetime, ref_id: str, kind: str = "charge") -> StatementLine:
        """Take a positive `amount` out."""
        return self._post(-_positive(amount), at=at, ref_id=ref_id, kind=kind)

    def credit(self, amount: int, *, at: datetime, ref_id: str, kind: str = "reversal") -> StatementLine:
        """Put a positive `amount` in: a returned charge, or with kind `deposit` the operator's own top-up."""
        return self._post(_positive(amount), at=at, ref_id=ref_id, kind=kind)

    def restore(self, lines: Sequence[StatementLine]) -> None:
        """Go back to an earlier statement without journalling anything."""
        self._lines = list(lines)
        self.balance = self._lines[-1].balance_after if self._lines else self.opening

    def _post(self, amount: int, *, at: datetime, ref_id: str, kind: str) -> StatementLine:
        line = StatementLine(
            line_id=f"{self.provider}-{len(self._lines) + 1:07d}",
            posted_at=at,
            ref_id=ref_id,
            amount=amount,
            kind=kind,
            balance_after=self.balance + amount,
        )
        self.balance = line.balance_after
        self._lines.append(line)
        self._journal.append(
            "charge",
            at,
            provider=self.provider,
            line_id=line.line_id,
            ref_id=ref_id,
            amount=amount,
            line_kind=kind,
            balance_after=line.balance_after,
        )
        return line


def _positive(amount: int) -> int:
    if amount <= 0:
        message = f"a statement line needs a positive amount, not {amount}"
        raise ValueError(message)
    return amount
