"""Copying every row from one database to another of any kind, and holding both against each other.

Rows go with their ids and hashes as they stand: the chains are the same afterwards.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    Table,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    tuple_,
)
from sqlalchemy.exc import DataError, StatementError

from db.append_only import sqlite_triggers
from db.contents import Contents
from db.engine import snapshot
from db.errors import CopyError
from db.hashing import canonical, content
from db.migrate import create_in
from db.tables import AuditEvent, Base, Setting

BATCH = 500
Progress = Callable[[int, int], None]


def transfer(source: Engine, target: Engine, *, progress: Progress | None = None) -> Contents:
    """Copy all rows into an empty database in one transaction; return what both then hold.

    Args:
        source: Of the newest schema; nobody may write to it meanwhile.
        target: Gets its tables and triggers in the same transaction.
        progress: Called with (rows copied, rows in all).

    Raises:
        CopyError: If the target is not empty, or cannot hold a value; it is then as it was.
    """
    with snapshot(source) as connection:
        held = Contents.of(connection)
    with snapshot(target) as connection:
        if not Contents.of(connection).is_empty:
            raise CopyError("the target database is not empty: nothing was copied")
    n_total, n_done = sum(held.n_rows.values()), 0
    with snapshot(source) as reading, target.begin() as writing:
        create_in(writing)
        _forget_beginning(writing)
        for table in Base.metadata.sorted_tables:
            for rows in _batches(reading, table):
                _insert(writing, table, rows)
                n_done += len(rows)
                if progress is not None:
                    progress(n_done, n_total)
            _set_sequence(writing, table)
        _insist_on_equality(reading, writing)
        made = Contents.of(writing)
        if made != held:
            raise CopyError("the copy has other rows than the source: nothing was copied")
    return made


def _forget_beginning(connection: Connection) -> None:
    """Take out the event by which the migrations begin a chain: the copy has one of its own."""
    name = AuditEvent.__tablename__
    kept: list[str] = []
    if connection.dialect.name == "sqlite":
        kept = list(sqlite_triggers(name).values())
        for trigger in sqlite_triggers(name):
            connection.execute(text(f"DROP TRIGGER {trigger}"))
    else:
        connection.execute(text(f"ALTER TABLE {name} DISABLE TRIGGER USER"))
    connection.execute(delete(AuditEvent))
    connection.execute(delete(Setting))
    for statement in kept or [f"ALTER TABLE {name} ENABLE TRIGGER USER"]:
        connection.execute(text(statement))


def _batches(connection: Connection, table: Table) -> Iterator[list[Mapping[str, Any]]]:
    """Yield a table's rows by key, so that a row comes after the one that it supersedes."""
    keys = list(table.primary_key.columns)
    statement = select(table).order_by(*keys).limit(BATCH)
    rows = connection.execute(statement).mappings().all()
    while rows:
        yield [dict(row) for row in rows]
        last = tuple_(*(literal(rows[-1][key.name], key.type) for key in keys))
        rows = connection.execute(statement.where(tuple_(*keys) > last)).mappings().all()


def _insert(connection: Connection, table: Table, rows: list[Mapping[str, Any]]) -> None:
    try:
        connection.execute(insert(table), rows)
    except (DataError, StatementError, ValueError) as exc:
        first, last = (
            row[next(iter(table.primary_key.columns)).name] for row in (rows[0], rows[-1])
        )
        raise CopyError(
            f"a value of {table.name} from {first} to {last} does not fit into the target "
            f"({type(exc).__name__}): nothing was copied"
        ) from exc


def _set_sequence(connection: Connection, table: Table) -> None:
    """Let PostgreSQL count on from the last id."""
    keys = list(table.primary_key.columns)
    if connection.dialect.name != "postgresql" or not _counts(keys) or len(keys) > 1:
        return
    (key,) = keys
    last = connection.scalar(select(func.max(key)))
    if last is not None:
        statement = text("SELECT setval(pg_get_serial_sequence(:table, :key), :last)")
        connection.execute(statement, {"table": table.name, "key": key.name, "last": last})


def _insist_on_equality(one: Connection, other: Connection) -> None:
    """Read both back and compare every row."""
    for table in Base.metadata.sorted_tables:
        if _digest(one, table) != _digest(other, table):
            raise CopyError(f"{table.name} would be read back otherwise: nothing was copied")


def _digest(connection: Connection, table: Table) -> str:
    digest, names = hashlib.sha256(), table.columns.keys()
    # PostgreSQL sorts texts by its locale.
    hashes = (
        hashlib.sha256(canonical(content(_Row(row), table, names)).encode()).digest()
        for rows in _batches(connection, table)
        for row in rows
    )
    for each in hashes if _counts(table.primary_key.columns) else sorted(hashes):
        digest.update(each)
    return digest.hexdigest()


def _counts(keys: Iterable[Column[Any]]) -> bool:
    return all(isinstance(key.type, Integer) for key in keys)


class _Row:
    """A row by attributes, as it is hashed elsewhere."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)
