"""Creations: an act of the schedule that makes a batch, and so is about none until it is done."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

KINDS = "'batch.opening', 'batch.end', 'batch.suspend', 'batch.resume'"


def upgrade() -> None:
    op.alter_column("batch_acts", "batch_id", existing_type=sa.BigInteger(), nullable=True)
    op.drop_constraint(op.f("ck_batch_acts_kind"), "batch_acts")
    op.create_check_constraint(op.f("ck_batch_acts_kind"), "batch_acts", f"kind IN ({KINDS}, 'batch.create')")
    op.create_check_constraint(
        op.f("ck_batch_acts_upon"),
        "batch_acts",
        "(batch_id IS NOT NULL) = (kind <> 'batch.create' OR coalesce(outcome, '') = 'done')",
    )


def downgrade() -> None:
    op.execute("DELETE FROM batch_acts WHERE kind = 'batch.create'")
    op.drop_constraint(op.f("ck_batch_acts_upon"), "batch_acts")
    op.drop_constraint(op.f("ck_batch_acts_kind"), "batch_acts")
    op.create_check_constraint(op.f("ck_batch_acts_kind"), "batch_acts", f"kind IN ({KINDS})")
    op.alter_column("batch_acts", "batch_id", existing_type=sa.BigInteger(), nullable=False)
