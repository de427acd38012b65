"""Browsers in which an officer has signed in: they wait for their own failures alone."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "officer_devices",
        sa.Column("officer_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("last_seen_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["officer_id"], ["officers.id"], name=op.f("fk_officer_devices_officer_id_officers")),
        sa.PrimaryKeyConstraint("officer_id", "token_hash", name=op.f("pk_officer_devices")),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON officer_devices TO zhiyuan_offices")


def downgrade() -> None:
    op.drop_table("officer_devices")
