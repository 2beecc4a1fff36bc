"""Every table of rekon. The same definitions serve SQLite and PostgreSQL; Alembic owns the changes.

Keys are business identity wherever there is one, so that a restored database names things the same way (I12).
Due times live in rows: `schedule` (one narrow row an open leg), `evaluations` (one a transaction to look at) and the
due columns of the tables that wait for an outside call.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from rekon.store.types import Exact, Instant

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# --- Books: what came in -------------------------------------------------------------------------------------------

marks = Table(
    "marks",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("book", String(16), primary_key=True),
    Column("read_to", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
)
"""How far each book of each source was read (I25)."""

transactions = Table(
    "transactions",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("source", String(64), nullable=False),
    Column("transaction_id", String(128), nullable=False),
    Column("agent_id", String(128), nullable=False),
    Column("charged_account", String(20), nullable=False),
    Column("ordered_at", Instant, nullable=False),
    Column("product", String(128), nullable=False),
    Column("family", String(32), nullable=False),
    Column("destination", String(64), nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("face_value", BigInteger),
    Column("order_status", String(12), nullable=False),
    Column("status_at", Instant, nullable=False),
    Column("serial_number", String(512)),
    Column("channel", String(32), nullable=False),
    Column("raw_order", Text, nullable=False),
    Column("repeat_counter", String(16), nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Index("ix_transactions_same_purchase", "agent_id", "destination", "product", "ordered_at"),
    Index("ix_transactions_ordered_at", "ordered_at"),
)

observations = Table(
    "observations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("transaction_key", String(200), ForeignKey("transactions.key"), nullable=False, index=True),
    Column("order_status", String(12), nullable=False),
    Column("serial_number", String(512)),
    Column("recorded_at", Instant, nullable=False),
)
"""Every order status the server ever showed us, appended."""

legs = Table(
    "legs",
    metadata,
    Column("key", String(220), primary_key=True),
    Column("transaction_key", String(200), ForeignKey("transactions.key"), nullable=False, index=True),
    Column("leg_no", Integer, nullable=False),
    Column("provider", String(64), nullable=False),
    Column("provider_account", String(64), nullable=False),
    Column("ref_id", String(128), nullable=False),
    Column("provider_product", String(128), nullable=False),
    Column("destination_sent", String(64), nullable=False),
    Column("testing", Boolean, nullable=False),
    Column("max_price", BigInteger),
    Column("allow_dot", Boolean, nullable=False),
    Column("cb_url", String(512), nullable=False),
    Column("sent_at", Instant, nullable=False),
    Column("send_state", String(12), nullable=False),
    Column("send_count", Integer, nullable=False),
    Column("first_reply", Text),
    Column("state", String(12), nullable=False),
    Column("checks_done", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Index("ix_legs_ref", "provider", "ref_id"),
)

reports = Table(
    "reports",
    metadata,
    Column("report_id", String(40), primary_key=True),
    Column("leg_key", String(220), ForeignKey("legs.key"), nullable=False, index=True),
    Column("source", String(16), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("failure_class", String(16)),
    Column("raw_code", String(64), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("note", String(400), nullable=False),
    Column("serial_number", String(512)),
    Column("price", Exact),
    Column("balance", Exact),
    Column("contacts", JSON, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("body_signed", Boolean, nullable=False),
    Column("contradiction", Boolean, nullable=False),
    Column("about_this_leg", Boolean, nullable=False),
)

schedule = Table(
    "schedule",
    metadata,
    Column("leg_key", String(220), ForeignKey("legs.key"), primary_key=True),
    Column("provider", String(64), nullable=False),
    Column("due_at", Instant, nullable=False, index=True),
    Column("lease", String(40)),
    Column("asked_at", Instant),
)

evaluations = Table(
    "evaluations",
    metadata,
    Column("transaction_key", String(200), ForeignKey("transactions.key"), primary_key=True),
    Column("due_at", Instant, nullable=False, index=True),
)

wallet_lines = Table(
    "wallet_lines",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("source", String(64), nullable=False),
    Column("agent_id", String(128), nullable=False),
    Column("posted_at", Instant, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("transaction_key", String(200)),
    Column("balance_after", BigInteger),
    Column("reference", String(256), nullable=False),
    Column("sequence", BigInteger),
    Column("recorded_at", Instant, nullable=False),
    Index("ix_wallet_lines_transaction_key", "transaction_key"),
    Index("ix_wallet_lines_agent", "agent_id", "posted_at"),
)

statement_lines = Table(
    "statement_lines",
    metadata,
    Column("key", String(260), primary_key=True),
    Column("provider", String(64), nullable=False),
    Column("account", String(64), nullable=False),
    Column("line_id", String(128), nullable=False),
    Column("posted_at", Instant, nullable=False),
    Column("ref_id", String(128), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("balance_after", BigInteger),
    Column("recorded_at", Instant, nullable=False),
    Index("ix_statement_lines_ref", "provider", "ref_id"),
)

agents = Table(
    "agents",
    metadata,
    Column("agent_id", String(128), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("zone", String(32), nullable=False),
    Column("channel", String(32), nullable=False),
    Column("address", String(256), nullable=False),
    Column("registered_at", Instant),
    Column("frozen_because", String(200), nullable=False, server_default=""),
    Column("last_inbound_at", Instant),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", String(64), nullable=False),
    Column("book", String(16), nullable=False),
    Column("origin", String(256), nullable=False),
    Column("line", Integer, nullable=False),
    Column("field", String(64), nullable=False),
    Column("reason", String(400), nullable=False),
    Column("row", JSON, nullable=False),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("state", String(12), nullable=False, index=True),
    Column("recorded_at", Instant, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("position", JSON, nullable=False),
    Column("recorded_at", Instant, nullable=False),
)
"""How far a file, a drop folder or a SQL source was read."""

inbox = Table(
    "inbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("provider", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("content_type", String(100), nullable=False),
    Column("verdict", String(12), nullable=False),
    Column("state", String(12), nullable=False),
    Column("copies", Integer, nullable=False),
    Column("received_at", Instant, nullable=False),
    UniqueConstraint("provider", "fingerprint"),
    Index("ix_inbox_new", "id", sqlite_where=text("state = 'new'"), postgresql_where=text("state = 'new'")),
)

# --- What rekon thinks ---------------------------------------------------------------------------------------------

_UNPLANNED = text("state = 'resolved' AND felt AND aftercare_due_at IS NULL")

cases = Table(
    "cases",
    metadata,
    Column("case_id", String(40), primary_key=True),
    Column("number", String(16), nullable=False, unique=True),
    Column("transaction_key", String(200), ForeignKey("transactions.key"), nullable=False, unique=True),
    Column("agent_id", String(128), nullable=False, index=True),
    Column("state", String(12), nullable=False),
    Column("felt", Boolean, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    Column("aftercare_due_at", Instant),
    Column("version", Integer, nullable=False),
    Index("ix_cases_aftercare", "aftercare_due_at"),
    Index("ix_cases_unplanned", "resolved_at", sqlite_where=_UNPLANNED, postgresql_where=_UNPLANNED),
)

case_events = Table(
    "case_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("case_id", String(40), ForeignKey("cases.case_id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("text", String(600), nullable=False),
)
"""The chronology a person reads. Append-only."""

breaks = Table(
    "breaks",
    metadata,
    Column("break_id", String(40), primary_key=True),
    Column("transaction_key", String(200), ForeignKey("transactions.key"), nullable=False),
    Column("case_id", String(40), ForeignKey("cases.case_id"), nullable=False),
    Column("kind", String(4), nullable=False),
    Column("state", String(12), nullable=False),
    Column("amount", BigInteger),
    Column("note", String(400), nullable=False),
    Column("rule", String(64), nullable=False),
    Column("staff_asked", Boolean, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    Column("version", Integer, nullable=False),
    UniqueConstraint("transaction_key", "kind"),
    Index("ix_breaks_open", "opened_at", sqlite_where=text("resolved_at IS NULL"), postgresql_where=text("resolved_at IS NULL")),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True),
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

# --- What rekon does -----------------------------------------------------------------------------------------------

refunds = Table(
    "refunds",
    metadata,
    Column("refund_id", String(40), primary_key=True),
    Column("key", String(300), nullable=False, unique=True),
    Column("transaction_key", String(200), ForeignKey("transactions.key"), nullable=False, index=True),
    Column("break_kind", String(4), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("agent_id", String(128), nullable=False),
    Column("source", String(64), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("state", String(20), nullable=False),
    Column("automatic", Boolean, nullable=False),
    Column("never_formed", Boolean, nullable=False),
    Column("rule", String(64), nullable=False),
    Column("rule_version", String(16), nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("hold_reason", String(200), nullable=False),
    Column("note", String(400), nullable=False),
    Column("gateway_ref", String(128), nullable=False),
    Column("requested_at", Instant, nullable=False),
    Column("submitted_at", Instant),
    Column("settled_at", Instant),
    Column("sent_at", Instant),
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False),
    Column("lease", String(40)),
    Column("version", Integer, nullable=False),
    UniqueConstraint("transaction_key", "break_kind", "sequence"),
    CheckConstraint("amount > 0", name="amount_positive"),
    Index("ix_refunds_due", "due_at", sqlite_where=text("due_at IS NOT NULL"), postgresql_where=text("due_at IS NOT NULL")),
    Index("ix_refunds_submitted_at", "submitted_at"),
    Index("ix_refunds_agent", "agent_id", "submitted_at"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("refund_id", String(40), ForeignKey("refunds.refund_id"), nullable=False),
    Column("staff_id", String(40), ForeignKey("staff.staff_id"), nullable=False),
    Column("decision", String(12), nullable=False),
    Column("reason", String(400), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    UniqueConstraint("refund_id", "staff_id"),
)

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

order_results = Table(
    "order_results",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("transaction_key", String(200), ForeignKey("transactions.key"), nullable=False, unique=True),
    Column("source", String(64), nullable=False),
    Column("transaction_id", String(128), nullable=False),
    Column("status", String(12), nullable=False),
    Column("serial_number", String(512), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("state", String(12), nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("answered_at", Instant),
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False),
    Column("lease", String(40)),
    Index("ix_order_results_due", "due_at", sqlite_where=text("due_at IS NOT NULL"), postgresql_where=text("due_at IS NOT NULL")),
)
"""Intents to tell a server how an order ended."""

vouchers = Table(
    "vouchers",
    metadata,
    Column("code", String(32), primary_key=True),
    Column("transaction_key", String(200), ForeignKey("transactions.key"), nullable=False),
    Column("break_kind", String(4), nullable=False),
    Column("agent_id", String(128), nullable=False),
    Column("source", String(64), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("rule", String(16), nullable=False),
    Column("rule_version", String(16), nullable=False),
    Column("state", String(12), nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("redeemed_at", Instant),
    Column("gateway_ref", String(128), nullable=False),
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False),
    Column("sent_at", Instant),
    Column("lease", String(40)),
    UniqueConstraint("transaction_key"),
    CheckConstraint("amount > 0", name="amount_positive"),
    Index("ix_vouchers_agent", "agent_id", "issued_at"),
    Index("ix_vouchers_issued_at", "issued_at"),
    Index("ix_vouchers_due", "due_at", sqlite_where=text("due_at IS NOT NULL"), postgresql_where=text("due_at IS NOT NULL")),
)

complaints = Table(
    "complaints",
    metadata,
    Column("complaint_id", String(40), primary_key=True),
    Column("transaction_key", String(200), ForeignKey("transactions.key"), nullable=False),
    Column("leg_key", String(220), ForeignKey("legs.key"), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("break_kind", String(4), nullable=False),
    Column("state", String(12), nullable=False),
    Column("text", Text, nullable=False),
    Column("links", JSON, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("sent_by", String(64), nullable=False),
    Column("answer", Text, nullable=False),
    Column("answered_at", Instant),
    Column("chase_due_at", Instant),
    UniqueConstraint("transaction_key", "provider"),
    Index("ix_complaints_chase", "chase_due_at", sqlite_where=text("chase_due_at IS NOT NULL"), postgresql_where=text("chase_due_at IS NOT NULL")),
)

messages = Table(
    "messages",
    metadata,
    Column("message_id", String(40), primary_key=True),
    Column("event", String(300), nullable=False, unique=True),
    Column("case_id", String(40), ForeignKey("cases.case_id")),
    Column("transaction_key", String(200)),
    Column("break_kind", String(4), nullable=False),
    Column("agent_id", String(128), nullable=False),
    Column("audience", String(12), nullable=False),
    Column("channel", String(32), nullable=False),
    Column("address", String(256), nullable=False),
    Column("template", String(8), nullable=False),
    Column("variant", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("short_text", Text, nullable=False),
    Column("variables", JSON, nullable=False),
    Column("answer_url", String(300), nullable=False),
    Column("state", String(12), nullable=False),
    Column("note", String(300), nullable=False),
    Column("reference", String(200), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False),
    Column("lease", String(40)),
    Index("ix_messages_due", "due_at", sqlite_where=text("due_at IS NOT NULL"), postgresql_where=text("due_at IS NOT NULL")),
    Index("ix_messages_agent", "agent_id", "created_at"),
    Index("ix_messages_case_id", "case_id"),
)
"""The outbox: one row an event, so that a message exists exactly once."""

answers = Table(
    "answers",
    metadata,
    Column("message_id", String(40), ForeignKey("messages.message_id"), primary_key=True),
    Column("answer", String(8), nullable=False),
    Column("at", Instant, nullable=False),
    Column("state", String(12), nullable=False),
    Index("ix_answers_new", "at", sqlite_where=text("state = 'new'"), postgresql_where=text("state = 'new'")),
)

promises = Table(
    "promises",
    metadata,
    Column("promise_id", String(40), primary_key=True),
    Column("case_id", String(40), ForeignKey("cases.case_id"), nullable=False, index=True),
    Column("message_id", String(40), ForeignKey("messages.message_id"), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("state", String(12), nullable=False),
    Column("settled_at", Instant),
    Index("ix_promises_due", "due_at", sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),
)

# --- Money books of rekon itself -----------------------------------------------------------------------------------

journal_entries = Table(
    "journal_entries",
    metadata,
    Column("entry_id", String(40), primary_key=True),
    Column("event", String(300), nullable=False, unique=True),
    Column("description", String(200), nullable=False),
    Column("reverses", String(40), ForeignKey("journal_entries.entry_id")),
    Column("occurred_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
)

postings = Table(
    "postings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("entry_id", String(40), ForeignKey("journal_entries.entry_id"), nullable=False, index=True),
    Column("account", String(100), nullable=False, index=True),
    Column("side", String(6), nullable=False),
    Column("amount", BigInteger, nullable=False),
    CheckConstraint("amount > 0", name="amount_positive"),
    CheckConstraint("side IN ('debit', 'credit')", name="side_known"),
)

book_lines = Table(
    "book_lines",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(300), nullable=False, unique=True),
    Column("agent_id", String(128), nullable=False, index=True),
    Column("transaction_id", String(128), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("reason", String(200), nullable=False),
    Column("at", Instant, nullable=False),
)
"""Credits of the `book` gateway: rekon keeps the wallet. Append-only; a server may pull them."""

# --- Operation -----------------------------------------------------------------------------------------------------

halts = Table(
    "halts",
    metadata,
    Column("scope", String(100), primary_key=True),
    Column("reason", String(300), nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("opened_by", String(64), nullable=False),
)
"""While a row stands, automatic money of its scope stands still."""

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", String(64), nullable=False),
    Column("what", String(64), nullable=False),
    Column("about", String(300), nullable=False),
    Column("detail", JSON, nullable=False),
)
"""Who moved what. Append-only."""

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
    Column("quarantined_because", String(200), nullable=False),
    Column("not_before", Instant),
)

facts_of_life = Table(
    "facts_of_life",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", String(200), nullable=False),
)
"""Epoch, high-water mark and the like: one value a name."""

APPEND_ONLY = (
    observations,
    reports,
    case_events,
    decisions,
    configurations,
    approvals,
    journal_entries,
    postings,
    book_lines,
    audit,
)
"""Tables in which nothing is ever changed or removed."""
