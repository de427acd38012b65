"""Completeness and chase: who is not eligible, counts kept by the hour, moves, calls, who looked.

`tallies.not_eligible` is counted here from what decides it; until now nothing has set `admitted`, so it takes
nobody out of another count. `python -m admin tallies check` proves the result.

Offices log calls and change none. They still read no list: neither `drafts.content` nor `filings.content` is
granted to them here or elsewhere. What officers did about a candidate is shown to the candidates' portal through
a view of that much of the audit.
"""

import re
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

STATES = ("never_signed_in", "not_bound", "nothing_filed", "draft_only", "filed", "waived", "not_eligible")
OUTCOMES = "'reached', 'no_answer', 'will_file', 'says_waived', 'will_come', 'wrong_number'"
REMINDERS = ("draft_waits", "nothing_filed")

# true where every column asks that the candidate be not yet admitted, and bars those who are
CLOSED = """
CREATE FUNCTION closed_to_admitted(spec jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_path_exists(spec, '$.columns[*]') AND NOT jsonb_path_exists(spec,
        '$.columns[*] ? (!exists(@.eligibility[*] ? (@.rule == "not_yet_admitted" && @.policy == "block")))')
$$
"""
COUNT = """
INSERT INTO tallies (point_id, batch_id, not_eligible)
SELECT c.point_id, b.id, count(*) FROM candidates c JOIN batches b ON NOT c.subject_class = ANY (b.subject_classes)
GROUP BY c.point_id, b.id
ON CONFLICT (point_id, batch_id) DO UPDATE SET not_eligible = excluded.not_eligible
"""
LOOKS = """
CREATE VIEW officer_looks WITH (security_barrier) AS
SELECT a.candidate_id, a.at, a.act, o.role, f.name AS office, coalesce(a.detail ->> 'reason', '') AS reason
FROM audit a JOIN officers o ON o.id = a.officer_id JOIN offices f ON f.id = o.office_id
WHERE a.actor = 'officer' AND a.candidate_id IS NOT NULL
"""
# as in 0003: a question of its own, so that it is answered once and not for every row
_SCOPE = "(SELECT nullif(current_setting('zhiyuan.scope', true), ''))"
_OFFICES = f"SELECT o.id FROM offices o WHERE o.path ~>=~ {_SCOPE} AND o.path ~<~ ({_SCOPE} || '~')"  # noqa: S608
RULES = {
    "tally_snapshots": f"office_id IN ({_OFFICES})",
    "contacts": f"point_id IN ({_OFFICES})",
    "point_moves": f"from_point_id IN ({_OFFICES}) OR to_point_id IN ({_OFFICES})",
}
MOMENT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.execute(CLOSED)
    op.add_column(
        "batches",
        sa.Column(
            "closed_to_admitted", sa.Boolean(), sa.Computed("closed_to_admitted(spec)", persisted=True), nullable=False
        ),
    )
    op.add_column("tallies", sa.Column("not_eligible", sa.BigInteger(), server_default="0", nullable=False))
    _counts(STATES)
    op.execute(COUNT)
    _kinds(lambda kinds: [*kinds, *REMINDERS])
    _tables()
    for table, rule in RULES.items():
        op.execute(f"CREATE POLICY within_scope ON {table} TO zhiyuan_offices USING ({rule})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"GRANT SELECT ON {table} TO zhiyuan_offices")
    op.execute("GRANT INSERT ON contacts TO zhiyuan_offices")
    op.create_index(
        "ix_audit_officer_id_at",
        "audit",
        ["officer_id", "at"],
        postgresql_where=sa.text("act = 'phone.revealed'"),
    )
    op.execute(LOOKS)
    op.execute("GRANT SELECT ON officer_looks TO zhiyuan_candidates")


def _tables() -> None:
    counts = (sa.Column(state, sa.Integer(), nullable=False) for state in STATES)
    op.create_table(
        "tally_snapshots",
        sa.Column("office_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", MOMENT, nullable=False),
        *counts,
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_tally_snapshots_batch_id_batches"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name=op.f("fk_tally_snapshots_office_id_offices")),
        sa.PrimaryKeyConstraint("office_id", "batch_id", "taken_at", name=op.f("pk_tally_snapshots")),
    )
    op.create_table(
        "contacts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("candidate_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("point_id", sa.BigInteger(), nullable=False),
        sa.Column("officer_id", sa.BigInteger(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=True),
        sa.CheckConstraint(f"outcome IN ({OUTCOMES})", name=op.f("ck_contacts_outcome")),
        sa.CheckConstraint("length(note) <= 200", name=op.f("ck_contacts_note")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_contacts_batch_id_batches"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"], name=op.f("fk_contacts_candidate_id_candidates")),
        sa.ForeignKeyConstraint(["officer_id"], ["officers.id"], name=op.f("fk_contacts_officer_id_officers")),
        sa.ForeignKeyConstraint(["point_id"], ["offices.id"], name=op.f("fk_contacts_point_id_offices")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
    )
    op.create_index("ix_contacts_candidate_id_batch_id_at", "contacts", ["candidate_id", "batch_id", "at"])
    op.create_index("ix_contacts_batch_id_at", "contacts", ["batch_id", "at"])
    op.create_table(
        "point_moves",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("candidate_id", sa.BigInteger(), nullable=False),
        sa.Column("masked_no", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("from_point_id", sa.BigInteger(), nullable=False),
        sa.Column("from_class_no", sa.Text(), nullable=False),
        sa.Column("to_point_id", sa.BigInteger(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidates.id"], name=op.f("fk_point_moves_candidate_id_candidates")
        ),
        sa.ForeignKeyConstraint(["from_point_id"], ["offices.id"], name=op.f("fk_point_moves_from_point_id_offices")),
        sa.ForeignKeyConstraint(["to_point_id"], ["offices.id"], name=op.f("fk_point_moves_to_point_id_offices")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_point_moves")),
    )
    op.create_index("ix_point_moves_from_point_id_at", "point_moves", ["from_point_id", "at"])
    op.create_index("ix_point_moves_to_point_id_at", "point_moves", ["to_point_id", "at"])
    op.create_table(
        "reminders",
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("closes_at", MOMENT, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("drafts", sa.Integer(), nullable=False),
        sa.Column("nothing", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_reminders_batch_id_batches"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("batch_id", "step", "closes_at", name=op.f("pk_reminders")),
    )


def downgrade() -> None:
    op.execute("DROP VIEW officer_looks")
    op.drop_index("ix_audit_officer_id_at", table_name="audit")
    for table in ("reminders", "point_moves", "contacts", "tally_snapshots"):
        op.drop_table(table)
    # messages already written stay, so the rule about kinds then holds for later rows only
    _kinds(lambda kinds: [kind for kind in kinds if kind not in REMINDERS], " NOT VALID")
    _counts(STATES[:-1])
    op.drop_column("tallies", "not_eligible")
    op.drop_column("batches", "closed_to_admitted")
    op.execute("DROP FUNCTION closed_to_admitted")


def _counts(states: tuple[str, ...]) -> None:
    rule = " AND ".join(f"{state} >= 0" for state in states)
    op.execute("ALTER TABLE tallies DROP CONSTRAINT ck_tallies_counts")
    op.execute(f"ALTER TABLE tallies ADD CONSTRAINT ck_tallies_counts CHECK ({rule})")


def _kinds(change: Callable[[list[str]], list[str]], validity: str = "") -> None:
    """Change the kinds of messages there are, whichever they are by now."""
    rule = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_notices_kind'")
    known = re.findall(r"'(\w+)'", op.get_bind().execute(rule).scalar_one())
    kinds = ", ".join(f"'{kind}'" for kind in change(known))
    op.execute("ALTER TABLE notices DROP CONSTRAINT ck_notices_kind")
    op.execute(f"ALTER TABLE notices ADD CONSTRAINT ck_notices_kind CHECK (kind IN ({kinds})){validity}")
