"""Tables of running it: staff, rekon's own money books, halts, audit, and what is known of providers."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from rekon.store.tables_base import metadata
from rekon.store.types import Exact, Instant, Quoted, Serial

staff = Table(
    "staff",
    metadata,
    Column("staff_id", String(40), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("active", Boolean, nullable=False),
    Column("added_at", Instant, nullable=False),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("refund_id", String(40), ForeignKey("refunds.refund_id"), nullable=False),
    Column("staff_id", String(40), ForeignKey("staff.staff_id"), nullable=False),
    Column("decision", String(12), nullable=False),
    Column("reason", Quoted(400), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    UniqueConstraint("refund_id", "staff_id", "digest", "at"),
    Index("ix_approvals_staff", "staff_id", "at"),
)
"""Who agreed to what. Append-only; changed evidence has another digest and is decided anew (I17).

A word counts for a day, after which the same person may say it again.
"""

journal_entries = Table(
    "journal_entries",
    metadata,
    Column("entry_id", String(40), primary_key=True),
    Column("event", String(320), nullable=False, unique=True),
    Column("description", String(200), nullable=False),
    Column("reverses", String(40), ForeignKey("journal_entries.entry_id")),
    Column("occurred_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
)
"""One row an event in money. Append-only."""

postings = Table(
    "postings",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("entry_id", String(40), ForeignKey("journal_entries.entry_id"), nullable=False, index=True),
    Column("account", String(100), nullable=False, index=True),
    Column("side", String(6), nullable=False),
    Column("amount", BigInteger, nullable=False),
    CheckConstraint("amount > 0", name="amount_positive"),
    CheckConstraint("side IN ('debit', 'credit')", name="side_known"),
)
"""The sides of each entry. Append-only; no running balance is kept anywhere."""

book_lines = Table(
    "book_lines",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("key", String(300), nullable=False, unique=True),
    Column("agent_id", String(128), nullable=False, index=True),
    Column("transaction_id", String(128), nullable=False, index=True),
    Column("amount", BigInteger, nullable=False),
    Column("reason", Quoted(200), nullable=False),
    Column("at", Instant, nullable=False),
    CheckConstraint("amount > 0", name="amount_positive"),
)
"""Credits of the `book` gateway: rekon keeps the wallet. Append-only; a server may pull them."""

halts = Table(
    "halts",
    metadata,
    Column("scope", String(100), primary_key=True),
    Column("reason", Quoted(300), nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("opened_by", String(64), nullable=False),
)
"""While a row stands, automatic money of its scope stands still."""

audit = Table(
    "audit",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", String(64), nullable=False),
    Column("what", String(64), nullable=False),
    Column("about", Quoted(300), nullable=False, index=True),
    Column("detail", JSON, nullable=False),
    Column("link", String(64)),
)
"""Who moved what, each row sealed after the one before it; no seal on rows from before there were any. Append-only."""

provider_health = Table(
    "provider_health",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("account", String(64), primary_key=True),
    Column("skew_seconds", Exact),
    Column("skew_read_at", Instant),
    Column("balance", Exact),
    Column("balance_at", Instant),
    Column("check_errors", Integer, nullable=False),
    Column("unreadable", Integer, nullable=False),
    Column("quarantined_because", Quoted(200), nullable=False),
    Column("not_before", Instant),
)

provider_words = Table(
    "provider_words",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("words", JSON, nullable=False),
)
"""The last final words of each provider, one a leg, the newest at the end: what the breakers look at."""

flips = Table(
    "flips",
    metadata,
    Column("leg_key", String(220), ForeignKey("legs.key"), primary_key=True),
    Column("provider", String(64), nullable=False),
    Column("raw_code", Quoted(64), nullable=False),
    Column("failure_class", String(16), nullable=False),
    Column("failed_at", Instant, nullable=False),
    Column("late_seconds", Integer),
    Index("ix_flips_late", "provider", "raw_code", "late_seconds"),
)
"""The first failed word of each leg; `late_seconds` is how much later the provider reported delivery after all."""

soft_holds = Table(
    "soft_holds",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("raw_code", Quoted(64), primary_key=True),
    Column("hold_seconds", Integer, nullable=False),
    Column("measured_at", Instant, nullable=False),
)
"""Holds raised by measuring late successes. Nothing lowers them by itself."""

facts_of_life = Table(
    "facts_of_life",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", String(200), nullable=False),
)
"""Epoch, high-water mark and the like: one value a name."""

intents = Table(
    "intents",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("recorded_at", Instant, nullable=False),
)
"""One row a unit of work that meant to act outside. The newest stands in a file too, so that a restored backup is told
from a crash (design 9). Append-only."""
