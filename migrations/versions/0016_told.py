"""An alert for an approved act that is due and not done."""

import re
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _kinds("alerts", lambda kinds: [*kinds, "act_late"])


def downgrade() -> None:
    # alerts already raised stay, so the rule about kinds then holds for later rows only
    _kinds("alerts", lambda kinds: [kind for kind in kinds if kind != "act_late"], " NOT VALID")


def _kinds(table: str, change: Callable[[list[str]], list[str]], validity: str = "") -> None:
    """Change the kinds a table knows, whichever they are by now."""
    rule = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    known = re.findall(r"'(\w+)'", op.get_bind().execute(rule, {"name": f"ck_{table}_kind"}).scalar_one())
    kinds = ", ".join(f"'{kind}'" for kind in change(known))
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_kind")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_kind CHECK (kind IN ({kinds})){validity}")
