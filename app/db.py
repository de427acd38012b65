"""The database: typed columns, the one place where a transaction ends, and its clock.

Reading happens outside a transaction (`Database.reading`), so that a page costs exactly as many round
trips as it asks questions. A deed happens inside one (`Database.transaction`), and the writes of a deed
travel together (`together`): each module contributes its own `Write`, one statement carries them all.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Annotated, Any, ClassVar, Final

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import (
    BigInteger,
    Connection,
    CursorResult,
    Engine,
    Identity,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    create_engine,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column

from app.errors import TooLong, Unavailable

Id = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Big = Annotated[int, mapped_column(BigInteger)]
Small = Annotated[int, mapped_column(SmallInteger)]
Words = Annotated[str, mapped_column(Text)]
Octets = Annotated[bytes, mapped_column(LargeBinary)]
Moment = Annotated[datetime, mapped_column(TIMESTAMP(timezone=True))]
Document = Annotated[dict[str, Any], mapped_column(JSONB)]

STATEMENT_TIMEOUT_MS: Final = 3_000
LOCK_TIMEOUT_MS: Final = 2_000
IDLE_TIMEOUT_MS: Final = 10_000
POOL_WAIT_S: Final = 1.0


class Base(DeclarativeBase):
    """All tables; constraint names are spelled out so that migrations can name them."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {int: BigInteger, str: Text}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


@dataclass(frozen=True, slots=True)
class Write:
    """One INSERT, UPDATE or DELETE with named parameters (`:name`), not yet executed."""

    sql: str
    params: Mapping[str, object]


_PARAMETER: Final = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")


class Question:
    """A statement of the busiest paths, in the driver's own form, past the layers a plain row needs not pass.

    Written like any other here, with `:name` parameters; `first` or `all` answers it, in one round trip.
    """

    __slots__ = ("sql",)

    def __init__(self, sql: str) -> None:
        self.sql = _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))

    def first(self, where: Session | Connection, params: Mapping[str, object]) -> dict[str, Any] | None:
        """The first row, or None if there is none."""
        with _driver(where).cursor(row_factory=dict_row) as cursor:
            cursor.execute(self.sql, params)
            return cursor.fetchone()

    def all(self, where: Session | Connection, params: Mapping[str, object]) -> list[dict[str, Any]]:
        """Every row."""
        with _driver(where).cursor(row_factory=dict_row) as cursor:
            cursor.execute(self.sql, params)
            return cursor.fetchall()


def _driver(where: Session | Connection) -> psycopg.Connection[Any]:
    connection = where.connection() if isinstance(where, Session) else where
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    return driver


@lru_cache(maxsize=256)
def _joined(statements: tuple[str, ...]) -> str:
    parts = (f"w{at} AS ({_renamed(sql, at)})" for at, sql in enumerate(statements))
    return f"WITH {', '.join(parts)} SELECT 1"


def _renamed(sql: str, at: int) -> str:
    return _PARAMETER.sub(rf"%(w{at}_\1)s", sql.replace("%", "%%"))


def together(session: Session, *writes: Write) -> None:
    """Execute `writes` as one statement, so in one round trip.

    They see one snapshot and must touch different rows. Foreign keys among them hold: PostgreSQL checks
    them when the statement ends.
    """
    params = {f"w{at}_{name}": value for at, one in enumerate(writes) for name, value in one.params.items()}
    with _driver(session).cursor() as cursor:
        cursor.execute(_joined(tuple(one.sql for one in writes)), params)


def clock(session: Session | Connection) -> datetime:
    """The database's own time: the only clock that decides anything (O-03)."""
    moment: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


class Database:
    """One PostgreSQL, as one role sees it."""

    def __init__(self, url: str, *, role: str | None = None, pool_size: int = 2) -> None:
        """Connect lazily to `url`; `role` is taken on every connection (a member role of the login).

        At most `pool_size` connections for reading, and as many for deeds.
        """
        settings = {
            "statement_timeout": STATEMENT_TIMEOUT_MS,
            "lock_timeout": LOCK_TIMEOUT_MS,
            "idle_in_transaction_session_timeout": IDLE_TIMEOUT_MS,
            "TimeZone": "UTC",
        }
        if role:
            settings["role"] = role
        options: dict[str, Any] = {
            "pool_size": pool_size,
            "max_overflow": 0,
            "pool_timeout": POOL_WAIT_S,
            "pool_use_lifo": True,
            "hide_parameters": True,  # an error must never carry a code or a password into the log
            "execution_options": {"database": self},
            "connect_args": {
                "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
                "connect_timeout": 3,
            },
        }
        self.engine: Engine = create_engine(url, **options)
        # connections of their own: to switch one between the two ways at every page costs more than a question does
        self.reader: Engine = create_engine(url, isolation_level="AUTOCOMMIT", **options)

    @cached_property
    def is_rehearsal(self) -> bool:
        """Whether nothing in it counts: the database says so itself (`admin.wiping`), and is asked once."""
        mark = text("SELECT coalesce(current_setting('zhiyuan.rehearsal', true), '') = 'on'")
        with self.reading() as connection:
            return bool(connection.execute(mark).scalar_one())

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for questions; each statement stands alone and sees what is committed."""
        with _translated(), self.reader.connect() as connection:
            try:
                yield connection
            except psycopg.OperationalError:
                connection.invalidate()
                raise

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One deed: committed when the block ends, undone when it raises.

        Raises `Unavailable` when the database is away, too slow, or the commit's outcome is unknown. The
        caller resolves an unknown outcome by reading the idempotency key, never by trying again (F-09).
        """
        with _translated(), Session(self.engine, autoflush=False) as session:
            try:
                yield session
                session.commit()
            except psycopg.OperationalError:
                session.invalidate()
                raise
            except BaseException:
                session.rollback()
                raise

    def dispose(self) -> None:
        """Close every connection; for a process that has just been forked."""
        self.engine.dispose()
        self.reader.dispose()


def database_of(where: Session | Connection) -> Database:
    """The database a question is asked of: what a process keeps of one is not true of another."""
    connection = where.connection() if isinstance(where, Session) else where
    found: Database = connection.get_execution_options()["database"]
    return found


#: 25006: what answers only reads, a standby that has not taken over
_AWAY = ("57P", "08", "53", "55P03", "40", "25006")
#: `statement_timeout`
_TOO_LONG = "57014"


@contextmanager
def _translated() -> Iterator[None]:
    """Turn trouble of the database into `Unavailable`; leave mistakes of ours as they are."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("no connection was free in time") from error
    except (DBAPIError, psycopg.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        state = getattr(cause, "sqlstate", None)
        if state == _TOO_LONG:
            raise TooLong("a question took too long") from error
        if isinstance(cause, psycopg.OperationalError) or (state or "").startswith(_AWAY):
            raise Unavailable(f"the database did not answer ({state})") from error
        raise


def rows(result: CursorResult[Any]) -> list[dict[str, Any]]:
    """All rows as plain mappings."""
    return [dict(row) for row in result.mappings()]
