"""A rehearsal (模拟) as a database of its own: marked before anything is in it, wiped when it is over (U-23).

The mark is a setting of the database itself, so that it outlives the wiping, comes along with no copy of its tables,
and no process can be started that does not know of it: every page, paper and message says that this is a rehearsal.
Cards and keys are a rehearsal's own, for they are made for its own database.

Wiping takes two officers of the province. It drops everything and makes the empty tables anew; a database that is
not marked has no way here.
"""

from typing import Final

from psycopg import sql
from sqlalchemy import create_engine, pool, text

from admin import schema
from admin.entrance import Two, require_two
from app import audit
from app.db import Database, together
from app.errors import Refusal

_MARK: Final = "zhiyuan.rehearsal"


class WrongDatabase(Refusal):
    """A rehearsal begins where nothing is yet, and only a rehearsal is wiped."""

    status = 409
    reason = "wrong_database"


def mark(database: Database) -> None:
    """Make an empty database a rehearsal, for good. Raises `WrongDatabase` when it has candidates."""
    with database.transaction() as session:
        if session.execute(text("SELECT EXISTS (SELECT FROM candidates)")).scalar():
            raise WrongDatabase("there are candidates in this database; a rehearsal begins in an empty one")
        name = session.execute(text("SELECT current_database()")).scalar_one()
        statement = sql.SQL("ALTER DATABASE {} SET {} = 'on'").format(sql.Identifier(name), sql.SQL(_MARK))
        session.connection().exec_driver_sql(statement.as_string())
        together(session, audit.entry("rehearsal.begun", actor="command"))
    database.dispose()  # what is connected was before the mark


def wipe(database: Database, url: str, by: Two) -> None:
    """Drop everything there is in a rehearsal, accounts of officers included, and leave the empty tables.

    `database` and `url` are the owner's. Raises `WrongDatabase` where the database is none, `NotAllowed` unless two
    different officers of the province vouch for it, one of them an approver.
    """
    if not database.is_rehearsal:
        raise WrongDatabase("this database is not a rehearsal; nothing of it can be wiped")
    require_two(by, "wipe_rehearsal")
    database.dispose()
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        connection.execute(text("GRANT USAGE ON SCHEMA public TO PUBLIC"))
    schema.upgrade(url)
    with database.transaction() as session:
        together(session, audit.entry("rehearsal.wiped", actor="command", logins=[one.login for one in by]))
