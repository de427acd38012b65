"""Officers: waits after failures, the age of a password, the time of the last proof of identity.

The offices' portal counts its own failures: it has no right to the candidates' waits, and cannot clear one.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = postgresql.TIMESTAMP(timezone=True)
    op.create_table(
        "officer_waits",
        sa.Column("bucket", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("failed_at", moment, nullable=False),
        sa.Column("until", moment, nullable=False),
        sa.PrimaryKeyConstraint("bucket", name=op.f("pk_officer_waits")),
    )
    op.add_column("officers", sa.Column("password_changed_at", moment, nullable=True))
    op.add_column(
        "officer_sessions",
        sa.Column("proved_at", moment, server_default=sa.text("clock_timestamp()"), nullable=False),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON officer_waits TO zhiyuan_offices")
    op.execute("GRANT UPDATE (password_changed_at) ON officers TO zhiyuan_offices")


def downgrade() -> None:
    op.drop_column("officer_sessions", "proved_at")
    op.drop_column("officers", "password_changed_at")
    op.drop_table("officer_waits")
