"""Handing over: until a list is with those who place the candidates, its batch may change and be sealed again.

From then on nothing about its window moves and it is opened again to nobody, whoever writes. A seal tells the close
it belongs to by the end and by the last reopening, so that there is one of each; what each office had counted when
it was sealed stays with it. A batch that was handed over before is noted as such, a seal from before as of its last
reopening; it counts as the offices count now. Once a batch was sealed twice for one end, this is not taken back.
"""

import re
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
STATES = ("never_signed_in", "not_bound", "nothing_filed", "draft_only", "filed", "waived", "not_eligible")
# as in 0003: a question of its own, so that it is answered once and not for every row
_SCOPE = "(SELECT nullif(current_setting('zhiyuan.scope', true), ''))"
_WITHIN = f"SELECT o.id FROM offices o WHERE o.path ~>=~ {_SCOPE} AND o.path ~<~ ({_SCOPE} || '~')"  # noqa: S608
KEEP = """
CREATE FUNCTION keep_handed_over() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'batches' OR EXISTS (
        SELECT FROM batches WHERE id = (to_jsonb(NEW) ->> 'batch_id')::bigint AND handed_over_at IS NOT NULL) THEN
        RAISE EXCEPTION 'the list of the batch has been handed over'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'keep_handed_over';
    END IF;
    RETURN NEW;
END
$$
"""
#: of the whole province to whoever asks, and no more than that: an office sees its own candidates' reopenings only
LAST_REOPENING = """
CREATE FUNCTION last_reopening(batch bigint) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$ SELECT max(until) FROM public.reopenings WHERE batch_id = batch $$
"""
HANDED_OVER = """
UPDATE batches SET handed_over_at = (
    SELECT min(at) FROM audit WHERE act = 'standing.export_begun' AND detail ->> 'batch' = batches.code)
"""
REOPENED = """
UPDATE seals s SET reopened_until = (
    SELECT max(until) FROM reopenings r WHERE r.batch_id = s.batch_id AND r.created_at < s.sealed_at)
"""
COUNTED = f"""
INSERT INTO sealed_tallies (seal, office_id, {", ".join(STATES)})
SELECT s.number, CAST(above AS bigint), {", ".join(f"sum(t.{state})" for state in STATES)}
FROM seals s JOIN tallies t ON t.batch_id = s.batch_id JOIN offices p ON p.id = t.point_id
CROSS JOIN LATERAL string_to_table(btrim(p.path, '/'), '/') above
GROUP BY s.number, above
"""  # noqa: S608 -- constants
TWICE = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM seals GROUP BY batch_id, closes_at HAVING count(*) > 1) THEN
        RAISE EXCEPTION 'a batch was sealed again after it had been opened again: 0017 cannot be taken back any more';
    END IF;
END $$
"""


def upgrade() -> None:
    op.add_column("batches", sa.Column("handed_over_at", MOMENT, nullable=True))
    op.execute(HANDED_OVER)
    op.execute(KEEP)
    op.execute(LAST_REOPENING)
    op.execute("REVOKE ALL ON FUNCTION last_reopening FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION last_reopening TO zhiyuan_candidates, zhiyuan_offices, zhiyuan_sealer")
    op.execute(
        "CREATE TRIGGER keep_handed_over BEFORE UPDATE OF opens_at, closes_at, suspended_at, handed_over_at ON batches"
        " FOR EACH ROW WHEN (OLD.handed_over_at IS NOT NULL) EXECUTE FUNCTION keep_handed_over()"
    )
    op.execute(
        "CREATE TRIGGER keep_handed_over BEFORE INSERT ON reopenings FOR EACH ROW EXECUTE FUNCTION keep_handed_over()"
    )
    op.add_column("seals", sa.Column("reopened_until", MOMENT, nullable=True))
    op.execute("ALTER TABLE seals DISABLE TRIGGER append_only")
    op.execute(REOPENED)
    op.execute("ALTER TABLE seals ENABLE TRIGGER append_only")
    op.drop_constraint("uq_seals_batch_id_closes_at", "seals")
    op.create_unique_constraint(
        "uq_seals_batch_id_closes_at_reopened_until",
        "seals",
        ["batch_id", "closes_at", "reopened_until"],
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "sealed_tallies",
        sa.Column("seal", sa.BigInteger(), nullable=False),
        sa.Column("office_id", sa.BigInteger(), nullable=False),
        *(sa.Column(state, sa.Integer(), nullable=False) for state in STATES),
        sa.ForeignKeyConstraint(["seal"], ["seals.number"], name=op.f("fk_sealed_tallies_seal_seals")),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name=op.f("fk_sealed_tallies_office_id_offices")),
        sa.PrimaryKeyConstraint("seal", "office_id", name=op.f("pk_sealed_tallies")),
    )
    op.execute(COUNTED)
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON sealed_tallies"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER never_emptied BEFORE TRUNCATE ON sealed_tallies"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(f"CREATE POLICY within_scope ON sealed_tallies TO zhiyuan_offices USING (office_id IN ({_WITHIN}))")
    op.execute("CREATE POLICY whole_province ON sealed_tallies TO zhiyuan_sealer USING (true)")
    op.execute("ALTER TABLE sealed_tallies ENABLE ROW LEVEL SECURITY")
    op.execute("CREATE POLICY counted_for_the_seal ON tallies FOR SELECT TO zhiyuan_sealer USING (true)")
    op.execute("GRANT SELECT ON sealed_tallies TO zhiyuan_offices")
    op.execute("GRANT SELECT, INSERT ON sealed_tallies TO zhiyuan_sealer")
    op.execute("GRANT SELECT ON tallies TO zhiyuan_sealer")
    op.execute("GRANT SELECT (id, path) ON offices TO zhiyuan_sealer")
    _kinds(lambda kinds: [*kinds, "seal_late"])


def downgrade() -> None:
    op.execute(TWICE)
    # alerts already raised stay, so the rule about kinds then holds for later rows only
    _kinds(lambda kinds: [kind for kind in kinds if kind != "seal_late"], " NOT VALID")
    op.execute("REVOKE SELECT (id, path) ON offices FROM zhiyuan_sealer")
    op.execute("REVOKE SELECT ON tallies FROM zhiyuan_sealer")
    op.execute("DROP POLICY counted_for_the_seal ON tallies")
    op.drop_table("sealed_tallies")
    op.drop_constraint("uq_seals_batch_id_closes_at_reopened_until", "seals")
    op.create_unique_constraint("uq_seals_batch_id_closes_at", "seals", ["batch_id", "closes_at"])
    op.drop_column("seals", "reopened_until")
    op.execute("DROP TRIGGER keep_handed_over ON reopenings")
    op.execute("DROP TRIGGER keep_handed_over ON batches")
    op.execute("DROP FUNCTION keep_handed_over")
    op.execute("DROP FUNCTION last_reopening")
    op.drop_column("batches", "handed_over_at")


def _kinds(change: Callable[[list[str]], list[str]], validity: str = "") -> None:
    """Change the kinds of alerts there are, whichever they are by now."""
    rule = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_alerts_kind'")
    known = re.findall(r"'(\w+)'", op.get_bind().execute(rule).scalar_one())
    kinds = ", ".join(f"'{kind}'" for kind in change(known))
    op.execute("ALTER TABLE alerts DROP CONSTRAINT ck_alerts_kind")
    op.execute(f"ALTER TABLE alerts ADD CONSTRAINT ck_alerts_kind CHECK (kind IN ({kinds})){validity}")
