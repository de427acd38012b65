"""Acts upon a window are told: an alert for one that is due and not done, messages to candidates for one that is.

Of acts done before this migration nobody is told any more.
"""

import re
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

NOTICES = ("opening_moved", "end_moved", "paused", "resumed", "batch_made")


def upgrade() -> None:
    _kinds("alerts", lambda kinds: [*kinds, "act_late"])
    _kinds("notices", lambda kinds: [*kinds, *NOTICES])
    op.add_column("batch_acts", sa.Column("told_to", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("batch_acts", sa.Column("told", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("batch_acts", sa.Column("told_at", postgresql.TIMESTAMP(timezone=True), nullable=True))
    op.execute("UPDATE batch_acts SET told_at = clock_timestamp() WHERE outcome = 'done'")


def downgrade() -> None:
    for column in ("told_at", "told", "told_to"):
        op.drop_column("batch_acts", column)
    # alerts and messages already written stay, so the rules about kinds then hold for later rows only
    _kinds("notices", lambda kinds: [kind for kind in kinds if kind not in NOTICES], " NOT VALID")
    _kinds("alerts", lambda kinds: [kind for kind in kinds if kind != "act_late"], " NOT VALID")


def _kinds(table: str, change: Callable[[list[str]], list[str]], validity: str = "") -> None:
    """Change the kinds a table knows, whichever they are by now."""
    rule = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    known = re.findall(r"'(\w+)'", op.get_bind().execute(rule, {"name": f"ck_{table}_kind"}).scalar_one())
    kinds = ", ".join(f"'{kind}'" for kind in change(known))
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_kind")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_kind CHECK (kind IN ({kinds})){validity}")
