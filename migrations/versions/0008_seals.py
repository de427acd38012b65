"""Seals: two logs with gap-free places, signed checkpoints of them, and the sealed batches.

The sealer has a role of its own. It reads filings and audit, appends to the tables made here, and can change
nothing; the portals can read what they show of it and append nothing.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = ("leaves", "checkpoints", "seal_keys", "seals", "sealed_filings", "seal_tiles")
SEALER = "zhiyuan_sealer"
#: what the candidates' portal and the offices' portal may read
READABLE = {
    "zhiyuan_candidates": TABLES,
    "zhiyuan_offices": ("checkpoints", "seal_keys", "seals"),
}


def upgrade() -> None:
    moment = postgresql.TIMESTAMP(timezone=True)
    log = "log IN ('filings', 'audit')"
    op.create_table(
        "leaves",
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(log, name=op.f("ck_leaves_log")),
        sa.CheckConstraint("place >= 0", name=op.f("ck_leaves_place")),
        sa.PrimaryKeyConstraint("log", "place", name=op.f("pk_leaves")),
        sa.UniqueConstraint("log", "ref", name=op.f("uq_leaves_log_ref")),
    )
    op.create_table(
        "checkpoints",
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("signed_at", moment, nullable=False),
        sa.CheckConstraint(log, name=op.f("ck_checkpoints_log")),
        sa.PrimaryKeyConstraint("log", "number", name=op.f("pk_checkpoints")),
        sa.UniqueConstraint("log", "size", name=op.f("uq_checkpoints_log_size")),
    )
    op.create_table(
        "seal_keys",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("vouched", sa.LargeBinary(), nullable=True),
        sa.Column("used_from", moment, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_seal_keys")),
    )
    op.create_table(
        "seals",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("closes_at", moment, nullable=False),
        sa.Column("sealed_at", moment, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_seals_batch_id_batches")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_seals")),
        sa.UniqueConstraint("batch_id", "closes_at", name=op.f("uq_seals_batch_id_closes_at")),
    )
    op.create_table(
        "sealed_filings",
        sa.Column("seal", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("candidate_id", sa.BigInteger(), nullable=False),
        sa.Column("pseudonym", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["seal"], ["seals.number"], name=op.f("fk_sealed_filings_seal_seals")),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidates.id"], name=op.f("fk_sealed_filings_candidate_id_candidates")
        ),
        sa.PrimaryKeyConstraint("seal", "position", name=op.f("pk_sealed_filings")),
        sa.UniqueConstraint("candidate_id", "seal", name=op.f("uq_sealed_filings_candidate_id_seal")),
    )
    op.create_table(
        "seal_tiles",
        sa.Column("seal", sa.BigInteger(), nullable=False),
        sa.Column("height", sa.SmallInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["seal"], ["seals.number"], name=op.f("fk_seal_tiles_seal_seals")),
        sa.PrimaryKeyConstraint("seal", "height", "position", name=op.f("pk_seal_tiles")),
    )
    _guards()
    _roles()


def _guards() -> None:
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _roles() -> None:
    op.execute(f"DO $$ BEGIN CREATE ROLE {SEALER} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    op.execute(f"GRANT {SEALER} TO CURRENT_USER")
    op.execute(f"GRANT USAGE ON SCHEMA public TO {SEALER}")
    op.execute(f"GRANT SELECT, INSERT ON {', '.join(TABLES)}, audit TO {SEALER}")
    # the key of a batch in use cannot change; the right to update it is what FOR UPDATE asks for
    op.execute(f"GRANT SELECT, UPDATE (id) ON batches TO {SEALER}")
    op.execute(f"GRANT SELECT ON filings TO {SEALER}")
    for role, tables in READABLE.items():
        op.execute(f"GRANT SELECT ON {', '.join(tables)} TO {role}")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    # the role belongs to the whole cluster; only what it may do here goes
    op.execute(f"REVOKE ALL ON audit, batches, filings FROM {SEALER}")
    op.execute(f"REVOKE ALL (id) ON batches FROM {SEALER}")
    op.execute(f"REVOKE USAGE ON SCHEMA public FROM {SEALER}")
