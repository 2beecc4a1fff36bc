"""An order at a provider, and how its callbacks travel."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from rekon.sandbox import faults
from rekon.sandbox.plan import Plan, Step

STATES: Final = frozenset({"pending", "success", "failed", "reversed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a purchase asks for, as it came."""

    ref_id: str
    product: str
    destination: str
    counter: str = ""
    """Marks a wanted repeat of the same product and number on one day (OtomaX)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request left nothing behind."""

    code: str
    text: str


@dataclass(slots=True, kw_only=True)
class Order:
    """What truly happened to one order. Only the core that owns it writes here; everybody else reads."""

    number: int
    """The provider's own running number, from 1."""
    wanted: Wanted
    price: int
    """What each charge takes from the deposit, in rupiah."""
    via: str
    """`server` or `http`, see `Request.via`."""
    created_at: datetime
    plan: Plan
    state: str = "pending"
    code: str = ""
    text: str = ""
    serial_number: str = ""
    changed_at: datetime | None = None
    steps_played: int = 0
    charges_kept: int = 0
    """How many charges of `price` the provider holds now; 0 after it gave everything back."""
    inquiries: int = 0
    """Status inquiries that crossed a socket."""
    asked_at: datetime | None = None
    """When a request last named this order, from anyone."""
    history: list[tuple[datetime, str, str]] = field(default_factory=list)
    """(instant, state, code) of every change so far."""

    @property
    def ref_id(self) -> str:
        """The operator's own reference."""
        return self.wanted.ref_id

    @property
    def product(self) -> str:
        """The provider's product code."""
        return self.wanted.product

    @property
    def destination(self) -> str:
        """The customer's number, as sent."""
        return self.wanted.destination

    @property
    def final_state(self) -> str:
        """The state after every planned step."""
        return self.plan.steps[-1].state

    def fault(self) -> str:
        """Name the fault planned for the inquiry just counted, or `` for an honest reply."""
        position = self.inquiries - 1
        return self.plan.faults[position] if 0 <= position < len(self.plan.faults) else ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one change is called back."""

    copies: int = 1
    late_seconds: float = 0
    forged: bool = False
    unsigned: bool = False

    @classmethod
    def read(cls, spec: str) -> "Delivery":
        """Read a step's callback words, joined by commas.

        `sent`, `lost` (none), `late:<seconds>`, `twice`, `times:<n>`, `forged` (one more, lying and with a bad
        signature) and `unsigned` (one more, true but without the signature).

        Raises:
            ValueError: a word is unknown.
        """
        copies, late, words = 1, 0.0, spec.split(",")
        for word in words:
            name, _, value = word.partition(":")
            if name in {"lost", "twice", "times"}:
                copies = {"lost": 0, "twice": 2}.get(name) or int(value or 0)
            elif name == "late":
                late = float(value)
            elif name not in {"sent", "forged", "unsigned"}:
                message = f"unknown callback word {word!r}"
                raise ValueError(message)
        return cls(copies, late, "forged" in words, "unsigned" in words)


def checked(plan: Plan) -> Plan:
    """Return the plan when it can be played.

    Raises:
        ValueError: no steps, a first step later than 0, steps out of order, or an unknown state, callback or fault.
    """
    after = [step.after for step in plan.steps]
    if not after or after[0] != 0 or after != sorted(after):
        message = "a plan's steps start at 0 and go forward"
        raise ValueError(message)
    for step in plan.steps:
        Delivery.read(step.callback)
    wrong = {step.state for step in plan.steps} - STATES
    wrong |= {kind for kind in plan.faults if kind and not faults.is_known(kind)}
    if wrong or plan.charges < 0:
        message = f"a plan cannot hold {sorted(wrong) or plan.charges}"
        raise ValueError(message)
    return plan


def at_once(*, code: str, serial_number: str) -> Plan:
    """The fate of an order nobody planned: it succeeds on the spot."""
    return Plan(steps=(Step(after=0, state="success", code=code, serial_number=serial_number),))


def serial_for(*parts: object) -> str:
    """Draw a sixteen-digit serial number from what makes the order itself."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return f"{int.from_bytes(digest[:8], 'big') % 10**16:016d}"
