"""Runs migrations: one at a time in the whole cluster, each in its own transaction, each limited in time."""

import os
from typing import Final

from alembic import context
from sqlalchemy import Connection, create_engine, pool, text

import admin.alerts
import admin.chase
import admin.confirmations
import admin.handing
import admin.officers
import admin.proposals
import admin.reminders
import admin.reopenings
import admin.rooms
import admin.schedule
import admin.snapshots
import admin.statements
import admin.stock
import admin.transfers
import admin.waits
import admin.watch.gauges
from app import (
    accounts,
    audit,
    batches,
    bindings,
    candidates,
    catalogue,
    clocks,
    drafts,
    filings,
    notices,
    offices,
    seals,
    sessions,
    tallies,
    witnesses,
)
from app.db import Base

#: any number; two migrators ask for the same one, and the second waits
_ADVISORY_LOCK: Final = 7_302_019
#: importing a module of tables makes them part of `Base.metadata`
TABLES: Final = (
    admin.alerts,
    admin.chase,
    admin.confirmations,
    admin.handing,
    admin.officers,
    admin.proposals,
    admin.reminders,
    admin.reopenings,
    admin.rooms,
    admin.schedule,
    admin.snapshots,
    admin.statements,
    admin.stock,
    admin.transfers,
    admin.waits,
    admin.watch.gauges,
    accounts,
    audit,
    batches,
    bindings,
    candidates,
    catalogue,
    clocks,
    drafts,
    filings,
    notices,
    offices,
    seals,
    sessions,
    tallies,
    witnesses,
)


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transaction_per_migration=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _migrate(url: str) -> None:
    engine = create_engine(
        url,
        poolclass=pool.NullPool,
        connect_args={"options": "-c lock_timeout=4000 -c statement_timeout=60000 -c TimeZone=UTC"},
    )
    # the lock sits on a connection of its own, so that it outlives each migration's transaction
    with engine.connect() as guard, engine.connect() as connection:
        guard.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY_LOCK})
        _run(connection)
    engine.dispose()


_migrate(context.config.attributes.get("url") or os.environ["DATABASE_URL"])
