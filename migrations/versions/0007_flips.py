"""How long after a failure each provider still delivered, and the holds that follow from it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "flips",
        sa.Column("leg_key", sa.String(220), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("raw_code", sa.String(64), nullable=False),
        sa.Column("failure_class", sa.String(16), nullable=False),
        sa.Column("failed_at", sa.BigInteger(), nullable=False),
        sa.Column("late_seconds", sa.Integer()),
        sa.ForeignKeyConstraint(["leg_key"], ["legs.key"], name=op.f("fk_flips_leg_key")),
        sa.PrimaryKeyConstraint("leg_key", name=op.f("pk_flips")),
    )
    op.create_index("ix_flips_late", "flips", ["provider", "raw_code", "late_seconds"])
    op.create_table(
        "soft_holds",
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("raw_code", sa.String(64), nullable=False),
        sa.Column("hold_seconds", sa.Integer(), nullable=False),
        sa.Column("measured_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "raw_code", name=op.f("pk_soft_holds")),
    )


def downgrade() -> None:
    op.drop_table("soft_holds")
    op.drop_table("flips")
