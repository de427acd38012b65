"""A phone number of the candidate's own, and the way out of two codes at the counter.

`accounts.mobile_sealed` takes the place of what the registration knows; `notices.mobile_sealed` sends one
message elsewhere, to the number there was before. Going back forgets the numbers candidates have given: they
are sealed for these columns and open nowhere else. Messages of the new kind stay, so the old rule about kinds
then holds for later rows only.

An office may end the candidate's standing wish for two codes and change nothing else of an account; row-level
security keeps that to accounts of its own candidates, as 0003 does for what it sees.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_KINDS = (
    "'activated', 'new_device', 'filed', 'waived', 'wrong_codes', 'password_changed', 'password_reset',"
    " 'reset_approved', 'card_handed', 'card_bound', 'card_lost', 'phone_changed'"
)
# the rule of `candidates` holds inside this one
_OWN = "EXISTS (SELECT 1 FROM candidates c WHERE c.id = accounts.candidate_id)"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("mobile_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("notices", sa.Column("mobile_sealed", sa.LargeBinary(), nullable=True))
    _kinds(f"{_KINDS}, 'two_codes_ended'")
    op.execute("GRANT UPDATE (two_codes_reason) ON accounts TO zhiyuan_offices")
    op.execute("CREATE POLICY whole_province ON accounts TO zhiyuan_candidates USING (true)")
    op.execute("CREATE POLICY seen ON accounts FOR SELECT TO zhiyuan_offices USING (true)")
    op.execute(f"CREATE POLICY within_scope ON accounts FOR UPDATE TO zhiyuan_offices USING ({_OWN})")
    op.execute("ALTER TABLE accounts ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.execute("ALTER TABLE accounts DISABLE ROW LEVEL SECURITY")
    for policy in ("within_scope", "seen", "whole_province"):
        op.execute(f"DROP POLICY {policy} ON accounts")
    op.execute("REVOKE UPDATE (two_codes_reason) ON accounts FROM zhiyuan_offices")
    _kinds(_KINDS, "NOT VALID")
    op.drop_column("notices", "mobile_sealed")
    op.drop_column("accounts", "mobile_sealed")


def _kinds(kinds: str, validity: str = "") -> None:
    op.execute("ALTER TABLE notices DROP CONSTRAINT ck_notices_kind")
    op.execute(f"ALTER TABLE notices ADD CONSTRAINT ck_notices_kind CHECK (kind IN ({kinds})) {validity}")
