"""Copying a whole database to a file and back, while others work on it.

SQLite by its own backup interface (a `cp` of a live file is damaged now and then), PostgreSQL by
its own `pg_dump` and `pg_restore`.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session, sessionmaker

from db.engine import engine_at, read_only, snapshot
from db.errors import CopyError, StorageError

SQLITE_FILE, POSTGRESQL_FILE = "second-look.db", "database.dump"


def file_name(engine: Engine) -> str:
    """Return what the copy of a database is called."""
    return SQLITE_FILE if engine.dialect.name == "sqlite" else POSTGRESQL_FILE


@contextmanager
def copied(engine: Engine, folder: Path) -> Iterator[Connection]:
    """Copy a database into a folder and yield a connection that sees exactly what was copied.

    Raises:
        CopyError: If it cannot be copied, or the copy is not sound.
        StorageError: If there is no room for it, or the database or the disk does not answer.
    """
    path = folder / file_name(engine)
    path.touch(mode=0o600)
    if engine.dialect.name == "sqlite":
        with _sqlite_copy(engine, path) as copy:
            _insist_on_integrity(path)
            with snapshot(copy) as connection:
                yield connection
        return
    with snapshot(engine) as connection:
        _dump(engine.url, path, connection.scalar(text("SELECT pg_export_snapshot()")))
        yield connection


@contextmanager
def undisturbed(sessions: sessionmaker[Session], folder: Path) -> Iterator[Session]:
    """Yield a session on the record as it stands now, for as long as anybody likes to read it.

    PostgreSQL keeps a snapshot beside its writers. SQLite, with a rollback journal, lets nobody
    commit while somebody reads: there a copy is read, which is gone afterwards.

    Args:
        sessions: Sessions on the database.
        folder: Where the copy may lie meanwhile; readable by nobody else.

    Raises:
        CopyError: If it cannot be copied.
        StorageError: If there is no room for it, or the database or the disk does not answer.
    """
    engine: Engine = sessions.kw["bind"]
    if engine.dialect.name != "sqlite":
        with sessions() as session:
            read_only(session)
            yield session
        return
    path = folder / SQLITE_FILE
    path.touch(mode=0o600)
    try:
        with _sqlite_copy(engine, path) as copy, Session(copy) as session:
            read_only(session)
            yield session
    finally:
        path.unlink()


def restore_sqlite(source: Path, target: Path) -> None:
    """Put a copied SQLite file in its place.

    Raises:
        CopyError: If the file is not sound.
    """
    target.touch(mode=0o600)
    shutil.copyfile(source, target)
    _insist_on_integrity(target)


def restore_postgresql(source: Path, engine: Engine) -> None:
    """Load a dump into an empty PostgreSQL database, wholly or not at all.

    Raises:
        CopyError: If it cannot be loaded.
    """
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    _run("pg_restore", engine.url, [*options, str(source)])


@contextmanager
def _sqlite_copy(engine: Engine, target: Path) -> Iterator[Engine]:
    _copy_sqlite(engine, target)
    copy = engine_at(f"sqlite:///{target}")
    try:
        yield copy
    finally:
        copy.dispose()


def _copy_sqlite(engine: Engine, target: Path) -> None:
    # In one step: a copy in several begins anew whenever somebody signs in between. The readers'
    # commits wait for it, as they wait for each other: 0.2 s for 10,000 verdicts.
    try:
        with closing(engine.raw_connection()) as raw, closing(sqlite3.connect(target)) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # synced as a whole, by whoever asked for it
            raw.driver_connection.backup(copy)  # type: ignore[union-attr]
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, whatever it was
    except sqlite3.OperationalError as exc:  # a full disk, a lock: trouble that passes
        raise StorageError(f"the database cannot be copied now: {exc}") from exc
    except sqlite3.Error as exc:
        raise CopyError(f"the database cannot be copied: {exc}") from exc


def _insist_on_integrity(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path)) as database:
            found = [row[0] for row in database.execute("PRAGMA integrity_check(1)")]
            dangling = database.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as exc:
        raise CopyError(f"the database is damaged: {exc}") from exc
    if found != ["ok"]:
        raise CopyError(f"the database is damaged: {found[0]}")
    if dangling is not None:
        raise CopyError(f"the database is damaged: a row of {dangling[0]} refers to none")


def _dump(url: URL, path: Path, snapshot_id: str) -> None:
    options = ["--format=custom", "--no-owner", "--no-privileges"]
    _run("pg_dump", url, [*options, f"--snapshot={snapshot_id}", f"--file={path}"])
    # Reads all of it back: a dump that was cut short is known here, not on the day it is needed.
    _run("pg_restore", None, [f"--file={os.devnull}", str(path)])


def _run(program: str, url: URL | None, options: list[str]) -> None:
    if shutil.which(program) is None:
        raise CopyError(
            f"{program} is not here: install PostgreSQL's client programs, of the server's version "
            "or newer (on Debian: apt-get install postgresql-client)"
        )
    command, environment = [program, *options], dict(os.environ)
    if url is not None:
        # The password goes by the environment: whoever lists processes reads their arguments.
        address = url.set(drivername="postgresql", password=None)
        command.insert(1, f"--dbname={address.render_as_string(hide_password=False)}")
        if url.password:
            environment["PGPASSWORD"] = str(url.password)
    done = subprocess.run(  # noqa: S603 - our own words, no shell
        command, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise CopyError(f"{program} failed: {said[0] if said else done.returncode}")
