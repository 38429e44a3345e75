"""Whether the triggers and constraints that the record relies on still stand."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    Connection,
    ForeignKeyConstraint,
    Inspector,
    PrimaryKeyConstraint,
    Table,
    inspect,
    text,
)
from sqlalchemy.sql.schema import ColumnCollectionConstraint

from db.append_only import (
    TABLES,
    postgresql_body,
    postgresql_triggers,
    sqlite_triggers,
)
from db.tables import Base

# Bits of pg_trigger.tgtype (PostgreSQL's catalog/pg_trigger.h).
ROW, BEFORE = 1, 2
ACTION_BITS = {"DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}
TRIGGERS = """
SELECT t.tgname, c.relname, t.tgenabled::text, t.tgtype, t.tgisinternal, p.prosrc,
       t.tgqual IS NULL AS always
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE c.relnamespace = current_schema()::regnamespace
"""


def problems(connection: Connection) -> Iterator[str]:
    """Yield every trigger and constraint that is missing or altered, in words."""
    if connection.dialect.name == "sqlite":
        yield from _sqlite_triggers(connection)
    else:
        yield from _postgresql_triggers(connection)
    yield from _constraints(connection)


def _sqlite_triggers(connection: Connection) -> Iterator[str]:
    rows = connection.execute(
        text("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
    )
    found = {name: (table, sql) for name, table, sql in rows}
    for table in TABLES:
        for name, sql in sqlite_triggers(table).items():
            if name not in found:
                yield f"trigger {name} on {table} is missing"
            elif found[name][1] != sql:
                yield f"trigger {name} on {table} was altered"
            found.pop(name, None)
    for name, (table, _) in sorted(found.items()):
        yield f"trigger {name} on {table} is none of Second Look's"


def _postgresql_triggers(connection: Connection) -> Iterator[str]:
    found: dict[tuple[str, str], Any] = {}
    for row in connection.execute(text(TRIGGERS)):
        if not row.tgisinternal:
            found[row.relname, row.tgname] = row
        elif row.tgenabled != "O" and row.relname in Base.metadata.tables:
            yield f"the check of a foreign key of {row.relname} is switched off"
    for table in TABLES:
        for name, (action, level) in postgresql_triggers(table).items():
            row = found.pop((table, name), None)
            bits = BEFORE + ACTION_BITS[action] + (ROW if level == "ROW" else 0)
            if row is None:
                yield f"trigger {name} on {table} is missing"
            elif row.tgenabled not in ("O", "A"):
                yield f"trigger {name} on {table} is switched off"
            elif (row.tgtype, row.prosrc, row.always) != (bits, postgresql_body(table), True):
                yield f"trigger {name} on {table} was altered"
    for table, name in sorted(found):
        if table in Base.metadata.tables:
            yield f"trigger {name} on {table} is none of Second Look's"


def _constraints(connection: Connection) -> Iterator[str]:
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    for name, table in Base.metadata.tables.items():
        if name in there:
            yield from _columns(inspector, table)
            yield from _keys(inspector, table)
        else:
            yield f"table {name} is missing"


def _columns(inspector: Inspector, table: Table) -> Iterator[str]:
    may_be_null = {
        column["name"]: column["nullable"] for column in inspector.get_columns(table.name)
    }
    for column in table.columns:
        if column.name not in may_be_null:
            yield f"column {table.name}.{column.name} is missing"
        elif may_be_null[column.name] and not column.nullable:
            yield f"column {table.name}.{column.name} lost its NOT NULL"


def _keys(inspector: Inspector, table: Table) -> Iterator[str]:
    name = table.name
    unique = {frozenset(u["column_names"]) for u in inspector.get_unique_constraints(name)}
    foreign = {
        (tuple(key["constrained_columns"]), key["referred_table"], tuple(key["referred_columns"]))
        for key in inspector.get_foreign_keys(name)
    }
    primary = frozenset(inspector.get_pk_constraint(name)["constrained_columns"])
    ours = [each for each in table.constraints if isinstance(each, ColumnCollectionConstraint)]
    for constraint in ours:
        columns = constraint.columns.keys()
        if isinstance(constraint, PrimaryKeyConstraint):
            stands = frozenset(columns) == primary
        elif isinstance(constraint, ForeignKeyConstraint):
            referred = tuple(element.column.name for element in constraint.elements)
            stands = (tuple(columns), constraint.referred_table.name, referred) in foreign
        else:
            stands = frozenset(columns) in unique
        if not stands:
            yield f"constraint {constraint.name} of {name} is missing"
