"""Of the candidates told of an act upon a batch, how many have no phone number that a message could go to."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batch_acts", sa.Column("without_phone", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("batch_acts", "without_phone")
