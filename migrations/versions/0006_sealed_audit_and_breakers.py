"""Seals on the audit, and what each provider said last, for the breakers."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit", sa.Column("link", sa.String(64)))
    op.create_table(
        "provider_words",
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("words", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_provider_words")),
    )


def downgrade() -> None:
    op.drop_table("provider_words")
    with op.batch_alter_table("audit") as table:
        table.drop_column("link")
