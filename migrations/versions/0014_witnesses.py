"""Witnesses that cosign the checkpoints, and the two officers who confirm a seal.

The sealer names the witnesses and appends what they answer; it can drop one, and change nothing of what was
cosigned. The offices' portal appends the confirmation of a seal, which everybody may read, but not by whom.
"""

import re
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = ("witnesses", "cosignatures", "witness_refusals", "seal_confirmations")
SEALER = "zhiyuan_sealer"
KINDS = ("witness_late", "witness_refused")
MOMENT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    now = sa.text("clock_timestamp()")
    op.create_table(
        "witnesses",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("named_at", MOMENT, server_default=now, nullable=False),
        sa.Column("dropped_at", MOMENT, nullable=True),
        sa.CheckConstraint("octet_length(public) = 32", name=op.f("ck_witnesses_public")),
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9./-]{0,63}$'", name=op.f("ck_witnesses_name")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_witnesses")),
        sa.UniqueConstraint("public", name=op.f("uq_witnesses_public")),
    )
    op.create_table(
        "cosignatures",
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("at", MOMENT, server_default=now, nullable=False),
        sa.CheckConstraint("octet_length(signature) = 76", name=op.f("ck_cosignatures_signature")),
        sa.ForeignKeyConstraint(
            ["log", "number"],
            ["checkpoints.log", "checkpoints.number"],
            name=op.f("fk_cosignatures_log_number_checkpoints"),
        ),
        sa.ForeignKeyConstraint(["witness"], ["witnesses.name"], name=op.f("fk_cosignatures_witness_witnesses")),
        sa.PrimaryKeyConstraint("log", "number", "witness", name=op.f("pk_cosignatures")),
    )
    op.create_index("ix_cosignatures_witness_log_number", "cosignatures", ["witness", "log", "number"])
    op.create_table(
        "witness_refusals",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, server_default=now, nullable=False),
        sa.ForeignKeyConstraint(
            ["log", "number"],
            ["checkpoints.log", "checkpoints.number"],
            name=op.f("fk_witness_refusals_log_number_checkpoints"),
        ),
        sa.ForeignKeyConstraint(["witness"], ["witnesses.name"], name=op.f("fk_witness_refusals_witness_witnesses")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_witness_refusals")),
    )
    op.create_index(op.f("ix_witness_refusals_witness"), "witness_refusals", ["witness"])
    op.create_table(
        "seal_confirmations",
        sa.Column("seal", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("proposed_by", sa.BigInteger(), nullable=False),
        sa.Column("approved_by", sa.BigInteger(), nullable=False),
        sa.Column("at", MOMENT, server_default=now, nullable=False),
        sa.CheckConstraint("proposed_by <> approved_by", name=op.f("ck_seal_confirmations_two_people")),
        sa.ForeignKeyConstraint(["seal"], ["seals.number"], name=op.f("fk_seal_confirmations_seal_seals")),
        sa.ForeignKeyConstraint(
            ["proposed_by"], ["officers.id"], name=op.f("fk_seal_confirmations_proposed_by_officers")
        ),
        sa.ForeignKeyConstraint(
            ["approved_by"], ["officers.id"], name=op.f("fk_seal_confirmations_approved_by_officers")
        ),
        sa.PrimaryKeyConstraint("seal", name=op.f("pk_seal_confirmations")),
    )
    _guards()
    _roles()
    _kinds(lambda kinds: [*kinds, *KINDS])


def _guards() -> None:
    for table in TABLES[1:]:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _roles() -> None:
    op.execute(f"GRANT SELECT, INSERT ON {', '.join(TABLES[:3])} TO {SEALER}")
    op.execute(f"GRANT UPDATE (named_at, dropped_at) ON witnesses TO {SEALER}")
    op.execute("GRANT SELECT ON witnesses, cosignatures TO zhiyuan_candidates, zhiyuan_offices")
    op.execute("GRANT SELECT (seal, at) ON seal_confirmations TO zhiyuan_candidates, zhiyuan_sealer")
    op.execute("GRANT SELECT, INSERT ON seal_confirmations TO zhiyuan_offices")


def downgrade() -> None:
    # alerts already raised stay, so the rule about kinds then holds for later rows only
    _kinds(lambda kinds: [kind for kind in kinds if kind not in KINDS], " NOT VALID")
    for table in reversed(TABLES):
        op.drop_table(table)


def _kinds(change: Callable[[list[str]], list[str]], validity: str = "") -> None:
    """Change the kinds of alerts there are, whichever they are by now."""
    rule = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_alerts_kind'")
    known = re.findall(r"'(\w+)'", op.get_bind().execute(rule).scalar_one())
    kinds = ", ".join(f"'{kind}'" for kind in change(known))
    op.execute("ALTER TABLE alerts DROP CONSTRAINT ck_alerts_kind")
    op.execute(f"ALTER TABLE alerts ADD CONSTRAINT ck_alerts_kind CHECK (kind IN ({kinds})){validity}")
