"""Intents against restored backups, callbacks that are passed on, and approvals that can be renewed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ONCE = "uq_approvals_refund_id_staff_id_digest"
ONCE_AN_INSTANT = "uq_approvals_refund_id_staff_id_digest_at"


def upgrade() -> None:
    _intents()
    _relays()
    _relay_queue()
    op.add_column("quarantine", sa.Column("account", sa.String(64)))
    op.create_index("ix_inbox_early_age", "inbox", ["received_at"], **_where("state = 'early'"))
    with op.batch_alter_table("approvals") as table:
        table.drop_constraint(ONCE, type_="unique")
        table.create_unique_constraint(ONCE_AN_INSTANT, ["refund_id", "staff_id", "digest", "at"])


def downgrade() -> None:
    with op.batch_alter_table("approvals") as table:
        table.drop_constraint(ONCE_AN_INSTANT, type_="unique")
        table.create_unique_constraint(ONCE, ["refund_id", "staff_id", "digest"])
    op.drop_index("ix_inbox_early_age", "inbox")
    with op.batch_alter_table("quarantine") as table:
        table.drop_column("account")
    for name in ("relay_queue", "relays", "intents"):
        op.drop_table(name)


def _where(condition: str) -> dict[str, sa.TextClause]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _intents() -> None:
    op.create_table(
        "intents",
        sa.Column("number", SERIAL, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_intents")),
    )


def _relays() -> None:
    op.create_table(
        "relays",
        sa.Column("inbox_id", SERIAL, nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("method", sa.String(8), nullable=False),
        sa.Column("query", sa.LargeBinary(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["inbox_id"], ["inbox.id"], name=op.f("fk_relays_inbox_id")),
        sa.PrimaryKeyConstraint("inbox_id", name=op.f("pk_relays")),
    )
    op.create_index("ix_relays_waiting", "relays", ["provider", "inbox_id"], **_where("state = 'waiting'"))


def _relay_queue() -> None:
    op.create_table(
        "relay_queue",
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.String(40)),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_relay_queue")),
    )
