"""Opening the database: connection settings, and whether it has the schema of this version."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import URL, Connection, ExceptionContext
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, sessionmaker

from db.audit import record_flushed
from db.errors import RecordError, SchemaError, StorageError
from db.migrate import check, create, revision

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
APPLICATION_NAME = "second-look"  # as PostgreSQL lists its connections
ALLOWED = "allowed are sqlite:///FILE and postgresql://NAME@HOST/DATABASE"
SNAPSHOT: dict[str, dict[str, Any]] = {
    "sqlite": {"read_only": True},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}


def open_database(address: str) -> sessionmaker[Session]:
    """Return a factory of sessions on the database at `address`; an empty one gets its tables.

    Raises:
        SchemaError: If the address is not one of SQLite or PostgreSQL, or the database was written
            by another version: an older one is upgraded only where that is asked for.
        StorageError: If the file cannot be opened or written.
    """
    engine = engine_at(address)
    try:
        with snapshot(engine) as connection:
            found = revision(connection)
            if found is not None:
                check(connection, found)
        if found is None:
            create(engine)
    except RecordError:
        engine.dispose()
        raise
    sessions = sessionmaker(engine, expire_on_commit=False)
    event.listen(sessions, "after_flush", record_flushed)
    return sessions


def engine_at(address: str) -> Engine:
    """Return an engine on a database of any schema, or none.

    A SQLite file that may not be written is opened for reading alone.

    Raises:
        SchemaError: If the address is not one of SQLite or PostgreSQL.
    """
    url = parsed(address)
    if url.get_backend_name() == "sqlite":
        # Values stay out of error messages, and so out of logs: a comment may name somebody.
        engine = create_engine(_for_reading(url) or url, hide_parameters=True)
        _configure_sqlite(engine)
        return engine
    named = {"application_name": APPLICATION_NAME}
    return create_engine(url, pool_pre_ping=True, hide_parameters=True, connect_args=named)


def may_write(engine: Engine) -> bool:
    """Return whether an engine was opened for writing too."""
    return "mode" not in engine.url.query


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Yield a connection on one consistent snapshot that takes no write lock."""
    with engine.connect().execution_options(**SNAPSHOT[engine.dialect.name]) as connection:
        yield connection


def read_only(session: Session) -> None:
    """Begin the session's transaction as one consistent snapshot that takes no write lock."""
    session.connection(execution_options=SNAPSHOT[session.get_bind().dialect.name])


def wal_is_safe(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Return whether this SQLite carries the fix of the WAL-reset bug."""
    branch, patch = version[:2], version[2]
    if branch in WAL_RESET_FIXED:
        return patch >= WAL_RESET_FIXED[branch]
    return branch > max(WAL_RESET_FIXED)


def parsed(address: str) -> URL:
    """Return an address in its parts.

    Raises:
        SchemaError: If it is not one of SQLite or PostgreSQL.
    """
    try:
        url = make_url(address)
    except ArgumentError as exc:
        raise SchemaError(f"the database address cannot be read: {ALLOWED}") from exc
    if url.get_backend_name() not in SNAPSHOT:
        raise SchemaError(f"the database address begins with {url.drivername!r}: {ALLOWED}")
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def _for_reading(url: URL) -> URL | None:
    """Return the address by which a file is only read, if it or its folder may not be written."""
    if not url.database or url.database == ":memory:" or not Path(url.database).exists():
        return None
    path = Path(url.database).absolute()
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return None
    query = {"uri": "true", "mode": "ro"}
    with path.open("rb") as file:
        keeps_wal = file.read(20)[18:19] == b"\x02"  # sqlite.org/fileformat2.html
    if keeps_wal and not path.with_name(f"{path.name}-wal").exists():
        # It was closed in order, and nothing can be made beside it.
        query["immutable"] = "1"
    return url.set(database=f"file:{quote(str(path))}", query=query)


def _configure_sqlite(engine: Engine) -> None:
    journal, synchronous = ("WAL", "FULL") if wal_is_safe() else ("DELETE", "EXTRA")
    writes = may_write(engine)

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        # SQLAlchemy begins transactions itself, below; the driver must not.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        if writes:
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
