"""Reopenings: a closed batch open again to one candidate for a while, by decision of two officers (O-14).

Candidates read until when; the sealer, that nobody is still filing and what was filed so. The offices append them
from the province alone, and what they append is never changed: a new decision is a new row.
"""

import re
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
# as in 0003: a question of its own, so that it is answered once and not for every row
_SCOPE = "(SELECT nullif(current_setting('zhiyuan.scope', true), ''))"
_WHOLE = f"(SELECT EXISTS (SELECT FROM offices o WHERE o.path = {_SCOPE} AND o.parent_id IS NULL))"  # noqa: S608
POLICIES = (
    ("whole_province ON reopenings FOR SELECT TO zhiyuan_candidates, zhiyuan_sealer", "USING (true)"),
    # the rule of `candidates` holds inside this one, too
    (
        "within_scope ON reopenings FOR SELECT TO zhiyuan_offices",
        "USING (EXISTS (SELECT FROM candidates c WHERE c.id = reopenings.candidate_id))",
    ),
    ("of_the_province ON reopenings FOR INSERT TO zhiyuan_offices", f"WITH CHECK ({_WHOLE})"),
    ("reopenings_seen ON proposals FOR SELECT TO zhiyuan_sealer", "USING (kind = 'candidate.reopen')"),
)
RIGHTS = (
    ("SELECT (candidate_id, batch_id, until, created_at) ON reopenings", "zhiyuan_candidates"),
    ("SELECT, INSERT ON reopenings", "zhiyuan_offices"),
    ("SELECT ON reopenings", "zhiyuan_sealer"),
    # whether one waits for its second officer
    ("SELECT (kind, params, decision, expires_at) ON proposals", "zhiyuan_sealer"),
)


def upgrade() -> None:
    op.create_table(
        "reopenings",
        sa.Column("proposal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("candidate_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("document_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "until > created_at AND until <= created_at + interval '3 days'", name=op.f("ck_reopenings_brief")
        ),
        sa.CheckConstraint("document <> '' AND reason <> ''", name=op.f("ck_reopenings_said")),
        sa.CheckConstraint("length(document_sha256) = 32", name=op.f("ck_reopenings_document_sha256")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_reopenings_batch_id_batches")),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidates.id"], name=op.f("fk_reopenings_candidate_id_candidates")
        ),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposals.id"], name=op.f("fk_reopenings_proposal_id_proposals")),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_reopenings")),
    )
    op.create_index("ix_reopenings_candidate_id_batch_id", "reopenings", ["candidate_id", "batch_id"])
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON reopenings FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER never_emptied BEFORE TRUNCATE ON reopenings FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute("ALTER TABLE reopenings ENABLE ROW LEVEL SECURITY")
    for policy, rule in POLICIES:
        op.execute(f"CREATE POLICY {policy} {rule}")
    for right, role in RIGHTS:
        op.execute(f"GRANT {right} TO {role}")
    _kinds(lambda kinds: [*kinds, "reopened"])


def downgrade() -> None:
    # messages already written stay, so the rule about kinds then holds for later rows only
    _kinds(lambda kinds: [kind for kind in kinds if kind != "reopened"], " NOT VALID")
    op.execute("REVOKE SELECT (kind, params, decision, expires_at) ON proposals FROM zhiyuan_sealer")
    op.execute("DROP POLICY reopenings_seen ON proposals")
    op.drop_table("reopenings")


def _kinds(change: Callable[[list[str]], list[str]], validity: str = "") -> None:
    """Change the kinds of messages there are, whichever they are by now."""
    rule = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_notices_kind'")
    known = re.findall(r"'(\w+)'", op.get_bind().execute(rule).scalar_one())
    kinds = ", ".join(f"'{kind}'" for kind in change(known))
    op.execute("ALTER TABLE notices DROP CONSTRAINT ck_notices_kind")
    op.execute(f"ALTER TABLE notices ADD CONSTRAINT ck_notices_kind CHECK (kind IN ({kinds})){validity}")
