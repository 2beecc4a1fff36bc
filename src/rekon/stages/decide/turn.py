"""One decision about to be made true, with everything needed for it."""

from dataclasses import dataclass, replace
from datetime import datetime

from rekon.domain.breaks import BreakKind, Mode
from rekon.domain.decision import Decision, stable_id
from rekon.domain.facts import Facts
from rekon.domain.transaction import Leg
from rekon.stages.context import Context
from rekon.store import cases
from rekon.store.engine import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A decision in its unit of work."""

    connection: Connection
    facts: Facts
    decision: Decision
    context: Context
    now: datetime

    @property
    def leg(self) -> Leg:
        """The leg the decision names, else the last one."""
        legs = self.facts.legs
        return next((leg for leg in legs if leg.key == self.decision.leg_key), legs[-1])

    @property
    def case_id(self) -> str:
        """The case of the purchase, whether it is open yet or not."""
        return stable_id("case", self.facts.transaction.key)

    @property
    def mode(self) -> Mode:
        """How far rekon may go for this decision's break."""
        kind: BreakKind | None = self.decision.break_kind
        return self.context.policy.mode_of(kind) if kind is not None else Mode.AUTOMATIC

    def saying(self, note: str) -> "Turn":
        """The same turn with another note for staff."""
        return replace(self, decision=replace(self.decision, note=note))

    def open_break(self, *, ask_staff: bool) -> bool:
        """Write the decision's break down. Returns whether it is new, or newly with staff."""
        if self.decision.break_kind is None:
            return False
        return cases.open_break(
            self.connection,
            self.facts.transaction,
            kind=self.decision.break_kind,
            amount=self.decision.amount,
            rule=self.decision.rule,
            note=self.decision.note,
            ask_staff=ask_staff,
            now=self.now,
        )

    def note_event(self, *, kind: str, text: str) -> None:
        """Append a line to the case's chronology, opening the case if need be."""
        cases.open_case(self.connection, self.facts.transaction, now=self.now)
        cases.add_event(self.connection, self.case_id, kind=kind, text=text, now=self.now)
