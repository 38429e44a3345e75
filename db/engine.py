"""Opening the database: connection settings, and migration to the newest schema."""

import sqlite3
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, sessionmaker

from db.migrate import upgrade

BUSY_TIMEOUT_MS = 30_000
READ_ONLY = {"isolation_level": "SERIALIZABLE", "read_only": True}
# Releases that carry the fix of the WAL-reset bug, by branch (sqlite.org/wal.html).
WAL_RESET_FIXED = {(3, 44): 6, (3, 50): 7, (3, 51): 3}


def open_database(url: str) -> sessionmaker[Session]:
    """Return a factory of sessions on the database at `url`, created and migrated as needed.

    Raises:
        SchemaError: If the database was written by a newer version.
    """
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        _configure_sqlite(engine)
    upgrade(engine)
    return sessionmaker(engine, expire_on_commit=False)


def wal_is_safe(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Return whether this SQLite carries the fix of the WAL-reset bug."""
    branch, patch = version[:2], version[2]
    if branch in WAL_RESET_FIXED:
        return patch >= WAL_RESET_FIXED[branch]
    return branch > max(WAL_RESET_FIXED)


def _configure_sqlite(engine: Engine) -> None:
    journal, synchronous = ("WAL", "FULL") if wal_is_safe() else ("DELETE", "EXTRA")

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        # SQLAlchemy begins transactions itself, below; the driver must not.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later would fail at once on a busy database;
        # one that takes the write lock first waits for it.
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
