"""Watch: alerts, registered computer rooms, the clock's mark, what a probe writes, and figures for monitoring.

An alert stands at an office and is seen from there upwards, but never by a registration point: it may be about
the people there. The offices' portal takes note of alerts and cannot raise one, and it decides about rooms
without being able to change what was asked for.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_MOMENT = postgresql.TIMESTAMP(timezone=True)
_KINDS = (
    "'filings_device', 'filings_network', 'filings_run', 'activations_device', 'activations_network',"
    " 'activations_officer', 'sign_ins_device', 'wrong_codes', 'lot_wrong_codes', 'replacements', 'honey_card',"
    " 'not_activated', 'clock', 'receipts', 'sealer', 'volume'"
)
# a question of its own, so that it is answered once and not for every row (as in 0003)
_SCOPE = "(SELECT nullif(current_setting('zhiyuan.scope', true), ''))"
_WITHIN = f"""
    SELECT o.id FROM offices o WHERE o.path ~>=~ {_SCOPE} AND o.path ~<~ ({_SCOPE} || '~')
"""  # noqa: S608 -- constants
#: who asks is not the registration point itself
_ABOVE_POINTS = f"NOT EXISTS (SELECT 1 FROM offices o WHERE o.path = {_SCOPE} AND o.level = 'point')"  # noqa: S608 -- constant

# An address as limits see it. What is no address is NULL, so that one odd row blinds nobody.
_NETWORK_OF = """
CREATE FUNCTION network_of(address text) RETURNS cidr LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN network(set_masklen(address::inet, CASE family(address::inet) WHEN 4 THEN 32 ELSE 64 END));
EXCEPTION WHEN invalid_text_representation THEN
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("office_id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("dedupe", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("concerned", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("first_at", _MOMENT, nullable=False),
        sa.Column("last_at", _MOMENT, nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("officer_id", sa.BigInteger(), nullable=True),
        sa.Column("tended_at", _MOMENT, nullable=True),
        sa.Column("closed_count", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(f"kind IN ({_KINDS})", name=op.f("ck_alerts_kind")),
        sa.CheckConstraint("state IN ('open', 'noted', 'closed')", name=op.f("ck_alerts_state")),
        sa.CheckConstraint(
            "(state = 'closed') = (closed_count IS NOT NULL) AND (state = 'open' OR tended_at IS NOT NULL)",
            name=op.f("ck_alerts_tended"),
        ),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name=op.f("fk_alerts_office_id_offices")),
        sa.ForeignKeyConstraint(["officer_id"], ["officers.id"], name=op.f("fk_alerts_officer_id_officers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("dedupe", name=op.f("uq_alerts_dedupe")),
    )
    op.create_table(
        "rooms",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("office_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("network", postgresql.CIDR(), nullable=False),
        sa.Column("valid_until", _MOMENT, nullable=False),
        sa.Column("state", sa.Text(), server_default="asked", nullable=False),
        sa.Column("asked_by", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", _MOMENT, nullable=False),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", _MOMENT, nullable=True),
        sa.CheckConstraint("state IN ('asked', 'approved', 'refused', 'ended')", name=op.f("ck_rooms_state")),
        # a room, not a city: no room may excuse more than a school has
        sa.CheckConstraint(
            "masklen(network) >= CASE family(network) WHEN 4 THEN 24 ELSE 56 END", name=op.f("ck_rooms_network")
        ),
        sa.CheckConstraint("state <> 'approved' OR decided_by <> asked_by", name=op.f("ck_rooms_two_people")),
        sa.CheckConstraint(
            "(state = 'asked') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)",
            name=op.f("ck_rooms_decided"),
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["officers.id"], name=op.f("fk_rooms_asked_by_officers")),
        sa.ForeignKeyConstraint(["decided_by"], ["officers.id"], name=op.f("fk_rooms_decided_by_officers")),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name=op.f("fk_rooms_office_id_offices")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rooms")),
    )
    op.create_index(op.f("ix_rooms_office_id"), "rooms", ["office_id"], unique=False)
    op.create_table(
        "clock_marks",
        sa.Column("id", sa.SmallInteger(), nullable=False),
        sa.Column("seen_at", _MOMENT, nullable=False),
        sa.Column("anchor_at", _MOMENT, nullable=True),
        sa.Column("anchor_uptime", sa.Double(), nullable=True),
        sa.Column("boot", sa.Text(), server_default="", nullable=False),
        sa.Column("stepped_at", _MOMENT, nullable=True),
        sa.Column("settled_filing", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_clock_marks_one")),
        sa.CheckConstraint("(anchor_at IS NULL) = (anchor_uptime IS NULL)", name=op.f("ck_clock_marks_anchor")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clock_marks")),
    )
    op.execute("INSERT INTO clock_marks (id, seen_at) VALUES (1, clock_timestamp())")
    op.create_table(
        "probes",
        sa.Column("portal", sa.Text(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("portal", name=op.f("pk_probes")),
    )
    op.execute(
        "INSERT INTO probes (portal, at) SELECT p, clock_timestamp() FROM unnest('{candidates,offices}'::text[]) p"
    )
    op.create_table(
        "gauges",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", "label", name=op.f("pk_gauges")),
    )
    op.create_index(
        "ix_audit_act_at",
        "audit",
        ["act", "at"],
        unique=False,
        postgresql_where=sa.text("act IN ('code.wrong', 'account.activated', 'card.handed', 'card.honey_touched')"),
    )
    op.create_index("ix_sessions_started_at", "sessions", ["started_at"], unique=False, postgresql_using="brin")
    op.execute(_NETWORK_OF)
    _rights()


def _rights() -> None:
    op.execute("GRANT SELECT, UPDATE (state, note, officer_id, tended_at, closed_count) ON alerts TO zhiyuan_offices")
    op.execute("GRANT SELECT, INSERT, UPDATE (state, decided_by, decided_at) ON rooms TO zhiyuan_offices")
    op.execute("GRANT SELECT ON gauges TO zhiyuan_offices")
    for role in ("zhiyuan_candidates", "zhiyuan_offices"):
        op.execute(f"GRANT SELECT ON clock_marks TO {role}")
        op.execute(f"GRANT SELECT, UPDATE (at) ON probes TO {role}")
    # the clock is held against the newest filing, which the offices' role may see the time of; its id, too
    op.execute("GRANT SELECT (id) ON filings TO zhiyuan_offices")
    op.execute(
        f"CREATE POLICY within_scope ON alerts TO zhiyuan_offices USING (office_id IN ({_WITHIN}) AND {_ABOVE_POINTS})"
    )
    op.execute(f"CREATE POLICY within_scope ON rooms TO zhiyuan_offices USING (office_id IN ({_WITHIN}))")
    for table in ("alerts", "rooms"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.execute("REVOKE SELECT (id) ON filings FROM zhiyuan_offices")
    op.execute("DROP FUNCTION network_of(text)")
    op.drop_index("ix_sessions_started_at", table_name="sessions", postgresql_using="brin")
    op.drop_index(
        "ix_audit_act_at",
        table_name="audit",
        postgresql_where=sa.text("act IN ('code.wrong', 'account.activated', 'card.handed', 'card.honey_touched')"),
    )
    op.drop_table("gauges")
    op.drop_table("probes")
    op.drop_table("clock_marks")
    op.drop_index(op.f("ix_rooms_office_id"), table_name="rooms")
    op.drop_table("rooms")
    op.drop_table("alerts")
