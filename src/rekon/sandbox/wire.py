"""Requests, replies and faults as plain data, so that a dialect core needs no socket."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request as a core sees it. `path` is below the core's own prefix, e.g. `/v1/transaction`."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Lower-case names."""
    body: bytes = b""
    via: str = "http"
    """`server` when the played server buys, `http` for everything that crossed a socket.

    An order created via `http` is a purchase that rekon caused.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP reply."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something other than a reply. `reply` is what the core would have said; its effects have happened."""

    kind: str
    """timeout, reset, drip, html, truncated, huge, empty, error_500, redirect, wrong_type or other_ref."""
    reply: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingCallback:
    """A call from the provider to the callback door, due at `at`."""

    at: datetime
    provider: str
    method: str
    query: str = ""
    """Raw query string, for GET callbacks."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class ProviderCore(Protocol):
    """A pure provider: everything it knows arrives as arguments."""

    def answer(self, request: Request, now: datetime) -> Reply | Fault:
        """Answer one request at business time `now`."""

    def advance(self, now: datetime) -> list[OutgoingCallback]:
        """Play every planned change due at or before `now` and return the callbacks that are due."""

    def next_event_at(self) -> datetime | None:
        """Say when the next planned change or callback happens."""
