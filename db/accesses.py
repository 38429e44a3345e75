"""The chain of accesses: who opened, fetched, tried or was refused what, each hashed with the last.

It is apart from `db.audit`, for it may be cut at its beginning: what is older than a site keeps is
removed as far as the *horizon*, a setting that names the last removed row and its hash. The horizon
moves by an event of the audit chain, so that the cut itself stays on record; triggers permit to
delete what lies before it and nothing else (`db.append_only`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from db.append_only import ACCESS_HORIZON
from db.hashing import content, sha256_of
from db.tables import Access, Setting
from db.types import AccessKind, now
from db.verdicts import GENESIS

HEAD_KEY = "access_chain_head"
LOCK = 0x5EC0D1CC
# Which columns a hash covers, by version. Never edit one: add the next.
HASHED = {
    1: (
        *("id", "kind", "account_id", "session", "address", "case_id", "content", "created_at"),
        *("hash_version", "previous_sha256"),
    ),
}
HASH_VERSION = 1
ROWS: Table = Access.__table__  # type: ignore[assignment]
SETTINGS: Table = Setting.__table__  # type: ignore[assignment]
REFUSALS = (AccessKind.REFUSED, AccessKind.SIGN_IN_FAILED)


def append(session: Session, told: Sequence[Mapping[str, Any]]) -> None:
    """Add rows at the end of the chain; one writer at a time.

    Args:
        session: Open session; the caller commits.
        told: For each row `kind`, `created_at`, and what else is known of `account_id`,
            `session`, `address`, `case_id` and `content`.
    """
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    last_id, last_sha256 = _setting(connection, HEAD_KEY)
    rows = []
    for each in told:
        fields = {"content": {}, **each, "hash_version": HASH_VERSION}
        row = Access(id=last_id + 1, previous_sha256=last_sha256, **fields)
        row.row_sha256 = row_sha256(row)
        rows.append({column.name: getattr(row, column.name) for column in ROWS.c})
        last_id, last_sha256 = row.id, row.row_sha256
    if rows:
        connection.execute(insert(ROWS), rows)
        _set_head(connection, {"n_rows": last_id, "row_sha256": last_sha256})


def head(session: Session) -> tuple[int, str]:
    """Return how many accesses there ever were and the hash of the last."""
    return _setting(session.connection(), HEAD_KEY)


def horizon(session: Session) -> tuple[int, str]:
    """Return how many accesses were removed and the hash of the last of them."""
    return _setting(session.connection(), ACCESS_HORIZON)


def row_sha256(row: Any) -> str:
    """Return the hash of an access and its predecessor's hash.

    Raises:
        KeyError: If this version does not know the row's hash version.
    """
    return sha256_of(content(row, ROWS, HASHED[row.hash_version]))


def remove_before(session: Session, at: datetime, *, limit: int) -> int:
    """Remove the oldest accesses as far as the first that is not older; return how many.

    The horizon moves in the same transaction, and with it the audit chain.

    Args:
        session: Open session; the caller commits.
        at: Accesses from this time on stay, with all that were written after them.
        limit: Remove no more than so many.
    """
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    n_removed, _ = horizon(session)
    n_rows, _ = head(session)
    first_kept = session.scalar(select(func.min(Access.id)).where(Access.created_at >= at))
    last_id = min((first_kept or n_rows + 1) - 1, n_removed + limit)
    last_sha256 = session.scalar(select(Access.row_sha256).where(Access.id == last_id))
    if last_id <= n_removed or last_sha256 is None:
        return 0
    value = {"n_rows": last_id, "row_sha256": last_sha256}
    session.merge(Setting(key=ACCESS_HORIZON, value=value, updated_at=now()))
    session.flush()
    session.execute(delete(Access).where(Access.id <= last_id))
    return last_id - n_removed


def _setting(connection: Connection, key: str) -> tuple[int, str]:
    found = connection.scalar(select(SETTINGS.c.value).where(SETTINGS.c.key == key))
    return (found["n_rows"], found["row_sha256"]) if found else (0, GENESIS)


def _set_head(connection: Connection, value: Mapping[str, Any]) -> None:
    values = {"value": dict(value), "updated_at": now()}
    moved = connection.execute(update(SETTINGS).where(SETTINGS.c.key == HEAD_KEY).values(values))
    if not moved.rowcount:
        connection.execute(insert(SETTINGS).values(key=HEAD_KEY, **values))
