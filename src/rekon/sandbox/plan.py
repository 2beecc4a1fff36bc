"""The fate of one order at a provider, chosen by the world before the order is sent.

A plan holds what truly happens, never the name of what a reconciler should find.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of the order's state, `after` seconds from the purchase."""

    after: float
    state: str
    """pending, success, failed or reversed (an earlier success taken back)."""
    code: str
    """The provider's own code: Digiflazz rc, IAK rc, OtomaX status number."""
    text: str = ""
    """Message text; the core has a default for each code."""
    serial_number: str = ""
    callback: str = "sent"
    """sent, lost, or late:<seconds>; twice sends it two times; forged adds one with a bad signature."""
    returns_charge: bool | None = None
    """Whether the deposit is credited back; None means the honest default (failed and reversed return it)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything the provider will do with one reference."""

    steps: tuple[Step, ...]
    """At least one; the first has `after` 0 and is what the purchase call answers."""
    charges: int = 1
    """How often the deposit is debited (2 = the provider's own double debit)."""
    price: int | None = None
    """What the provider charges; None takes the price list."""
    faults: tuple[str, ...] = field(default=())
    """Fault kinds for the first so many status inquiries about this order, in order; `` means an honest reply."""
