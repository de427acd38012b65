"""${message}

Rules: numbered without gaps; both ways; statements that take a long lock in a migration of their own; no
import of the application (it changes, this does not); HEAD holds the newest number.
"""

from alembic import op
import sqlalchemy as sa

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
