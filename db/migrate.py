"""Bringing a database to the newest schema, when that is asked for.

Whoever opens an empty database gives it its tables. One that holds rows is changed by `upgrade`
alone, which a person asks for and a backup precedes (`review.keeping.upgrade`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, func, inspect, select, table, text
from sqlalchemy.engine import Connection

from db.errors import OlderSchemaError, SchemaError

if TYPE_CHECKING:
    from alembic.config import Config

NEWEST = "0011"
MIGRATIONS = Path(__file__).parent / "migrations"
POSTGRESQL_LOCK = 0x5EC0D100C
TRIGGERS = {
    "sqlite": "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT t.tgname, c.relname, pg_get_triggerdef(t.oid) FROM pg_trigger t "
    "JOIN pg_class c ON c.oid = t.tgrelid "
    "WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace",
}


def create(engine: Engine) -> None:
    """Give an empty database its tables; of several processes the first does it."""
    with engine.begin() as connection:
        create_in(connection)


def create_in(connection: Connection) -> None:
    """Give an empty database its tables in a transaction that goes on."""
    _lock(connection)
    if revision(connection) is None:
        _run(connection)


def upgrade(engine: Engine) -> None:
    """Bring a database to the newest schema in one transaction: wholly, or not at all.

    Raises:
        SchemaError: If a newer version wrote the database, or the change would lose something.
    """
    with changing_schema(engine) as connection:
        found = revision(connection)
        if found is not None and found not in _known(connection):
            raise _newer(found)
        if found != NEWEST:
            _run(connection)


@contextmanager
def changing_schema(engine: Engine) -> Iterator[Connection]:
    """Open a transaction in which tables may be rebuilt; it is undone if anything gets lost by it.

    SQLite changes a table by making another and dropping the first (`db.rebuilding`). Foreign keys
    that are enforced would forbid that where rows are referred to, and inside a transaction they
    cannot be switched off: so that is done before, and every reference is looked at afterwards.

    Raises:
        SchemaError: If there are fewer rows, a trigger is gone, or a row refers to none.
    """
    with engine.connect() as connection, _unenforced(connection), connection.begin():
        _lock(connection)
        before = _Held.by(connection)
        yield connection
        if lost := before.lost(_Held.by(connection)):
            raise SchemaError(f"the upgrade would lose {lost}: nothing was changed")


def check(connection: Connection, found: str) -> None:
    """Refuse a database of another schema than the newest.

    Raises:
        OlderSchemaError: If it has to be upgraded first.
        SchemaError: If a newer version of Second Look wrote it.
    """
    if found == NEWEST:
        return
    if found not in _known(connection):
        raise _newer(found)
    raise OlderSchemaError(
        f"the database has schema {found}, and this version needs {NEWEST}: stop the server and "
        "its workers, then run `python -m review upgrade`, which makes a backup first"
    )


def revision(connection: Connection) -> str | None:
    """Return the schema that a database has; None for one without any."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def alembic_config(connection: Connection) -> "Config":
    """Return Alembic's configuration for running on an open connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@dataclass(frozen=True)
class _Held:
    """What no change of the schema may lose."""

    n_rows: dict[str, int]
    triggers: dict[str, str]
    dangling: frozenset[str]

    @classmethod
    def by(cls, connection: Connection) -> "_Held":
        names = inspect(connection).get_table_names()
        counts = {
            name: connection.scalar(select(func.count()).select_from(table(name))) or 0
            for name in names
        }
        rows = connection.execute(text(TRIGGERS[connection.dialect.name]))
        triggers = {f"{name} on {on}": sql for name, on, sql in rows}
        dangling: frozenset[str] = frozenset()
        if connection.dialect.name == "sqlite":  # PostgreSQL refuses such rows by itself
            found = connection.exec_driver_sql("PRAGMA foreign_key_check")
            dangling = frozenset(f"what row {row[1]} of {row[0]} refers to" for row in found)
        return cls(counts, triggers, dangling)

    def lost(self, after: "_Held") -> str | None:
        """Return in words what is gone, or None."""
        for name, n in self.n_rows.items():
            if after.n_rows.get(name, 0) < n:
                return f"{n - after.n_rows.get(name, 0)} of {n} rows of {name}"
        for name, sql in self.triggers.items():
            if after.triggers.get(name) != sql:
                return f"the trigger {name}"
        return next(iter(sorted(after.dangling - self.dangling)), None)


@contextmanager
def _unenforced(connection: Connection) -> Iterator[None]:
    """Let SQLite drop a table that others refer to; only a connection without transaction may."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys = OFF")  # type: ignore[union-attr]
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")  # type: ignore[union-attr]


def _lock(connection: Connection) -> None:
    """Let one process at a time change the schema; on SQLite the write lock does so already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": POSTGRESQL_LOCK})


def _run(connection: Connection) -> None:
    # A database that is up to date, the usual case, is opened without loading Alembic.
    from alembic import command

    command.upgrade(alembic_config(connection), NEWEST)


def _known(connection: Connection) -> set[str]:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(alembic_config(connection))
    return {script.revision for script in scripts.walk_revisions()}


def _newer(found: str) -> SchemaError:
    return SchemaError(
        f"the database has schema {found}, which this version does not know: "
        "it was written by a newer Second Look; update the software"
    )
