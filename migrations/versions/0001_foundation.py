"""Foundation: offices, candidates, cards, batches, catalogue, filings, evidence; two roles and their rights.

What must never be false is a constraint here; what must never happen is a right not granted. The candidates'
portal appends filings and audit entries and cannot change one; the offices' portal can neither write a
preference nor read one (F-05, F-16).
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

#: rows updated often keep room on their page, so that an update needs no new index entry
FILL_FACTORS = {"accounts": 70, "bindings": 70, "challenges": 70, "sessions": 70, "waits": 70, "tallies": 50}
APPEND_ONLY = ("filings", "audit", "card_uses", "plans", "catalogues")

GUARD = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$
"""

#: table: what the candidates' portal may do, what the offices' portal may do
RIGHTS = {
    "offices": ("SELECT", "SELECT"),
    "candidates": ("SELECT", "SELECT"),
    # FOR SHARE asks for a right to update something; the key of a batch in use cannot change anyway
    "batches": ("SELECT, UPDATE (id)", "SELECT"),
    "catalogues": ("SELECT", "SELECT"),
    "plans": ("SELECT", "SELECT"),
    "lots": ("SELECT", "SELECT"),
    "cards": (
        "SELECT, UPDATE (state, bound_at)",
        "SELECT (serial, lot, state, holder_id, handed_at, bound_at)",
    ),
    "card_uses": ("SELECT, INSERT", "SELECT (serial, candidate_id, purpose, used_at)"),
    "accounts": (
        "SELECT, INSERT, UPDATE",
        "SELECT (candidate_id, activated_at, last_signed_in_at, two_codes_until, two_codes_reason)",
    ),
    "devices": ("SELECT, INSERT, UPDATE", ""),
    "sessions": ("SELECT, INSERT, UPDATE", ""),
    "waits": ("SELECT, INSERT, UPDATE, DELETE", ""),
    "reset_tickets": ("SELECT, UPDATE", "SELECT, INSERT, UPDATE"),
    "bindings": ("SELECT, INSERT, UPDATE", "SELECT (candidate_id, serial, bound_at, wrong_tries)"),
    "drafts": ("SELECT, INSERT, UPDATE, DELETE", "SELECT (candidate_id, batch_id, updated_at)"),
    "challenges": ("SELECT, INSERT, UPDATE, DELETE", ""),
    "filings": ("SELECT, INSERT", "SELECT (candidate_id, batch_id, number, kind, filed_at)"),
    "tallies": ("SELECT, UPDATE", "SELECT"),
    "notices": ("SELECT, INSERT", "INSERT, SELECT (dedupe)"),
    "audit": ("INSERT", "SELECT, INSERT"),
    "officers": ("", "SELECT, UPDATE (totp_step, password)"),
    "officer_sessions": ("", "SELECT, INSERT, UPDATE, DELETE"),
}
ROLES = ("zhiyuan_candidates", "zhiyuan_offices")


def _roles() -> None:
    for role in ROLES:
        op.execute(f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        op.execute(f"GRANT {role} TO CURRENT_USER")
        op.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
    for table, granted in RIGHTS.items():
        for role, rights in zip(ROLES, granted, strict=True):
            for right in _split(rights):
                op.execute(f"GRANT {right} ON {table} TO {role}")
    op.execute("GRANT USAGE ON SEQUENCE draft_versions TO zhiyuan_candidates")


def _split(rights: str) -> list[str]:
    """Commas inside parentheses list columns of one right."""
    parts: list[str] = []
    for part in rights.split(", "):
        if parts and parts[-1].count("(") > parts[-1].count(")"):
            parts[-1] += f", {part}"
        elif part:
            parts.append(part)
    return parts


def _guards() -> None:
    op.execute(GUARD)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("officer_id", sa.BigInteger(), nullable=True),
        sa.Column("candidate_id", sa.BigInteger(), nullable=True),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("actor IN ('candidate', 'officer', 'command', 'visitor')", name=op.f("ck_audit_actor")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_at", "audit", ["at"], unique=False)
    op.create_index("ix_audit_candidate_id_at", "audit", ["candidate_id", "at"], unique=False)
    op.create_table(
        "batches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("subject_classes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("spec", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("catalogue_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("opens_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("closes_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("suspended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("opens_at < closes_at", name=op.f("ck_batches_window")),
        sa.CheckConstraint("suspended_at IS NULL OR suspended_at >= opens_at", name=op.f("ck_batches_suspended")),
        sa.ForeignKeyConstraint(["parent_id"], ["batches.id"], name=op.f("fk_batches_parent_id_batches")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("code", name=op.f("uq_batches_code")),
    )
    op.create_table(
        "catalogues",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("plans", sa.BigInteger(), nullable=False),
        sa.Column(
            "loaded_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_catalogues")),
    )
    op.create_table(
        "lots",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("codes_per_card", sa.SmallInteger(), nullable=False),
        sa.Column("cards", sa.BigInteger(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("made_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_lots")),
    )
    op.create_table(
        "offices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.CheckConstraint("(parent_id IS NULL) = (level = 'province')", name=op.f("ck_offices_root")),
        sa.CheckConstraint("level IN ('province', 'prefecture', 'county', 'point')", name=op.f("ck_offices_level")),
        sa.ForeignKeyConstraint(["parent_id"], ["offices.id"], name=op.f("fk_offices_parent_id_offices")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offices")),
        sa.UniqueConstraint("code", name=op.f("uq_offices_code")),
        sa.UniqueConstraint("path", name=op.f("uq_offices_path")),
    )
    op.create_index(op.f("ix_offices_parent_id"), "offices", ["parent_id"], unique=False)
    op.create_index("ix_offices_path", "offices", ["path"], unique=False, postgresql_ops={"path": "text_pattern_ops"})
    op.create_table(
        "plans",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("batch_code", sa.Text(), nullable=False),
        sa.Column("subject_class", sa.Text(), nullable=False),
        sa.Column("column_code", sa.Text(), nullable=False),
        sa.Column("institution_code", sa.Text(), nullable=False),
        sa.Column("group_code", sa.Text(), nullable=False),
        sa.Column("major_code", sa.Text(), nullable=False),
        sa.Column("institution_name", sa.Text(), nullable=False),
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("major_name", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("province_name", sa.Text(), nullable=False),
        sa.Column("ownership", sa.Text(), nullable=False),
        sa.Column("nature", sa.Text(), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("tuition", sa.BigInteger(), nullable=True),
        sa.Column("years", sa.SmallInteger(), nullable=True),
        sa.Column("quota", sa.BigInteger(), nullable=True),
        sa.Column("subject_first", sa.Text(), nullable=False),
        sa.Column("subject_second", sa.Text(), nullable=False),
        sa.Column("restricted", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("languages", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("sex", sa.Text(), nullable=False),
        sa.Column("remark", sa.Text(), nullable=False),
        sa.Column("initials", sa.Text(), nullable=False),
        sa.Column("major_initials", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "version",
            "batch_code",
            "subject_class",
            "column_code",
            "institution_code",
            "group_code",
            "major_code",
            name=op.f("pk_plans"),
        ),
    )
    op.create_table(
        "waits",
        sa.Column("bucket", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("failed_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bucket", name=op.f("pk_waits")),
    )
    op.create_table(
        "candidates",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("candidate_no", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sex", sa.Text(), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=False),
        sa.Column("id_no_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("id_no_index", sa.LargeBinary(), nullable=False),
        sa.Column("mobile_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("ethnicity", sa.Text(), nullable=False),
        sa.Column("subject_class", sa.Text(), nullable=False),
        sa.Column("first_subject", sa.Text(), nullable=True),
        sa.Column("second_subjects", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("point_id", sa.BigInteger(), nullable=False),
        sa.Column("class_no", sa.Text(), nullable=False),
        sa.Column("hukou_county", sa.Text(), nullable=False),
        sa.Column("score", sa.SmallInteger(), nullable=True),
        sa.Column("qualifications", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("restrictions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("admitted", sa.Boolean(), server_default="false", nullable=False),
        sa.CheckConstraint("candidate_no ~ '^[0-9]{14}$'", name=op.f("ck_candidates_candidate_no")),
        sa.CheckConstraint("sex IN ('1', '2')", name=op.f("ck_candidates_sex")),
        sa.ForeignKeyConstraint(["point_id"], ["offices.id"], name=op.f("fk_candidates_point_id_offices")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_candidates")),
        sa.UniqueConstraint("candidate_no", name=op.f("uq_candidates_candidate_no")),
        sa.UniqueConstraint("id_no_index", name=op.f("uq_candidates_id_no_index")),
    )
    op.create_index("ix_candidates_point_id_class_no", "candidates", ["point_id", "class_no"], unique=False)
    op.create_table(
        "officers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("office_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("totp_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("totp_step", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("appointed_until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("login ~ '^[a-z][a-z0-9.-]{2,31}$'", name=op.f("ck_officers_login")),
        sa.CheckConstraint(
            "role IN ('operator', 'approver', 'auditor', 'system_admin')", name=op.f("ck_officers_role")
        ),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name=op.f("fk_officers_office_id_offices")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_officers")),
        sa.UniqueConstraint("login", name=op.f("uq_officers_login")),
    )
    op.create_index(op.f("ix_officers_office_id"), "officers", ["office_id"], unique=False)
    op.create_table(
        "tallies",
        sa.Column("point_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("never_signed_in", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("not_bound", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("nothing_filed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("draft_only", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("filed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("waived", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "never_signed_in >= 0 AND not_bound >= 0 AND nothing_filed >= 0"
            " AND draft_only >= 0 AND filed >= 0 AND waived >= 0",
            name=op.f("ck_tallies_counts"),
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_tallies_batch_id_batches")),
        sa.ForeignKeyConstraint(["point_id"], ["offices.id"], name=op.f("fk_tallies_point_id_offices")),
        sa.PrimaryKeyConstraint("point_id", "batch_id", name=op.f("pk_tallies")),
    )
    op.create_table(
        "accounts",
        sa.Column("candidate_id", sa.BigInteger(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("password_changed_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("activated_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("notice_version", sa.Text(), nullable=False),
        sa.Column("two_codes_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("two_codes_reason", sa.Text(), nullable=True),
        sa.Column("last_signed_in_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"], name=op.f("fk_accounts_candidate_id_candidates")),
        sa.PrimaryKeyConstraint("candidate_id", name=op.f("pk_accounts")),
    )
    op.create_table(
        "cards",
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("lot", sa.Text(), nullable=False),
        sa.Column("key_chain", postgresql.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("verifiers", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), server_default="stock", nullable=False),
        sa.Column("holder_id", sa.BigInteger(), nullable=True),
        sa.Column("handed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("bound_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("(state IN ('handed', 'bound')) <= (holder_id IS NOT NULL)", name=op.f("ck_cards_holder")),
        sa.CheckConstraint("state IN ('stock', 'handed', 'bound', 'replaced', 'void')", name=op.f("ck_cards_state")),
        sa.CheckConstraint("length(salt) = 16 AND mod(length(verifiers), 16) = 0", name=op.f("ck_cards_sealed")),
        sa.ForeignKeyConstraint(["holder_id"], ["candidates.id"], name=op.f("fk_cards_holder_id_candidates")),
        sa.ForeignKeyConstraint(["lot"], ["lots.code"], name=op.f("fk_cards_lot_lots")),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_cards")),
    )
    op.create_index("ix_cards_lot_state", "cards", ["lot", "state"], unique=False)
    op.create_index(
        "uq_cards_holder_id_live",
        "cards",
        ["holder_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('handed', 'bound')"),
    )
    op.create_table(
        "drafts",
        sa.Column("candidate_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_drafts_batch_id_batches")),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"], name=op.f("fk_drafts_candidate_id_candidates")),
        sa.PrimaryKeyConstraint("candidate_id", "batch_id", name=op.f("pk_drafts")),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("candidate_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("params", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("dedupe", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("due_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sent_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('activated', 'new_device', 'filed', 'waived', 'wrong_codes', 'password_changed',"
            " 'password_reset', 'reset_approved', 'card_handed', 'card_bound', 'card_lost', 'phone_changed')",
            name=op.f("ck_notices_kind"),
        ),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"], name=op.f("fk_notices_candidate_id_candidates")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("dedupe", name=op.f("uq_notices_dedupe")),
    )
    op.create_index(
        "ix_notices_due_at", "notices", ["due_at"], unique=False, postgresql_where=sa.text("sent_at IS NULL")
    )
    op.create_index("ix_notices_candidate_id_created_at", "notices", ["candidate_id", "created_at"], unique=False)
    op.create_table(
        "officer_sessions",
        sa.Column("officer_id", sa.BigInteger(), nullable=False),
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["officer_id"], ["officers.id"], name=op.f("fk_officer_sessions_officer_id_officers")),
        sa.PrimaryKeyConstraint("officer_id", name=op.f("pk_officer_sessions")),
        sa.UniqueConstraint("id_hash", name=op.f("uq_officer_sessions_id_hash")),
    )
    op.create_table(
        "bindings",
        sa.Column("candidate_id", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("bound_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("asked", sa.SmallInteger(), nullable=True),
        sa.Column("asked_second", sa.SmallInteger(), nullable=True),
        sa.Column("wrong_tries", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("paced", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["accounts.candidate_id"], name=op.f("fk_bindings_candidate_id_accounts")
        ),
        sa.ForeignKeyConstraint(["serial"], ["cards.serial"], name=op.f("fk_bindings_serial_cards")),
        sa.PrimaryKeyConstraint("candidate_id", name=op.f("pk_bindings")),
        sa.UniqueConstraint("serial", name=op.f("uq_bindings_serial")),
    )
    op.create_table(
        "card_uses",
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("code_index", sa.SmallInteger(), nullable=False),
        sa.Column("candidate_id", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("used_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"], name=op.f("fk_card_uses_candidate_id_candidates")),
        sa.ForeignKeyConstraint(["serial"], ["cards.serial"], name=op.f("fk_card_uses_serial_cards")),
        sa.PrimaryKeyConstraint("serial", "code_index", name=op.f("pk_card_uses")),
    )
    op.create_table(
        "challenges",
        sa.Column("candidate_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("session_hash", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("asked", postgresql.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("issued_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_challenges_batch_id_batches")),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["accounts.candidate_id"], name=op.f("fk_challenges_candidate_id_accounts")
        ),
        sa.PrimaryKeyConstraint("candidate_id", "batch_id", name=op.f("pk_challenges")),
    )
    op.create_table(
        "devices",
        sa.Column("candidate_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("first_seen_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("last_seen_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("revoked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["accounts.candidate_id"], name=op.f("fk_devices_candidate_id_accounts")
        ),
        sa.PrimaryKeyConstraint("candidate_id", "token_hash", name=op.f("pk_devices")),
    )
    op.create_table(
        "reset_tickets",
        sa.Column("candidate_id", sa.BigInteger(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("officer_id", sa.BigInteger(), nullable=False),
        sa.Column("approved_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("used_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["accounts.candidate_id"], name=op.f("fk_reset_tickets_candidate_id_accounts")
        ),
        sa.PrimaryKeyConstraint("candidate_id", name=op.f("pk_reset_tickets")),
    )
    op.create_table(
        "sessions",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("candidate_id", sa.BigInteger(), nullable=False),
        sa.Column("device_hash", sa.LargeBinary(), nullable=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["accounts.candidate_id"], name=op.f("fk_sessions_candidate_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_candidate_id_started_at", "sessions", ["candidate_id", "started_at"], unique=False)
    op.create_table(
        "filings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("candidate_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("candidate_no", sa.Text(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("catalogue_version", sa.BigInteger(), nullable=False),
        sa.Column("filed_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("code_index", sa.SmallInteger(), nullable=False),
        sa.Column("opening", sa.LargeBinary(), nullable=False),
        sa.Column("second_index", sa.SmallInteger(), nullable=True),
        sa.Column("second_opening", sa.LargeBinary(), nullable=True),
        sa.Column("challenge", sa.LargeBinary(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("device_hash", sa.LargeBinary(), nullable=True),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.CheckConstraint("(number = 1) = (previous IS NULL)", name=op.f("ck_filings_previous")),
        sa.CheckConstraint("kind IN ('list', 'waiver')", name=op.f("ck_filings_kind")),
        sa.CheckConstraint("(second_index IS NULL) = (second_opening IS NULL)", name=op.f("ck_filings_second")),
        sa.CheckConstraint("number >= 1", name=op.f("ck_filings_number")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_filings_batch_id_batches")),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"], name=op.f("fk_filings_candidate_id_candidates")),
        sa.ForeignKeyConstraint(
            ["serial", "code_index"],
            ["card_uses.serial", "card_uses.code_index"],
            name=op.f("fk_filings_serial_code_index_card_uses"),
        ),
        sa.ForeignKeyConstraint(
            ["serial", "second_index"],
            ["card_uses.serial", "card_uses.code_index"],
            name=op.f("fk_filings_serial_second_index_card_uses"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_filings")),
        sa.UniqueConstraint(
            "candidate_id",
            "batch_id",
            "number",
            name=op.f("uq_filings_candidate_id_batch_id_number"),
            postgresql_include=["kind"],
        ),
        sa.UniqueConstraint("candidate_id", "challenge", name=op.f("uq_filings_candidate_id_challenge")),
        sa.UniqueConstraint("digest", name=op.f("uq_filings_digest")),
        sa.UniqueConstraint("serial", "code_index", name=op.f("uq_filings_serial_code_index")),
    )
    op.create_index("ix_filings_filed_at", "filings", ["filed_at"], unique=False)
    for table, percent in FILL_FACTORS.items():
        op.execute(f"ALTER TABLE {table} SET (fillfactor = {percent})")
    op.execute("CREATE SEQUENCE draft_versions")
    _guards()
    _roles()


def downgrade() -> None:
    op.drop_index("ix_filings_filed_at", table_name="filings")
    op.drop_table("filings")
    op.drop_index("ix_sessions_candidate_id_started_at", table_name="sessions")
    op.drop_table("sessions")
    op.drop_table("reset_tickets")
    op.drop_table("devices")
    op.drop_table("challenges")
    op.drop_table("card_uses")
    op.drop_table("bindings")
    op.drop_table("officer_sessions")
    op.drop_index("ix_notices_due_at", table_name="notices", postgresql_where=sa.text("sent_at IS NULL"))
    op.drop_index("ix_notices_candidate_id_created_at", table_name="notices")
    op.drop_table("notices")
    op.drop_table("drafts")
    op.drop_index(
        "uq_cards_holder_id_live",
        table_name="cards",
        postgresql_where=sa.text("state IN ('handed', 'bound')"),
    )
    op.drop_index("ix_cards_lot_state", table_name="cards")
    op.drop_table("cards")
    op.drop_table("accounts")
    op.drop_table("tallies")
    op.drop_index(op.f("ix_officers_office_id"), table_name="officers")
    op.drop_table("officers")
    op.drop_index("ix_candidates_point_id_class_no", table_name="candidates")
    op.drop_table("candidates")
    op.drop_table("waits")
    op.drop_table("plans")
    op.drop_index("ix_offices_path", table_name="offices", postgresql_ops={"path": "text_pattern_ops"})
    op.drop_index(op.f("ix_offices_parent_id"), table_name="offices")
    op.drop_table("offices")
    op.drop_table("lots")
    op.drop_table("catalogues")
    op.drop_table("batches")
    op.drop_index("ix_audit_candidate_id_at", table_name="audit")
    op.drop_index("ix_audit_at", table_name="audit")
    op.drop_table("audit")
    op.execute("DROP SEQUENCE draft_versions")
    op.execute("DROP FUNCTION refuse_change()")
    # the roles belong to the whole cluster; only what they may do here goes
    for role in ROLES:
        op.execute(f"REVOKE USAGE ON SCHEMA public FROM {role}")
