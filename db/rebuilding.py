"""Changing a table in ways that SQLite knows only as making another in its place."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic.operations import BatchOperations, Operations
from sqlalchemy import text


@contextmanager
def rebuilt_table(operations: Operations, name: str) -> Iterator[BatchOperations]:
    """Change a table in a migration, and keep its triggers, which go with the table dropped.

    On PostgreSQL the same changes are made in place, and the triggers stay by themselves.

    Args:
        operations: Alembic's, inside `db.migrate.changing_schema`.
        name: The table.
    """
    connection = operations.get_bind()
    kept: list[str] = []
    if connection.dialect.name == "sqlite":
        of_table = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :name"
        kept = list(connection.scalars(text(of_table), {"name": name}))
    with operations.batch_alter_table(name) as batch:
        yield batch
    for statement in kept:
        connection.exec_driver_sql(statement)
