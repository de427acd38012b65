"""Alerts about officers: more phone numbers asked for than a day allows, and refusal after refusal."""

import re
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

KINDS = ("reveals", "refusals")


def upgrade() -> None:
    _kinds(lambda kinds: [*kinds, *KINDS])


def downgrade() -> None:
    # alerts already raised stay, so the rule about kinds then holds for later rows only
    _kinds(lambda kinds: [kind for kind in kinds if kind not in KINDS], " NOT VALID")


def _kinds(change: Callable[[list[str]], list[str]], validity: str = "") -> None:
    """Change the kinds of alerts there are, whichever they are by now."""
    rule = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_alerts_kind'")
    known = re.findall(r"'(\w+)'", op.get_bind().execute(rule).scalar_one())
    kinds = ", ".join(f"'{kind}'" for kind in change(known))
    op.execute("ALTER TABLE alerts DROP CONSTRAINT ck_alerts_kind")
    op.execute(f"ALTER TABLE alerts ADD CONSTRAINT ck_alerts_kind CHECK (kind IN ({kinds})){validity}")
