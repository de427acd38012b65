"""Accounts of officers kept on pages: who may make one, extend, end or recover it, held by the database (A-13, O-12).

The offices' portal names the acting officer in the setting `zhiyuan.officer`. A system administrator in force keeps
the accounts of the offices directly below, and those of the own office but for system administrators, who are kept
from above. Everybody changes of their own row what signing in changes, and no more. Nobody's role or office changes.

Policies say nothing where there is no row, so a trigger asks once for each statement, too; and they see no column's
change, so another asks for each row. Only the last rule of it, that an appointment has an end, binds commands.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ACTING = "(SELECT CAST(nullif(current_setting('zhiyuan.officer', true), '') AS bigint))"
_DENIED = "USING ERRCODE = 'insufficient_privilege'"
RIGHTS = (
    """
    INSERT (id, login, name, office_id, role, password, totp_sealed, appointed_until, appointed_by, created_at)
    ON officers
    """,
    "UPDATE (appointed_until, totp_sealed, signed_in_at) ON officers",
    "USAGE ON SEQUENCE officers_id_seq",
)
KEEPS = f"""
CREATE FUNCTION keeps_account(office bigint, role text) RETURNS boolean LANGUAGE sql STABLE
SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM officers k JOIN offices p ON p.id = $1
        WHERE k.id = {_ACTING} AND k.role = 'system_admin' AND k.appointed_until > clock_timestamp()
          AND (p.parent_id = k.office_id OR p.id = k.office_id AND $2 <> 'system_admin')
    )
$$
"""  # noqa: S608 -- constants
REQUIRE = f"""
CREATE FUNCTION require_keeper() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF current_user = 'zhiyuan_offices' AND NOT EXISTS (
        SELECT FROM officers k
        WHERE k.id = {_ACTING} AND k.role = 'system_admin' AND k.appointed_until > clock_timestamp()
    ) THEN
        RAISE EXCEPTION 'permission denied to keep accounts of officers' {_DENIED};
    END IF;
    RETURN NULL;
END $$
"""
GUARD = f"""
CREATE FUNCTION guard_account() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    acting bigint := {_ACTING};
    made boolean := TG_OP = 'INSERT';
BEGIN
    IF NEW.appointed_until > clock_timestamp() + interval '400 days'
            AND (made OR NEW.appointed_until <> OLD.appointed_until) THEN
        RAISE EXCEPTION 'an appointment ends within 400 days' USING ERRCODE = 'check_violation';
    ELSIF current_user <> 'zhiyuan_offices' THEN
        RETURN NEW;
    ELSIF made THEN
        IF NEW.appointed_by IS DISTINCT FROM acting THEN
            RAISE EXCEPTION 'an account names who made it' {_DENIED};
        END IF;
    ELSIF NEW.id = acting THEN
        IF NEW.appointed_until <> OLD.appointed_until OR NEW.totp_sealed <> OLD.totp_sealed THEN
            RAISE EXCEPTION 'nobody changes their own appointment or second factor' {_DENIED};
        END IF;
    ELSIF NEW.signed_in_at IS DISTINCT FROM OLD.signed_in_at
            OR (NEW.password <> OLD.password OR NEW.password_changed_at IS DISTINCT FROM OLD.password_changed_at)
               AND NEW.password_changed_at IS NOT NULL THEN
        RAISE EXCEPTION 'what somebody else set of a password is a first password' {_DENIED};
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    moment = postgresql.TIMESTAMP(timezone=True)
    op.add_column("officers", sa.Column("signed_in_at", moment, nullable=True))
    op.add_column("officers", sa.Column("appointed_by", sa.BigInteger(), nullable=True))
    # of whoever is signed in it is known
    op.execute("UPDATE officers o SET signed_in_at = s.started_at FROM officer_sessions s WHERE s.officer_id = o.id")
    op.create_foreign_key("fk_officers_appointed_by_officers", "officers", "officers", ["appointed_by"], ["id"])
    for function in (KEEPS, REQUIRE, GUARD):
        op.execute(function)
    op.execute(
        "CREATE TRIGGER require_keeper BEFORE INSERT OR UPDATE OF appointed_until, totp_sealed ON officers"
        " FOR EACH STATEMENT EXECUTE FUNCTION require_keeper()"
    )
    op.execute(
        "CREATE TRIGGER guard_account BEFORE INSERT OR UPDATE ON officers FOR EACH ROW EXECUTE FUNCTION guard_account()"
    )
    kept = "keeps_account(office_id, role)"
    # whoever decided or signed is named on pages of every office
    op.execute("CREATE POLICY named ON officers FOR SELECT TO zhiyuan_offices USING (true)")
    op.execute(f"CREATE POLICY kept ON officers FOR INSERT TO zhiyuan_offices WITH CHECK ({kept})")
    op.execute(f"CREATE POLICY own_or_kept ON officers FOR UPDATE TO zhiyuan_offices USING (id = {_ACTING} OR {kept})")
    op.execute("ALTER TABLE officers ENABLE ROW LEVEL SECURITY")
    for right in RIGHTS:
        op.execute(f"GRANT {right} TO zhiyuan_offices")


def downgrade() -> None:
    for right in RIGHTS:
        op.execute(f"REVOKE {right} FROM zhiyuan_offices")
    op.execute("ALTER TABLE officers DISABLE ROW LEVEL SECURITY")
    for policy in ("named", "kept", "own_or_kept"):
        op.execute(f"DROP POLICY {policy} ON officers")
    for trigger in ("require_keeper", "guard_account"):
        op.execute(f"DROP TRIGGER {trigger} ON officers")
        op.execute(f"DROP FUNCTION {trigger}()")
    op.execute("DROP FUNCTION keeps_account(bigint, text)")
    op.drop_column("officers", "appointed_by")
    op.drop_column("officers", "signed_in_at")
