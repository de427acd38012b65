"""Schedule: what two officers may do to a batch's window, and the minutes before it takes effect.

The trigger keeps O-07 whoever writes: once open, a batch opens when it did and ends later only; a suspension begins
now, in an open batch, and ends with at least as much time as it cost. The owner may set `zhiyuan.windows` to "free"
for a transaction, to move windows about in a rehearsal. The offices' role may suspend, and nothing else: everything
that waits is done by the owner's pass.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
# as in 0006: a question of its own, so that it is answered once and not for every row
_SCOPE = "(SELECT nullif(current_setting('zhiyuan.scope', true), ''))"
_WHOLE = f"(SELECT EXISTS (SELECT FROM offices o WHERE o.path = {_SCOPE} AND o.parent_id IS NULL))"  # noqa: S608
KEEP = """
CREATE FUNCTION keep_windows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_owner boolean := pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE');
    wrong text;
BEGIN
    IF is_owner AND current_setting('zhiyuan.windows', true) = 'free' THEN
        RETURN NEW;
    END IF;
    -- statement_timestamp: a value of clock_timestamp() taken by the statement itself is later
    wrong := CASE
        WHEN NOT is_owner AND NOT EXISTS (
            SELECT FROM offices o
            WHERE o.path = nullif(current_setting('zhiyuan.scope', true), '') AND o.parent_id IS NULL)
            THEN 'only the province suspends'
        WHEN clock_timestamp() >= OLD.opens_at AND NEW.opens_at <> OLD.opens_at
            THEN 'the opening of a batch that has opened does not move'
        WHEN clock_timestamp() >= OLD.opens_at AND NEW.closes_at < OLD.closes_at
            THEN 'the end of a batch that has opened only moves later'
        WHEN OLD.suspended_at IS NULL AND NEW.suspended_at IS NOT NULL AND NOT (
            NEW.suspended_at >= OLD.opens_at AND NEW.suspended_at <= clock_timestamp()
            AND statement_timestamp() < OLD.closes_at)
            THEN 'only an open batch is suspended, and from now on'
        WHEN OLD.suspended_at IS NOT NULL AND NEW.suspended_at IS NULL
            AND NEW.closes_at < OLD.closes_at + (statement_timestamp() - OLD.suspended_at)
            THEN 'a batch that is resumed ends later by as long as it was suspended'
        WHEN OLD.suspended_at <> NEW.suspended_at
            THEN 'a batch that is suspended is resumed first'
    END;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'batch %: %', OLD.code, wrong USING ERRCODE = 'check_violation', CONSTRAINT = 'keep_windows';
    END IF;
    RETURN NEW;
END
$$
"""


def upgrade() -> None:
    op.add_column("batches", sa.Column("moved_from", MOMENT, nullable=True))
    op.execute(KEEP)
    op.execute(
        "CREATE TRIGGER keep_windows BEFORE UPDATE OF opens_at, closes_at, suspended_at ON batches"
        " FOR EACH ROW EXECUTE FUNCTION keep_windows()"
    )
    op.create_table(
        "batch_acts",
        sa.Column("proposal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("asked", MOMENT, nullable=True),
        sa.Column("effective_at", MOMENT, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("settled_at", MOMENT, nullable=True),
        sa.Column("cancelled_by", sa.BigInteger(), nullable=True),
        sa.Column("was", MOMENT, nullable=True),
        sa.Column("became", MOMENT, nullable=True),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "kind IN ('batch.opening', 'batch.end', 'batch.suspend', 'batch.resume')", name=op.f("ck_batch_acts_kind")
        ),
        sa.CheckConstraint("outcome IN ('done', 'cancelled', 'overtaken')", name=op.f("ck_batch_acts_outcome")),
        sa.CheckConstraint("(outcome IS NULL) = (settled_at IS NULL)", name=op.f("ck_batch_acts_settled")),
        sa.CheckConstraint(
            "(cancelled_by IS NOT NULL) = (coalesce(outcome, '') = 'cancelled')", name=op.f("ck_batch_acts_cancelled")
        ),
        sa.CheckConstraint("(coalesce(outcome, '') = 'overtaken') = (why <> '')", name=op.f("ck_batch_acts_why")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_batch_acts_batch_id_batches"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["cancelled_by"], ["officers.id"], name=op.f("fk_batch_acts_cancelled_by_officers")),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposals.id"], name=op.f("fk_batch_acts_proposal_id_proposals")),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_batch_acts")),
    )
    op.create_index("ix_batch_acts_batch_id", "batch_acts", ["batch_id"])
    op.create_index(
        "uq_batch_acts_waiting", "batch_acts", ["batch_id"], unique=True, postgresql_where=sa.text("outcome IS NULL")
    )
    op.execute(f"CREATE POLICY whole_province ON batch_acts TO zhiyuan_offices USING ({_WHOLE})")
    op.execute("ALTER TABLE batch_acts ENABLE ROW LEVEL SECURITY")
    op.execute("GRANT SELECT, INSERT, UPDATE (outcome, settled_at, cancelled_by) ON batch_acts TO zhiyuan_offices")
    op.execute("GRANT UPDATE (suspended_at) ON batches TO zhiyuan_offices")


def downgrade() -> None:
    op.execute("REVOKE UPDATE (suspended_at) ON batches FROM zhiyuan_offices")
    op.drop_table("batch_acts")
    op.execute("DROP TRIGGER keep_windows ON batches")
    op.execute("DROP FUNCTION keep_windows")
    op.drop_column("batches", "moved_from")
