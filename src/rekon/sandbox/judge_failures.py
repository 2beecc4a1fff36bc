"""What counts as a failure, and how much it proves (the tables of design 6 and rulebook 3.2, written a second time)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from rekon.sandbox.judge_facts import OrderFacts, State


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEVER_FORMED: Final = "never_formed"
DEFINITE: Final = "definite"
SOFT: Final = "soft"
TIMEOUT_LIKE: Final = "timeout_like"
HOLDS: Final[Mapping[str, timedelta]] = {
    NEVER_FORMED: timedelta(0),
    DEFINITE: timedelta(seconds=120),
    SOFT: timedelta(seconds=540),
    TIMEOUT_LIKE: timedelta(minutes=45),
}
_CODES: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    ("digiflazz", DEFINITE): _codes("51 52 54 57 59 60 72 73 84"),
    ("digiflazz", SOFT): _codes("02 53 55 58 71"),
    ("digiflazz", TIMEOUT_LIKE): _codes("01 70 85 86"),
    ("iak", DEFINITE): _codes("10 12 13 14 16 121 131 141 142 202 203 206 207 17 20 107"),
    ("iak", SOFT): _codes("07 106 110"),
    ("otomax", SOFT): _codes("40 44 45 47 50 52 53 54 56 58 59 61 64 69"),
    ("otomax", TIMEOUT_LIKE): frozenset({"55"}),
}
"""What a failure code proves. OtomaX answers a question in words, which show no more than failure or time-out."""
_REFUSALS: Final[Mapping[str, frozenset[str]]] = {
    "digiflazz": _codes("40 41 42 43 44 45 56 61 62 63 65 66 67 68 69 80 81 82 87 88"),
    "iak": _codes("17 20 102 107 117 118 204 205"),
    "otomax": frozenset({"43"}),
}
SUCCESS: Final = {"digiflazz": "00", "iak": "00", "otomax": "20"}
_PENDING: Final = {"digiflazz": frozenset({"03", "99"}), "iak": frozenset({"39", "201"}), "otomax": frozenset("012")}
_FINAL: Final = frozenset({"success", "failed", "reversed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failure that stood at the provider from `at` until `until` (None: for good)."""

    at: datetime
    until: datetime | None
    failure_class: str
    returned: bool
    """Whether the provider gave the charge back, or never made one."""

    def lasted(self, ends_at: datetime) -> timedelta:
        """Say how long it stood inside the story."""
        return (self.until or ends_at) - self.at


def failures(order: OrderFacts) -> list[Failure]:
    """List what a careful reader would call failures; contradictory words are none."""
    if order.refused is not None and not order.states:
        known = order.refused.code in _REFUSALS[order.provider]
        only = known and order.send_count == 1
        refusal = NEVER_FORMED if only else TIMEOUT_LIKE
        return [Failure(at=order.refused.at, until=None, failure_class=refusal, returned=only)]
    found = []
    for state, later in with_next(order.states):
        kind = failure_class(order.provider, state)
        if kind is not None:
            until = None if later is None else later.at
            back = any(amount > 0 and state.at <= at for at, amount in order.money)
            found.append(Failure(at=state.at, until=until, failure_class=kind, returned=back))
    return found


def failure_class(provider: str, state: State) -> str | None:
    """Say what a state proves, or None where it is no failure or contradicts itself."""
    if state.state != "failed":
        return None
    kinds = (kind for (name, kind), codes in _CODES.items() if name == provider and state.code in codes)
    return next(kinds, None)


def contradicts(provider: str, state: State) -> bool:
    """Say whether state and code of one moment exclude each other."""
    says_success = state.code == SUCCESS[provider]
    if state.state == "success":
        return not says_success
    return says_success or (state.state != "pending") == (state.code in _PENDING[provider])


def first_final(order: OrderFacts) -> State | None:
    """Find the first consistent final word of the provider."""
    finals = (s for s in order.states if s.state in _FINAL and not contradicts(order.provider, s))
    return next(finals, None)


def known_at(order: OrderFacts, state: State) -> datetime | None:
    """Say when rekon could first know a state: by an accepted callback or by its own question."""
    heard = [h.at for h in (*order.callbacks, *order.inquiries) if h.at >= state.at]
    if order.has_reply and state is order.states[0]:
        heard.append(order.sent_at)
    return min(heard, default=None)


def with_next(states: list[State]) -> list[tuple[State, State | None]]:
    """Pair every state with the one after it, the last with None."""
    return list(zip(states, [*states[1:], None], strict=False))
