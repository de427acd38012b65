"""Lots made offline: what a lot is known by, and cards that are never to be handed to anybody.

`root` commits to the verifiers as they were made and `manifest` to the whole production; lots made on a machine
for development have no manifest. Going back, a honey card becomes a void one, which nobody gets either.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_STATES = "'stock', 'handed', 'bound', 'replaced', 'void'"


def upgrade() -> None:
    op.add_column("lots", sa.Column("key_version", sa.SmallInteger(), nullable=True))
    op.add_column("lots", sa.Column("layout", sa.Text(), nullable=True))
    op.add_column("lots", sa.Column("root", sa.LargeBinary(), nullable=True))
    op.add_column("lots", sa.Column("manifest", sa.LargeBinary(), nullable=True))
    op.create_check_constraint(
        op.f("ck_lots_digests"), "lots", "coalesce(length(root), 32) = 32 AND coalesce(length(manifest), 32) = 32"
    )
    _states(f"{_STATES}, 'honey'")
    op.create_check_constraint(op.f("ck_cards_honey"), "cards", "state <> 'honey' OR holder_id IS NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE cards DROP CONSTRAINT ck_cards_honey")
    op.execute("UPDATE cards SET state = 'void' WHERE state = 'honey'")
    _states(_STATES)
    op.execute("ALTER TABLE lots DROP CONSTRAINT ck_lots_digests")
    for column in ("manifest", "root", "layout", "key_version"):
        op.drop_column("lots", column)


def _states(states: str) -> None:
    op.execute("ALTER TABLE cards DROP CONSTRAINT ck_cards_state")
    op.execute(f"ALTER TABLE cards ADD CONSTRAINT ck_cards_state CHECK (state IN ({states}))")
