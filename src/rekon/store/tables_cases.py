"""Tables of what rekon thinks: cases, breaks, decisions and the configuration they were made under."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Integer, String, Table, UniqueConstraint

from rekon.store.tables_base import index_where, metadata
from rekon.store.types import Instant, Quoted, Serial

IS_UNPLANNED = "state = 'resolved' AND felt AND aftercare_due_at IS NULL"
AWAITS_AFTERCARE = "state = 'resolved' AND aftercare_due_at IS NOT NULL"
IS_UNRESOLVED = "resolved_at IS NULL"

cases = Table(
    "cases",
    metadata,
    Column("case_id", String(40), primary_key=True),
    Column("number", String(16), nullable=False, index=True),
    Column("transaction_key", String(200), ForeignKey("transactions.key"), nullable=False, unique=True),
    Column("agent_id", String(128), nullable=False, index=True),
    Column("state", String(12), nullable=False),
    Column("felt", Boolean, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    Column("aftercare_due_at", Instant),
    Column("version", Integer, nullable=False),
    index_where(AWAITS_AFTERCARE, "ix_cases_aftercare", "aftercare_due_at"),
    index_where(IS_UNPLANNED, "ix_cases_unplanned", "resolved_at"),
)
"""One a purchase. `number` has 40 bits, so of a million cases two may share one: it finds a case, never names it."""

case_events = Table(
    "case_events",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("case_id", String(40), ForeignKey("cases.case_id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("text", Quoted(600), nullable=False),
)
"""The chronology a person reads. Append-only."""

breaks = Table(
    "breaks",
    metadata,
    Column("break_id", String(40), primary_key=True),
    Column("transaction_key", String(200), ForeignKey("transactions.key"), nullable=False),
    Column("case_id", String(40), ForeignKey("cases.case_id"), nullable=False, index=True),
    Column("kind", String(4), nullable=False),
    Column("state", String(12), nullable=False),
    Column("amount", BigInteger),
    Column("note", Quoted(400), nullable=False),
    Column("rule", String(64), nullable=False),
    Column("staff_asked", Boolean, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    Column("version", Integer, nullable=False),
    UniqueConstraint("transaction_key", "kind"),
    index_where(IS_UNRESOLVED, "ix_breaks_open", "opened_at"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("transaction_key", String(200), ForeignKey("transactions.key"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("action", String(32), nullable=False),
    Column("break_kind", String(4), nullable=False),
    Column("rule", String(64), nullable=False),
    Column("rule_version", String(16), nullable=False),
    Column("config_hash", String(64), nullable=False),
    Column("amount", BigInteger),
    Column("evidence", JSON, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("body", JSON, nullable=False),
    Column("inputs", JSON, nullable=False),
)
"""What was decided and from what, complete enough to decide again (I21). Append-only."""

configurations = Table(
    "configurations",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("body", JSON, nullable=False),
    Column("recorded_at", Instant, nullable=False),
)
"""Policies and provider rules that decisions were made under, once each. Append-only."""
