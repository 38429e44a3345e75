"""What a database of any schema holds, as far as a copy of it can be held against it."""

from collections.abc import Iterator
from dataclasses import dataclass
from json import loads
from typing import Any

from sqlalchemy import Connection, func, inspect, select, table, text

from db import accesses, audit, verdicts
from db.migrate import revision

# What each chain is called, by the setting that keeps its head.
CHAINS = {verdicts.HEAD_KEY: "verdicts", audit.HEAD_KEY: "audit", accesses.HEAD_KEY: "accesses"}
BATCH = 5000


@dataclass(frozen=True)
class Contents:
    """What a database holds.

    Attributes:
        schema: Its schema; None for a database without tables of Second Look's.
        heads: Of each chain, how many rows it has and the hash of the last.
        n_rows: How many rows each table has.
    """

    schema: str | None
    heads: dict[str, dict[str, Any]]
    n_rows: dict[str, int]

    @classmethod
    def of(cls, connection: Connection) -> "Contents":
        """Read what a database holds; best in a snapshot."""
        schema = revision(connection)
        # By name, not as this version's tables say: the schema may be an older one.
        names = sorted(inspect(connection).get_table_names())
        counts = {
            name: connection.scalar(select(func.count()).select_from(table(name))) or 0
            for name in names
        }
        heads = {}
        for key, chain in CHAINS.items() if schema is not None else ():
            statement = text("SELECT CAST(value AS TEXT) FROM settings WHERE key = :key")
            found = connection.scalar(statement, {"key": key})
            if found is not None:
                heads[chain] = loads(found)
        return cls(schema, heads, counts)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that a copy could get mixed up with."""
        return not self.n_rows


def artifacts(connection: Connection) -> Iterator[tuple[str, int]]:
    """Yield the hash and the size of every artifact that a row names, by hash."""
    last = ""
    statement = text(
        "SELECT sha256, n_bytes FROM artifacts WHERE sha256 > :last ORDER BY sha256 LIMIT :batch"
    )
    while rows := connection.execute(statement, {"last": last, "batch": BATCH}).all():
        yield from ((sha256, n_bytes) for sha256, n_bytes in rows)
        last = rows[-1].sha256
