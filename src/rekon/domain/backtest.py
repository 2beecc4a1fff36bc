"""What two sets of rules make of the same past: for each trouble, the money each would have moved, asked or held."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rekon.domain.breaks import BreakKind, Mode
from rekon.domain.decision import Action, Decision
from rekon.domain.money import Money
from rekon.domain.policy import Policy


class Fate(StrEnum):
    """What becomes of one trouble's money."""

    REFUNDED = "refunded"
    """Given back without a person."""
    ASKED = "asked"
    """Put before a person."""
    HELD = "held"
    """Neither: the rules wait, only watch, or see no trouble."""


_STRENGTH = (Fate.HELD, Fate.ASKED, Fate.REFUNDED)

Seen = Mapping[BreakKind, tuple[Fate, Money]]
"""By the kind of trouble: the furthest a set of rules went at one purchase, and about how much."""


def look(decisions: Sequence[Decision], policy: Policy) -> dict[BreakKind, tuple[Fate, Money]]:
    """Say what decisions of one instant mean for money."""
    found: dict[BreakKind, tuple[Fate, Money]] = {}
    for decision in decisions:
        if decision.break_kind is not None and decision.action in (Action.ISSUE_REFUND, Action.ASK_STAFF):
            _go_further(found, decision.break_kind, _fate(decision, policy), decision.amount or Money(0))
    return found


def _fate(decision: Decision, policy: Policy) -> Fate:
    if decision.break_kind is not None and policy.mode_of(decision.break_kind) is Mode.OBSERVE:
        return Fate.HELD
    asks = decision.action is Action.ASK_STAFF or decision.needs_approval
    return Fate.ASKED if asks else Fate.REFUNDED


def furthest(looks: Iterable[Seen]) -> dict[BreakKind, tuple[Fate, Money]]:
    """Fold what was said of one purchase at several instants into how far it went."""
    found: dict[BreakKind, tuple[Fate, Money]] = {}
    for one in looks:
        for kind, (fate, amount) in one.items():
            _go_further(found, kind, fate, amount)
    return found


def _go_further(found: dict[BreakKind, tuple[Fate, Money]], kind: BreakKind, fate: Fate, amount: Money) -> None:
    known = found.get(kind)
    if known is None or _STRENGTH.index(fate) > _STRENGTH.index(known[0]):
        found[kind] = (fate, amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One trouble that ends another way. `amount` is whole rupiah."""

    transaction_key: str
    kind: BreakKind
    present: Fate
    candidate: Fate
    amount: Money


@dataclass(slots=True)
class Sum:
    """How many troubles met one fate, and about how many rupiah they were."""

    count: int = 0
    amount: int = 0


@dataclass(slots=True, kw_only=True)
class Comparison:
    """Both sides over a span. Keeps at most `keep` differences; `changed` counts them all."""

    keep: int
    purchases: int = 0
    changed: int = 0
    present: dict[Fate, Sum] = field(default_factory=lambda: {fate: Sum() for fate in Fate})
    candidate: dict[Fate, Sum] = field(default_factory=lambda: {fate: Sum() for fate in Fate})
    differences: list[Difference] = field(default_factory=list)

    def add(self, transaction_key: str, present: Seen, candidate: Seen) -> None:
        """Count one purchase. A side that says nothing of a trouble the other side sees holds its money."""
        self.purchases += 1
        for kind in sorted({*present, *candidate}):
            here, there = present.get(kind), candidate.get(kind)
            amount = Money(max(side[1] for side in (here, there) if side is not None))
            fates = (here[0] if here else Fate.HELD, there[0] if there else Fate.HELD)
            for sums, fate in ((self.present, fates[0]), (self.candidate, fates[1])):
                sums[fate].count += 1
                sums[fate].amount += amount
            if fates[0] is not fates[1]:
                self._differ(
                    Difference(
                        transaction_key=transaction_key, kind=kind, present=fates[0], candidate=fates[1], amount=amount
                    )
                )

    def _differ(self, difference: Difference) -> None:
        self.changed += 1
        if len(self.differences) < self.keep:
            self.differences.append(difference)
