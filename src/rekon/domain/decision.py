"""What rekon can decide, and what a decision stands on."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from rekon.domain.breaks import BreakKind
from rekon.domain.money import Money

RULE_VERSION = "2026.11.1"
"""Raised whenever a rule changes its meaning; stored with every decision (I21)."""


class Action(StrEnum):
    """The one thing a decision asks for."""

    WAIT = "wait"
    """Look again at `due_at`."""
    CHECK_AGAIN = "check_again"
    """Ask the provider once more before money moves."""
    COMPLETE = "complete"
    """Tell the server that the order succeeded."""
    ISSUE_REFUND = "issue_refund"
    """Give `amount` back to whoever was charged."""
    MARK_FAILED_AT_SERVER = "mark_failed_at_server"
    """Tell the server that the order failed, so that it closes it."""
    CLAIM_ON_PROVIDER = "claim_on_provider"
    """Ask the provider to give the deposit back, and watch until it does."""
    ASK_SERVER_TO_RESEND = "ask_server_to_resend"
    """Only the server may ask about this reference safely; staff is told to let it."""
    ASK_STAFF = "ask_staff"
    """A person decides."""
    OPEN_COMPLAINT = "open_complaint"
    """Complain to the provider."""
    COMPENSATE = "compensate"
    """Issue a voucher of `amount`."""
    RECORD = "record"
    """Write the break down; nothing else is needed."""
    TELL = "tell"
    """Send `template` to whoever was charged."""
    FREEZE_AGENT = "freeze_agent"
    """Stop automatic money for this agent until a person looked."""
    RESOLVE = "resolve"
    """The books agree again: close the break."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One thing to do, with the rows it stands on."""

    action: Action
    rule: str
    """Name of the rule, e.g. `b01.rekon_refunds`."""
    break_kind: BreakKind | None = None
    amount: Money | None = None
    due_at: datetime | None = None
    evidence: tuple[str, ...] = ()
    """Ids of the reports, wallet lines and statement lines it stands on, in order."""
    note: str = ""
    """Indonesian sentence for staff."""
    needs_approval: bool = False
    approval_reason: str = ""
    template: str = ""
    variant: str = "standard"
    reason: str = ""
    """Key of the plain-language reason dictionary."""
    promise_at: datetime | None = None
    """The instant a message promises news for."""
    leg_key: str | None = None
    details: dict[str, str] = field(default_factory=dict)
    """Extra message variables, already plain text."""
    never_formed: bool = False
    """The proof is NEVER_FORMED: right by nature, so it does not count for the velocity breaker (G6)."""


def evidence_digest(decision: Decision, *, transaction: str) -> str:
    """Fingerprint what a money decision stands on; any change of it voids an approval (I17)."""
    parts = [
        transaction,
        decision.break_kind or "",
        decision.amount or 0,
        list(decision.evidence),
        decision.rule,
        RULE_VERSION,
    ]
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def stable_id(prefix: str, *parts: object) -> str:
    """Derive an id from business identity, so that a restored database mints the same one (I12)."""
    text = "\x1f".join(str(part) for part in parts)
    return f"{prefix}_{hashlib.sha256(text.encode()).hexdigest()[:20]}"
