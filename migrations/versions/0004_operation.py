"""Staff, rekon's own money books, halts, audit, and what is known of providers."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _audit()
    _book_lines()
    _facts_of_life()
    _halts()
    _journal_entries()
    _provider_health()
    _staff()
    _postings()
    _approvals()


def downgrade() -> None:
    for table in (
        "approvals",
        "postings",
        "staff",
        "provider_health",
        "journal_entries",
        "halts",
        "facts_of_life",
        "book_lines",
        "audit",
    ):
        op.drop_table(table)


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("what", sa.String(64), nullable=False),
        sa.Column("about", sa.String(300), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_about"), "audit", ["about"])


def _book_lines() -> None:
    op.create_table(
        "book_lines",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("key", sa.String(300), nullable=False),
        sa.Column("agent_id", sa.String(128), nullable=False),
        sa.Column("transaction_id", sa.String(128), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_book_lines_amount_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_book_lines")),
        sa.UniqueConstraint("key", name=op.f("uq_book_lines_key")),
    )
    op.create_index(op.f("ix_book_lines_agent_id"), "book_lines", ["agent_id"])
    op.create_index(op.f("ix_book_lines_transaction_id"), "book_lines", ["transaction_id"])


def _facts_of_life() -> None:
    op.create_table(
        "facts_of_life",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_facts_of_life")),
    )


def _halts() -> None:
    op.create_table(
        "halts",
        sa.Column("scope", sa.String(100), nullable=False),
        sa.Column("reason", sa.String(300), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("opened_by", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_halts")),
    )


def _journal_entries() -> None:
    op.create_table(
        "journal_entries",
        sa.Column("entry_id", sa.String(40), nullable=False),
        sa.Column("event", sa.String(320), nullable=False),
        sa.Column("description", sa.String(200), nullable=False),
        sa.Column("reverses", sa.String(40)),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["reverses"], ["journal_entries.entry_id"], name=op.f("fk_journal_entries_reverses")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_journal_entries")),
        sa.UniqueConstraint("event", name=op.f("uq_journal_entries_event")),
    )


def _provider_health() -> None:
    op.create_table(
        "provider_health",
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("skew_seconds", sa.String(64)),
        sa.Column("skew_read_at", sa.BigInteger()),
        sa.Column("balance", sa.String(64)),
        sa.Column("balance_at", sa.BigInteger()),
        sa.Column("check_errors", sa.Integer(), nullable=False),
        sa.Column("unreadable", sa.Integer(), nullable=False),
        sa.Column("quarantined_because", sa.String(200), nullable=False),
        sa.Column("not_before", sa.BigInteger()),
        sa.PrimaryKeyConstraint("provider", "account", name=op.f("pk_provider_health")),
    )


def _staff() -> None:
    op.create_table(
        "staff",
        sa.Column("staff_id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_staff")),
        sa.UniqueConstraint("name", name=op.f("uq_staff_name")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_staff_token_hash")),
    )


def _postings() -> None:
    op.create_table(
        "postings",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("entry_id", sa.String(40), nullable=False),
        sa.Column("account", sa.String(100), nullable=False),
        sa.Column("side", sa.String(6), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_postings_amount_positive")),
        sa.CheckConstraint("side IN ('debit', 'credit')", name=op.f("ck_postings_side_known")),
        sa.ForeignKeyConstraint(["entry_id"], ["journal_entries.entry_id"], name=op.f("fk_postings_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_postings")),
    )
    op.create_index(op.f("ix_postings_account"), "postings", ["account"])
    op.create_index(op.f("ix_postings_entry_id"), "postings", ["entry_id"])


def _approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("refund_id", sa.String(40), nullable=False),
        sa.Column("staff_id", sa.String(40), nullable=False),
        sa.Column("decision", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(400), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.refund_id"], name=op.f("fk_approvals_refund_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.staff_id"], name=op.f("fk_approvals_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        sa.UniqueConstraint("refund_id", "staff_id", "digest", name=op.f("uq_approvals_refund_id_staff_id_digest")),
    )
    op.create_index(op.f("ix_approvals_staff"), "approvals", ["staff_id", "at"])
