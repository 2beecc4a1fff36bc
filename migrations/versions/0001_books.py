"""The books: what came in, and when each leg and purchase is looked at."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _agents()
    _cursors()
    _inbox()
    _marks()
    _quarantine()
    _statement_lines()
    _transactions()
    _wallet_lines()
    _evaluations()
    _legs()
    _observations()
    _reports()
    _schedule()


def downgrade() -> None:
    for table in (
        "schedule",
        "reports",
        "observations",
        "legs",
        "evaluations",
        "wallet_lines",
        "transactions",
        "statement_lines",
        "quarantine",
        "marks",
        "inbox",
        "cursors",
        "agents",
    ):
        op.drop_table(table)


def _index_where(condition: str, name: str, table: str, columns: list[str]) -> None:
    where = sa.text(condition)
    op.create_index(op.f(name), table, columns, sqlite_where=where, postgresql_where=where)


def _agents() -> None:
    op.create_table(
        "agents",
        sa.Column("agent_id", sa.String(128), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("zone", sa.String(32), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("address", sa.String(256), nullable=False),
        sa.Column("registered_at", sa.BigInteger()),
        sa.Column("frozen_because", sa.String(200), nullable=False),
        sa.Column("last_inbound_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_agents")),
    )


def _cursors() -> None:
    op.create_table(
        "cursors",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("position", sa.JSON(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursors")),
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("content_type", sa.String(100), nullable=False),
        sa.Column("verdict", sa.String(12), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("ref_id", sa.String(128), nullable=False),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("provider", "fingerprint", name=op.f("uq_inbox_provider_fingerprint")),
    )
    _index_where("state = 'new'", "ix_inbox_new", "inbox", ["id"])
    _index_where("state = 'early'", "ix_inbox_early", "inbox", ["provider", "ref_id"])


def _marks() -> None:
    op.create_table(
        "marks",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("book", sa.String(16), nullable=False),
        sa.Column("read_to", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "book", name=op.f("pk_marks")),
    )


def _quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("book", sa.String(16), nullable=False),
        sa.Column("origin", sa.String(256), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(400), nullable=False),
        sa.Column("row", sa.JSON(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_quarantine_fingerprint")),
    )
    _index_where("state = 'waiting'", "ix_quarantine_waiting", "quarantine", ["id"])


def _statement_lines() -> None:
    op.create_table(
        "statement_lines",
        sa.Column("key", sa.String(260), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("line_id", sa.String(128), nullable=False),
        sa.Column("posted_at", sa.BigInteger(), nullable=False),
        sa.Column("ref_id", sa.String(128), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("balance_after", sa.BigInteger()),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_statement_lines")),
    )
    op.create_index(op.f("ix_statement_lines_ref"), "statement_lines", ["ref_id", "provider"])


def _transactions() -> None:
    op.create_table(
        "transactions",
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("transaction_id", sa.String(128), nullable=False),
        sa.Column("agent_id", sa.String(128), nullable=False),
        sa.Column("charged_account", sa.String(20), nullable=False),
        sa.Column("ordered_at", sa.BigInteger(), nullable=False),
        sa.Column("product", sa.String(128), nullable=False),
        sa.Column("family", sa.String(32), nullable=False),
        sa.Column("destination", sa.String(64), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("face_value", sa.BigInteger()),
        sa.Column("order_status", sa.String(12), nullable=False),
        sa.Column("status_at", sa.BigInteger(), nullable=False),
        sa.Column("serial_number", sa.String(512)),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("raw_order", sa.Text(), nullable=False),
        sa.Column("repeat_counter", sa.String(16), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_transactions")),
    )
    op.create_index(op.f("ix_transactions_agent"), "transactions", ["agent_id", "ordered_at"])
    op.create_index(op.f("ix_transactions_ordered_at"), "transactions", ["ordered_at"])


def _wallet_lines() -> None:
    op.create_table(
        "wallet_lines",
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("agent_id", sa.String(128), nullable=False),
        sa.Column("posted_at", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("transaction_key", sa.String(200)),
        sa.Column("balance_after", sa.BigInteger()),
        sa.Column("reference", sa.String(256), nullable=False),
        sa.Column("sequence", sa.BigInteger()),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_wallet_lines")),
    )
    op.create_index(op.f("ix_wallet_lines_agent"), "wallet_lines", ["agent_id", "posted_at"])
    _index_where("reference LIKE 'refund:%'", "ix_wallet_lines_reference", "wallet_lines", ["reference"])
    op.create_index(op.f("ix_wallet_lines_transaction_key"), "wallet_lines", ["transaction_key"])


def _evaluations() -> None:
    op.create_table(
        "evaluations",
        sa.Column("transaction_key", sa.String(200), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["transaction_key"], ["transactions.key"], name=op.f("fk_evaluations_transaction_key")),
        sa.PrimaryKeyConstraint("transaction_key", name=op.f("pk_evaluations")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_evaluations_due"), "evaluations", ["due_at", "transaction_key"])


def _legs() -> None:
    op.create_table(
        "legs",
        sa.Column("key", sa.String(220), nullable=False),
        sa.Column("transaction_key", sa.String(200), nullable=False),
        sa.Column("leg_no", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("provider_account", sa.String(64), nullable=False),
        sa.Column("ref_id", sa.String(128), nullable=False),
        sa.Column("provider_product", sa.String(128), nullable=False),
        sa.Column("destination_sent", sa.String(64), nullable=False),
        sa.Column("testing", sa.Boolean(), nullable=False),
        sa.Column("max_price", sa.BigInteger()),
        sa.Column("allow_dot", sa.Boolean(), nullable=False),
        sa.Column("cb_url", sa.String(512), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("send_state", sa.String(12), nullable=False),
        sa.Column("send_count", sa.Integer(), nullable=False),
        sa.Column("first_reply", sa.Text()),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("checks_done", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["transaction_key"], ["transactions.key"], name=op.f("fk_legs_transaction_key")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_legs")),
    )
    op.create_index(op.f("ix_legs_ref"), "legs", ["ref_id", "provider"])
    op.create_index(op.f("ix_legs_transaction_key"), "legs", ["transaction_key"])


def _observations() -> None:
    op.create_table(
        "observations",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("transaction_key", sa.String(200), nullable=False),
        sa.Column("order_status", sa.String(12), nullable=False),
        sa.Column("serial_number", sa.String(512)),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["transaction_key"], ["transactions.key"], name=op.f("fk_observations_transaction_key")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observations")),
    )
    op.create_index(op.f("ix_observations_transaction_key"), "observations", ["transaction_key"])


def _reports() -> None:
    op.create_table(
        "reports",
        sa.Column("report_id", sa.String(40), nullable=False),
        sa.Column("leg_key", sa.String(220), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("failure_class", sa.String(16)),
        sa.Column("raw_code", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("note", sa.String(400), nullable=False),
        sa.Column("serial_number", sa.String(512)),
        sa.Column("price", sa.String(64)),
        sa.Column("balance", sa.String(64)),
        sa.Column("contacts", sa.JSON(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("body_signed", sa.Boolean(), nullable=False),
        sa.Column("contradiction", sa.Boolean(), nullable=False),
        sa.Column("about_this_leg", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["leg_key"], ["legs.key"], name=op.f("fk_reports_leg_key")),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_reports")),
    )
    op.create_index(op.f("ix_reports_leg_key"), "reports", ["leg_key"])


def _schedule() -> None:
    op.create_table(
        "schedule",
        sa.Column("leg_key", sa.String(220), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("lease", sa.String(40)),
        sa.Column("asked_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["leg_key"], ["legs.key"], name=op.f("fk_schedule_leg_key")),
        sa.PrimaryKeyConstraint("leg_key", name=op.f("pk_schedule")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_schedule_due"), "schedule", ["due_at", "leg_key"])
