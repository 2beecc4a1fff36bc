"""What rekon does: refunds, order results, vouchers, complaints, messages."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _order_results()
    _refunds()
    _vouchers()
    _complaints()
    _messages()
    _answers()
    _promises()


def downgrade() -> None:
    for table in (
        "promises",
        "answers",
        "messages",
        "complaints",
        "vouchers",
        "refunds",
        "order_results",
    ):
        op.drop_table(table)


def _index_where(condition: str, name: str, table: str, columns: list[str]) -> None:
    where = sa.text(condition)
    op.create_index(op.f(name), table, columns, sqlite_where=where, postgresql_where=where)


def _order_results() -> None:
    op.create_table(
        "order_results",
        sa.Column("key", sa.String(300), nullable=False),
        sa.Column("transaction_key", sa.String(200), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("transaction_id", sa.String(128), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("serial_number", sa.String(512), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger()),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.String(40)),
        sa.ForeignKeyConstraint(
            ["transaction_key"], ["transactions.key"], name=op.f("fk_order_results_transaction_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_order_results")),
        sa.UniqueConstraint("transaction_key", name=op.f("uq_order_results_transaction_key")),
    )
    _index_where("due_at IS NOT NULL", "ix_order_results_due", "order_results", ["due_at", "key"])


def _refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("refund_id", sa.String(40), nullable=False),
        sa.Column("key", sa.String(300), nullable=False),
        sa.Column("transaction_key", sa.String(200), nullable=False),
        sa.Column("break_kind", sa.String(4), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("agent_id", sa.String(128), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("never_formed", sa.Boolean(), nullable=False),
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("rule_version", sa.String(16), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("hold_reason", sa.String(200), nullable=False),
        sa.Column("note", sa.String(400), nullable=False),
        sa.Column("gateway_ref", sa.String(128), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("submitted_at", sa.BigInteger()),
        sa.Column("settled_at", sa.BigInteger()),
        sa.Column("sent_at", sa.BigInteger()),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.String(40)),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refunds_amount_positive")),
        sa.ForeignKeyConstraint(["transaction_key"], ["transactions.key"], name=op.f("fk_refunds_transaction_key")),
        sa.PrimaryKeyConstraint("refund_id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("key", name=op.f("uq_refunds_key")),
        sa.UniqueConstraint(
            "transaction_key", "break_kind", "sequence", name=op.f("uq_refunds_transaction_key_break_kind_sequence")
        ),
    )
    op.create_index(op.f("ix_refunds_agent"), "refunds", ["agent_id", "submitted_at"])
    _index_where("due_at IS NOT NULL", "ix_refunds_due", "refunds", ["due_at", "refund_id"])
    op.create_index(op.f("ix_refunds_requested_at"), "refunds", ["requested_at"])
    op.create_index(op.f("ix_refunds_submitted_at"), "refunds", ["submitted_at"])
    _index_where("state IN ('awaiting_approval', 'unknown')", "ix_refunds_waiting", "refunds", ["requested_at"])


def _vouchers() -> None:
    op.create_table(
        "vouchers",
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("transaction_key", sa.String(200), nullable=False),
        sa.Column("break_kind", sa.String(4), nullable=False),
        sa.Column("agent_id", sa.String(128), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("rule_version", sa.String(16), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("redeemed_at", sa.BigInteger()),
        sa.Column("gateway_ref", sa.String(128), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.BigInteger()),
        sa.Column("lease", sa.String(40)),
        sa.CheckConstraint("amount > 0", name=op.f("ck_vouchers_amount_positive")),
        sa.ForeignKeyConstraint(["transaction_key"], ["transactions.key"], name=op.f("fk_vouchers_transaction_key")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_vouchers")),
        sa.UniqueConstraint("transaction_key", name=op.f("uq_vouchers_transaction_key")),
    )
    op.create_index(op.f("ix_vouchers_agent"), "vouchers", ["agent_id", "issued_at"])
    _index_where("due_at IS NOT NULL", "ix_vouchers_due", "vouchers", ["due_at", "code"])
    op.create_index(op.f("ix_vouchers_issued_at"), "vouchers", ["issued_at"])


def _complaints() -> None:
    op.create_table(
        "complaints",
        sa.Column("complaint_id", sa.String(40), nullable=False),
        sa.Column("transaction_key", sa.String(200), nullable=False),
        sa.Column("leg_key", sa.String(220), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("break_kind", sa.String(4), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("links", sa.JSON(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger()),
        sa.Column("sent_by", sa.String(64), nullable=False),
        sa.Column("answer", sa.String(4000), nullable=False),
        sa.Column("answered_at", sa.BigInteger()),
        sa.Column("chase_due_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["leg_key"], ["legs.key"], name=op.f("fk_complaints_leg_key")),
        sa.ForeignKeyConstraint(["transaction_key"], ["transactions.key"], name=op.f("fk_complaints_transaction_key")),
        sa.PrimaryKeyConstraint("complaint_id", name=op.f("pk_complaints")),
        sa.UniqueConstraint("transaction_key", "provider", name=op.f("uq_complaints_transaction_key_provider")),
    )
    _index_where("chase_due_at IS NOT NULL", "ix_complaints_chase", "complaints", ["chase_due_at"])
    op.create_index(op.f("ix_complaints_opened_at"), "complaints", ["opened_at"])


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("message_id", sa.String(40), nullable=False),
        sa.Column("event", sa.String(300), nullable=False),
        sa.Column("case_id", sa.String(40)),
        sa.Column("transaction_key", sa.String(200)),
        sa.Column("break_kind", sa.String(4), nullable=False),
        sa.Column("agent_id", sa.String(128), nullable=False),
        sa.Column("audience", sa.String(12), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("address", sa.String(256), nullable=False),
        sa.Column("template", sa.String(8), nullable=False),
        sa.Column("variant", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("short_text", sa.Text(), nullable=False),
        sa.Column("variables", sa.JSON(), nullable=False),
        sa.Column("answer_url", sa.String(300), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("note", sa.String(300), nullable=False),
        sa.Column("reference", sa.String(200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger()),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.String(40)),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name=op.f("fk_messages_case_id")),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_messages")),
        sa.UniqueConstraint("event", name=op.f("uq_messages_event")),
    )
    op.create_index(op.f("ix_messages_address"), "messages", ["address"])
    op.create_index(op.f("ix_messages_agent"), "messages", ["agent_id", "created_at"])
    op.create_index(op.f("ix_messages_case_id"), "messages", ["case_id"])
    _index_where("due_at IS NOT NULL", "ix_messages_due", "messages", ["due_at", "created_at", "message_id"])
    op.create_index(op.f("ix_messages_transaction_key"), "messages", ["transaction_key"])


def _answers() -> None:
    op.create_table(
        "answers",
        sa.Column("message_id", sa.String(40), nullable=False),
        sa.Column("answer", sa.String(8), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.message_id"], name=op.f("fk_answers_message_id")),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_answers")),
    )
    _index_where("state = 'new'", "ix_answers_new", "answers", ["at", "message_id"])


def _promises() -> None:
    op.create_table(
        "promises",
        sa.Column("promise_id", sa.String(40), nullable=False),
        sa.Column("case_id", sa.String(40), nullable=False),
        sa.Column("message_id", sa.String(40), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("settled_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name=op.f("fk_promises_case_id")),
        sa.ForeignKeyConstraint(["message_id"], ["messages.message_id"], name=op.f("fk_promises_message_id")),
        sa.PrimaryKeyConstraint("promise_id", name=op.f("pk_promises")),
    )
    op.create_index(op.f("ix_promises_case_id"), "promises", ["case_id"])
    _index_where("state = 'open'", "ix_promises_due", "promises", ["due_at", "promise_id"])
