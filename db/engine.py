"""Opening the database: connection settings, and migration to the newest schema."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine, event, make_url
from sqlalchemy.engine import URL, Connection, ExceptionContext
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, sessionmaker

from db.audit import record_flushed
from db.errors import RecordError, SchemaError, StorageError
from db.migrate import upgrade

BUSY_TIMEOUT_MS = 30_000
# Releases that carry the fix of the WAL-reset bug, by branch (sqlite.org/wal.html).
WAL_RESET_FIXED = {(3, 44): 6, (3, 50): 7, (3, 51): 3}
# What can be said, and often mended, of SQLite's primary result codes.
TROUBLE = {
    sqlite3.SQLITE_BUSY: "the database is busy",
    sqlite3.SQLITE_READONLY: "the database file may not be written",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "the database file cannot be opened",
}
ALLOWED = "allowed are sqlite:///FILE and postgresql://NAME@HOST/DATABASE"
SNAPSHOT: dict[str, dict[str, Any]] = {
    "sqlite": {"read_only": True},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}


def open_database(address: str) -> sessionmaker[Session]:
    """Return a factory of sessions on the database at `address`, created and migrated as needed.

    Raises:
        SchemaError: If the address is not one of SQLite or PostgreSQL, or the database was written
            by a newer version.
        StorageError: If the file cannot be opened or written.
    """
    url = _parse(address)
    pre_ping = url.get_backend_name() == "postgresql"
    # Values stay out of error messages, and so out of logs: a comment may name somebody.
    engine = create_engine(url, pool_pre_ping=pre_ping, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        _configure_sqlite(engine)
    try:
        upgrade(engine)
    except RecordError:
        engine.dispose()
        raise
    sessions = sessionmaker(engine, expire_on_commit=False)
    event.listen(sessions, "after_flush", record_flushed)
    return sessions


def read_only(session: Session) -> None:
    """Begin the session's transaction as one consistent snapshot that takes no write lock."""
    session.connection(execution_options=SNAPSHOT[session.get_bind().dialect.name])


@contextmanager
def copied(sessions: sessionmaker[Session], folder: Path) -> Iterator[Session]:
    """Yield a session on the record as it stands now, for as long as anybody likes to read it.

    PostgreSQL keeps a snapshot beside its writers. SQLite, with a rollback journal, lets nobody
    commit while somebody reads: there the record is copied first, in one go.

    Args:
        sessions: Sessions on the database.
        folder: Where a copy may lie meanwhile; readable by nobody else.
    """
    source = sessions.kw["bind"]
    if source.dialect.name != "sqlite":
        with sessions() as session:
            read_only(session)
            yield session
        return
    path = folder / "record.db"
    path.touch(mode=0o600)
    connection = source.raw_connection()
    try:
        with closing(sqlite3.connect(path)) as target:
            connection.driver_connection.backup(target)
    except sqlite3.Error as exc:
        raise StorageError(f"the record cannot be copied to {folder}: {exc}") from exc
    finally:
        connection.close()
    engine = create_engine(f"sqlite:///{path}", hide_parameters=True, poolclass=NullPool)
    try:
        with Session(engine) as session:
            yield session
    finally:
        engine.dispose()
        path.unlink()


def wal_is_safe(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Return whether this SQLite carries the fix of the WAL-reset bug."""
    branch, patch = version[:2], version[2]
    if branch in WAL_RESET_FIXED:
        return patch >= WAL_RESET_FIXED[branch]
    return branch > max(WAL_RESET_FIXED)


def _parse(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError as exc:
        raise SchemaError(f"the database address cannot be read: {ALLOWED}") from exc
    if url.get_backend_name() not in SNAPSHOT:
        raise SchemaError(f"the database address begins with {url.drivername!r}: {ALLOWED}")
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


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
        snapshot = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if snapshot else "BEGIN IMMEDIATE")

    @event.listens_for(engine, "handle_error")
    def say_trouble(context: ExceptionContext) -> None:
        code = getattr(context.original_exception, "sqlite_errorcode", sqlite3.SQLITE_OK)
        if words := TROUBLE.get(code & 0xFF):  # the lowest byte is the primary code
            raise StorageError(
                f"{words}: nothing was recorded; try again"
            ) from context.original_exception
