"""Scope: beneath the gate of the offices' portal, the database itself shows an office its own rows only (O-11).

The portal names the officer's office in the setting `zhiyuan.scope` (a path of `offices`). Without it the
role sees no candidate and no tally at all. The candidates' portal and the owner see what they saw before.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# a question of its own, so that it is answered once and not for every row
_SCOPE = "(SELECT nullif(current_setting('zhiyuan.scope', true), ''))"
#: paths are made of digits and slashes, all of which sort before "~"
_POINTS = f"""
    SELECT o.id FROM offices o WHERE o.path ~>=~ {_SCOPE} AND o.path ~<~ ({_SCOPE} || '~')
"""  # noqa: S608 -- constants
RULES = {
    "candidates": f"point_id IN ({_POINTS})",
    "tallies": f"point_id IN ({_POINTS})",
    # the rule of `candidates` holds inside this one, too
    "reset_tickets": "EXISTS (SELECT 1 FROM candidates c WHERE c.id = reset_tickets.candidate_id)",
}


def upgrade() -> None:
    for table, rule in RULES.items():
        op.execute(f"CREATE POLICY whole_province ON {table} TO zhiyuan_candidates USING (true)")
        op.execute(f"CREATE POLICY within_scope ON {table} TO zhiyuan_offices USING ({rule})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    for table in reversed(RULES):
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        op.execute(f"DROP POLICY within_scope ON {table}")
        op.execute(f"DROP POLICY whole_province ON {table}")
