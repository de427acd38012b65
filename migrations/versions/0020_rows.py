"""Rows of candidates: beneath the gate an office sees who has filed, drafted, bound or signed in below it only.

So far that held of `candidates` and `tallies`; what hangs on a candidate was shown of the whole province to whoever got
past the gate. What a candidate filed stays visible to an office they moved away from, for it counted them; a filing
from the future is visible to all, for it says that the clock is wrong. The sealer and the candidates' portal read all.
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# the rules of the tables named inside hold there, too
_HERE = "EXISTS (SELECT FROM candidates c WHERE c.id = {table}.candidate_id)"
_WAS_HERE = "EXISTS (SELECT FROM point_moves m WHERE m.candidate_id = filings.candidate_id)"
_AHEAD = "filed_at > statement_timestamp()"
#: tables that had no policy: who else goes on reading and writing all of it
NEW = {
    "filings": ("zhiyuan_candidates, zhiyuan_sealer", f"{_AHEAD} OR {_HERE.format(table='filings')} OR {_WAS_HERE}"),
    "drafts": ("zhiyuan_candidates", _HERE.format(table="drafts")),
    "card_uses": ("zhiyuan_candidates", _HERE.format(table="card_uses")),
}
#: tables whose rows were all `seen`
SEEN = ("accounts", "bindings")


def upgrade() -> None:
    op.create_index("ix_point_moves_candidate_id", "point_moves", ["candidate_id"])
    for table, (others, rule) in NEW.items():
        op.execute(f"CREATE POLICY whole_province ON {table} TO {others} USING (true)")
        op.execute(f"CREATE POLICY within_scope ON {table} FOR SELECT TO zhiyuan_offices USING ({rule})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    for table in SEEN:
        op.execute(f"ALTER POLICY seen ON {table} USING ({_HERE.format(table=table)})")


def downgrade() -> None:
    for table in SEEN:
        op.execute(f"ALTER POLICY seen ON {table} USING (true)")
    for table in NEW:
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        op.execute(f"DROP POLICY within_scope ON {table}")
        op.execute(f"DROP POLICY whole_province ON {table}")
    op.drop_index("ix_point_moves_candidate_id", "point_moves")
