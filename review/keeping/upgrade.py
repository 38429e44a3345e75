"""Upgrading a home: alone with it, after a copy of its database was put by."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, text

from db import migrate
from db.engine import APPLICATION_NAME, engine_at, snapshot
from review import in_use
from review.errors import InUseError
from review.keeping.backup import before_upgrade
from review.settings import Settings

FOLDER = "backups"
# Older versions connected without a name; what a person connects with has one of its own.
OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND application_name IN ('', :name) AND backend_type = :type"
)
Say = Callable[[str], None]


def upgrade(settings: Settings, *, say: Say) -> bool:
    """Bring a home to this version's schema, or return False where it has it.

    Args:
        settings: Of the home.
        say: Is told what will be done, and what was done.

    Raises:
        InUseError: If a server, a worker or a command has the home open.
        SchemaError: If a newer version wrote the database, or the change would lose something.
        CopyError: If the database cannot be copied first; nothing was then changed.
    """
    engine = engine_at(settings.database_url)
    try:
        found = _older(engine)
        if found is None:
            return False
        with in_use.alone(settings.home, database=database_file(engine)):
            insist_alone(engine)
            say(f"The database has schema {found}; this version needs {migrate.NEWEST}.")
            made = before_upgrade(settings, engine, settings.home / FOLDER)
            say(f"It was copied to {made.path} before anything is changed.")
            migrate.upgrade(engine)
            say(f"Upgraded to schema {migrate.NEWEST}: no row was lost.")
    finally:
        engine.dispose()
    return True


def insist_alone(engine: Engine) -> None:
    """Refuse while a server elsewhere is connected to the same PostgreSQL database.

    Raises:
        InUseError: If there is one.
    """
    if engine.dialect.name != "postgresql":
        return
    values = {"name": APPLICATION_NAME, "type": "client backend"}
    with snapshot(engine) as connection:
        n_others = connection.scalar(OTHERS, values) or 0
    if n_others:
        raise InUseError(
            f"{n_others} connections of Second Look's to the database are open, here or on another "
            "machine: stop every server and worker, then try again"
        )


def _older(engine: Engine) -> str | None:
    with snapshot(engine) as connection:
        found = migrate.revision(connection)
    # A schema that is not known at all is refused by the upgrade itself.
    return None if found in (None, migrate.NEWEST) else found


def database_file(engine: Engine) -> Path | None:
    """Return the file of a SQLite database; None for another kind."""
    return Path(engine.url.database or "") if engine.dialect.name == "sqlite" else None
