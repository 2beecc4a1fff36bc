"""What every channel promises: one message in, and what became of it out.

A channel makes one attempt and never raises for anything the outside does. Whether a repeat could reach the reader
twice decides between RETRY and UNKNOWN: a receiver that knows the message by its id may be told again.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class DeliveryState(StrEnum):
    """What became of one attempt to deliver."""

    SENT = "sent"
    """The channel took the message."""
    REFUSED = "refused"
    """It will never take this message to this address as it is; another channel or a person is needed."""
    RETRY = "retry"
    """Nothing was delivered, or telling it again is harmless: try later."""
    UNKNOWN = "unknown"
    """It may have been delivered; a repeat could reach the reader twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one attempt. `note` is Indonesian, for staff, and holds nothing of the reply's text."""

    state: DeliveryState
    reference: str = field(default="", repr=False)
    """The channel's own id of the message; a WhatsApp id encodes the recipient's number."""
    note: str = ""
    retry_after_seconds: int | None = None
    """With RETRY: wait this long, 1 second to 1 hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """One message on its way. Address, texts and the answer link stay out of its repr (G10)."""

    message_id: str
    """Ours; the same on every attempt."""
    agent_id: str
    address: str = field(repr=False)
    """Number, chat, mailbox or whatever the channel sends to."""
    text: str = field(repr=False)
    short_text: str = field(repr=False)
    template: str
    case_id: str
    variant: str = "standard"
    variables: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Names and values in the order an approved WhatsApp template takes them."""
    answer_url: str = field(default="", repr=False)
    """Signed link to the closed question; a credential."""
    last_inbound_at: datetime | None = None
    """When the reader last wrote to us on this channel (aware UTC); opens WhatsApp's 24 hours."""

    def text_with_link(self) -> str:
        """Give the text with the answer link on a line of its own, for channels without buttons."""
        if not self.answer_url:
            return self.text
        return f"{self.text}\n\nYA / TIDAK: {self.answer_url}"


class Channel(Protocol):
    """A way for a message to leave. `send` may not run inside a unit of work."""

    @property
    def name(self) -> str:
        """Name of the channel in the configuration."""
        ...

    async def send(self, message: OutgoingMessage, *, now: datetime) -> Delivery:
        """Make one attempt. Never raises for anything the outside does. `now` is aware UTC."""
        ...


def sent(reference: str = "") -> Delivery:
    """Say that the channel took the message."""
    return Delivery(state=DeliveryState.SENT, reference=reference)


def refused(note: str) -> Delivery:
    """Say that the channel will never take it as it is."""
    return Delivery(state=DeliveryState.REFUSED, note=note)


def retry(note: str, *, after_seconds: int | None = None) -> Delivery:
    """Say that it may be told again, after so many seconds."""
    return Delivery(state=DeliveryState.RETRY, note=note, retry_after_seconds=after_seconds)


def unknown(note: str) -> Delivery:
    """Say that nobody knows whether it was delivered."""
    return Delivery(state=DeliveryState.UNKNOWN, note=note)
