"""Tables of the books: what came in from servers, agents and providers, and when each leg is looked at next."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from rekon.store.tables_base import index_where, metadata
from rekon.store.types import Exact, Instant, Quoted, Serial

IS_NEW = "state = 'new'"
IS_EARLY = "state = 'early'"
"""A callback whose order rekon has not seen yet; it is read again when the order comes in."""
IS_WAITING = "state = 'waiting'"
IS_OURS = "reference LIKE 'refund:%'"
"""Wallet lines that carry a key of ours, a handful among all."""

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
    Index("ix_transactions_agent", "agent_id", "ordered_at"),
    Index("ix_transactions_ordered_at", "ordered_at"),
)
"""Purchases. An agent's orders of a few seconds or days are found by one index: twins, and his usual volume."""

observations = Table(
    "observations",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("transaction_key", String(200), ForeignKey("transactions.key"), nullable=False, index=True),
    Column("order_status", String(12), nullable=False),
    Column("serial_number", String(512)),
    Column("recorded_at", Instant, nullable=False),
)
"""Every order status the server showed us, appended."""

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
    Index("ix_legs_ref", "ref_id", "provider"),
)

reports = Table(
    "reports",
    metadata,
    Column("report_id", String(40), primary_key=True),
    Column("leg_key", String(220), ForeignKey("legs.key"), nullable=False, index=True),
    Column("source", String(16), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("failure_class", String(16)),
    Column("raw_code", Quoted(64), nullable=False),
    Column("reason", Quoted(64), nullable=False),
    Column("note", Quoted(400), nullable=False),
    Column("serial_number", Quoted(512)),
    Column("price", Exact),
    Column("balance", Exact),
    Column("contacts", JSON, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("body_signed", Boolean, nullable=False),
    Column("contradiction", Boolean, nullable=False),
    Column("about_this_leg", Boolean, nullable=False),
)
"""Every word of every provider. Append-only."""

schedule = Table(
    "schedule",
    metadata,
    Column("leg_key", String(220), ForeignKey("legs.key"), primary_key=True),
    Column("provider", String(64), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("lease", String(40)),
    Column("asked_at", Instant),
    Index("ix_schedule_due", "due_at", "leg_key"),
    sqlite_with_rowid=False,
)
"""When each open leg is asked about next. Every open leg has a row; a leg watched for late success keeps its own."""

evaluations = Table(
    "evaluations",
    metadata,
    Column("transaction_key", String(200), ForeignKey("transactions.key"), primary_key=True),
    Column("due_at", Instant, nullable=False),
    Index("ix_evaluations_due", "due_at", "transaction_key"),
    sqlite_with_rowid=False,
)
"""Which purchases have to be looked at, and when."""

wallet_lines = Table(
    "wallet_lines",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("source", String(64), nullable=False),
    Column("agent_id", String(128), nullable=False),
    Column("posted_at", Instant, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("transaction_key", String(200), index=True),
    Column("balance_after", BigInteger),
    Column("reference", String(256), nullable=False),
    Column("sequence", BigInteger),
    Column("recorded_at", Instant, nullable=False),
    Index("ix_wallet_lines_agent", "agent_id", "posted_at"),
    index_where(IS_OURS, "ix_wallet_lines_reference", "reference"),
)
"""Mutations of agents' balances. A line may come before its order, so its purchase is no foreign key."""

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
    Index("ix_statement_lines_ref", "ref_id", "provider"),
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
    Column("frozen_because", Quoted(200), nullable=False, default=""),
    Column("last_inbound_at", Instant),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("source", String(64), nullable=False),
    Column("book", String(16), nullable=False),
    Column("origin", Quoted(256), nullable=False),
    Column("line", Integer, nullable=False),
    Column("field", Quoted(64), nullable=False),
    Column("reason", Quoted(400), nullable=False),
    Column("row", JSON, nullable=False),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("state", String(12), nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("account", Quoted(64)),
    index_where(IS_WAITING, "ix_quarantine_waiting", "id"),
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
    Column("id", Serial, primary_key=True),
    Column("provider", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("content_type", Quoted(100), nullable=False),
    Column("verdict", String(12), nullable=False),
    Column("state", String(12), nullable=False),
    Column("ref_id", Quoted(128), nullable=False),
    Column("copies", Integer, nullable=False),
    Column("received_at", Instant, nullable=False),
    UniqueConstraint("provider", "fingerprint"),
    index_where(IS_NEW, "ix_inbox_new", "id"),
    index_where(IS_EARLY, "ix_inbox_early", "provider", "ref_id"),
    index_where(IS_EARLY, "ix_inbox_early_age", "received_at"),
)

relays = Table(
    "relays",
    metadata,
    Column("inbox_id", Serial, ForeignKey("inbox.id"), primary_key=True, autoincrement=False),
    Column("provider", String(64), nullable=False),
    Column("method", String(8), nullable=False),
    Column("query", LargeBinary, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("state", String(12), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("note", Quoted(200), nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("ended_at", Instant),
    index_where(IS_WAITING, "ix_relays_waiting", "provider", "inbox_id"),
)
"""Callbacks that the server has to get too, with everything but the body, which stands in the inbox."""

relay_queue = Table(
    "relay_queue",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False),
    Column("lease", String(40)),
)
"""When each provider's callbacks are passed on next: one row a provider, so that they leave in their order."""
