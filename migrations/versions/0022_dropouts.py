"""Dropouts: an index of who gave a batch up after filing in it. Neither a list nor a first waiver pays for it."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_filings_batch_id_filed_at",
        "filings",
        ["batch_id", "filed_at"],
        postgresql_where=sa.text("kind = 'waiver' AND number > 1"),
    )


def downgrade() -> None:
    op.drop_index("ix_filings_batch_id_filed_at", table_name="filings")
