"""Bringing a database to the newest schema."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect, text
from sqlalchemy.engine import Connection

from db.errors import SchemaError

if TYPE_CHECKING:
    from alembic.config import Config

NEWEST = "0005"
MIGRATIONS = Path(__file__).parent / "migrations"
POSTGRESQL_LOCK = 0x5EC0D100C


def upgrade(engine: Engine) -> None:
    """Create or migrate the database in one transaction; processes that come second wait.

    Raises:
        SchemaError: If the database was written by a newer version of Second Look.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": POSTGRESQL_LOCK})
        found = _revision(connection)
        if found != NEWEST:
            _migrate(connection, found)


def alembic_config(connection: Connection) -> "Config":
    """Return Alembic's configuration for running on an open connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _migrate(connection: Connection, found: str | None) -> None:
    # A database that is up to date, the usual case, is opened without loading Alembic.
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config(connection)
    known = {s.revision for s in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaError(
            f"the database has schema {found}, which this version does not know: "
            "it was written by a newer Second Look; update the software"
        )
    command.upgrade(config, NEWEST)
