"""Cases, breaks and decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _configurations()
    _cases()
    _decisions()
    _breaks()
    _case_events()


def downgrade() -> None:
    for table in (
        "case_events",
        "breaks",
        "decisions",
        "cases",
        "configurations",
    ):
        op.drop_table(table)


def _index_where(condition: str, name: str, table: str, columns: list[str]) -> None:
    where = sa.text(condition)
    op.create_index(op.f(name), table, columns, sqlite_where=where, postgresql_where=where)


def _configurations() -> None:
    op.create_table(
        "configurations",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_configurations")),
    )


def _cases() -> None:
    op.create_table(
        "cases",
        sa.Column("case_id", sa.String(40), nullable=False),
        sa.Column("number", sa.String(16), nullable=False),
        sa.Column("transaction_key", sa.String(200), nullable=False),
        sa.Column("agent_id", sa.String(128), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("felt", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger()),
        sa.Column("aftercare_due_at", sa.BigInteger()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["transaction_key"], ["transactions.key"], name=op.f("fk_cases_transaction_key")),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_cases")),
        sa.UniqueConstraint("transaction_key", name=op.f("uq_cases_transaction_key")),
    )
    _index_where(
        "state = 'resolved' AND aftercare_due_at IS NOT NULL", "ix_cases_aftercare", "cases", ["aftercare_due_at"]
    )
    op.create_index(op.f("ix_cases_agent_id"), "cases", ["agent_id"])
    op.create_index(op.f("ix_cases_number"), "cases", ["number"])
    _index_where(
        "state = 'resolved' AND felt AND aftercare_due_at IS NULL", "ix_cases_unplanned", "cases", ["resolved_at"]
    )


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("transaction_key", sa.String(200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("break_kind", sa.String(4), nullable=False),
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("rule_version", sa.String(16), nullable=False),
        sa.Column("config_hash", sa.String(64), nullable=False),
        sa.Column("amount", sa.BigInteger()),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["transaction_key"], ["transactions.key"], name=op.f("fk_decisions_transaction_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index(op.f("ix_decisions_transaction_key"), "decisions", ["transaction_key"])


def _breaks() -> None:
    op.create_table(
        "breaks",
        sa.Column("break_id", sa.String(40), nullable=False),
        sa.Column("transaction_key", sa.String(200), nullable=False),
        sa.Column("case_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(4), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("amount", sa.BigInteger()),
        sa.Column("note", sa.String(400), nullable=False),
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("staff_asked", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name=op.f("fk_breaks_case_id")),
        sa.ForeignKeyConstraint(["transaction_key"], ["transactions.key"], name=op.f("fk_breaks_transaction_key")),
        sa.PrimaryKeyConstraint("break_id", name=op.f("pk_breaks")),
        sa.UniqueConstraint("transaction_key", "kind", name=op.f("uq_breaks_transaction_key_kind")),
    )
    op.create_index(op.f("ix_breaks_case_id"), "breaks", ["case_id"])
    _index_where("resolved_at IS NULL", "ix_breaks_open", "breaks", ["opened_at"])


def _case_events() -> None:
    op.create_table(
        "case_events",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("case_id", sa.String(40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("text", sa.String(600), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name=op.f("fk_case_events_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_events")),
    )
    op.create_index(op.f("ix_case_events_case_id"), "case_events", ["case_id"])
