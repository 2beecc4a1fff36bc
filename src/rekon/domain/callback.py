"""The door through which a provider's own messages come in: what they may change before anyone reads them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol


class Verdict(StrEnum):
    """What the door thinks of one callback, judged from its raw bytes alone."""

    SIGNED = "signed"
    """The body itself is signed: it counts as a reading once it is tied to a leg."""
    HINT = "hint"
    """Accepted, but the body proves nothing: it only makes the next check due now."""
    PING = "ping"
    """Accepted and not about a transaction: there is nothing to read and nothing to keep."""
    REFUSED = "refused"
    """Not from the provider as far as can be told: it changes nothing but a counter (I19)."""


class CallbackDoor(Protocol):
    """Tell a provider's callback from anybody else's."""

    def verify(self, provider: str, headers: Mapping[str, str], raw: bytes) -> Verdict:
        """Judge one callback. Header names are lower-case; for GET, `raw` is the query string. Never raises."""
        ...
