"""Bringing a database to the newest schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from db.errors import SchemaError

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
        config = alembic_config(connection)
        scripts = ScriptDirectory.from_config(config)
        current = MigrationContext.configure(connection).get_current_revision()
        if current == scripts.get_current_head():
            return
        if current is not None and current not in {s.revision for s in scripts.walk_revisions()}:
            raise SchemaError(
                f"the database has schema {current}, which this version does not know: "
                "it was written by a newer Second Look; update the software"
            )
        command.upgrade(config, "head")


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's configuration for running on an open connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
