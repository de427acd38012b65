"""Auditing: the offices' role reads of the audit what concerns its own office, and indexes for the auditor's search.

An entry concerns an office when the officer or the candidate it names belongs there or below. What names neither,
or a stranger, is the province's to read. The sealer reads everything, for every entry gets its place in the log;
everybody who could append still can, and the owner's views and commands see what they saw before.

None of the indexes takes in what candidates do every minute (sign-ins, filings), so a save pays nothing for them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# as in 0003: a question of its own, so that it is answered once and not for every row
_SCOPE = "(SELECT nullif(current_setting('zhiyuan.scope', true), ''))"
_OFFICES = f"SELECT o.id FROM offices o WHERE o.path ~>=~ {_SCOPE} AND o.path ~<~ ({_SCOPE} || '~')"  # noqa: S608
# The province first, answered once and true for every row; the rule of `candidates` holds inside the last one. OFFSET 0
# keeps the database from gathering every candidate of the office before it looks at the few entries of a page.
_WITHIN = f"""
    (SELECT EXISTS (SELECT 1 FROM offices o WHERE o.path = {_SCOPE} AND o.level = 'province'))
    OR EXISTS (SELECT 1 FROM officers w WHERE w.id = audit.officer_id AND w.office_id IN ({_OFFICES}) OFFSET 0)
    OR EXISTS (SELECT 1 FROM candidates c WHERE c.id = audit.candidate_id OFFSET 0)
"""  # noqa: S608 -- constants
#: policy: role, command, rule
POLICIES = {
    "within_scope": ("zhiyuan_offices", "SELECT", f"USING ({_WITHIN})"),
    "appended_by_offices": ("zhiyuan_offices", "INSERT", "WITH CHECK (true)"),
    "appended_by_candidates": ("zhiyuan_candidates", "INSERT", "WITH CHECK (true)"),
    "whole_log": ("zhiyuan_sealer", "SELECT", "USING (true)"),
    "appended_by_sealer": ("zhiyuan_sealer", "INSERT", "WITH CHECK (true)"),
}
WATCHED = "act IN ('code.wrong', 'account.activated', 'card.handed', 'card.honey_touched')"
#: index: columns, rows before, rows now; the watch's questions are answered by the wider one, too
INDEXES = {
    "ix_audit_act_at": (["act", "at"], WATCHED, "act NOT IN ('session.started', 'session.ended', 'filing.confirmed')"),
    "ix_audit_officer_id_at": (["officer_id", "at"], "act = 'phone.revealed'", "officer_id IS NOT NULL"),
    "ix_audit_actor_at": (["actor", "at"], None, "actor <> 'candidate'"),
}


def upgrade() -> None:
    for name, (columns, before, now) in INDEXES.items():
        if before is not None:
            op.drop_index(name, table_name="audit")
        op.create_index(name, "audit", columns, postgresql_where=sa.text(now))
    for name, (role, command, rule) in POLICIES.items():
        op.execute(f"CREATE POLICY {name} ON audit FOR {command} TO {role} {rule}")
    op.execute("ALTER TABLE audit ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.execute("ALTER TABLE audit DISABLE ROW LEVEL SECURITY")
    for name in POLICIES:
        op.execute(f"DROP POLICY {name} ON audit")
    for name, (columns, before, _now) in INDEXES.items():
        op.drop_index(name, table_name="audit")
        if before is not None:
            op.create_index(name, "audit", columns, postgresql_where=sa.text(before))
