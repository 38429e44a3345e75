"""The chain of verdicts: append-only rows, each hashed together with the one before it.

The chain shows an altered, missing or inserted row. The head (count and last hash) is kept in
`settings` in the same transaction, so a chain cut short shows too; only whoever rewrites every row
and the head goes unseen, which a copy of the head kept elsewhere reveals.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, exists, select, text
from sqlalchemy.orm import Session, aliased

from db.errors import ConflictError
from db.tables import Setting, Verdict
from db.types import Opinion, now

GENESIS = "0" * 64
HEAD_KEY = "verdict_chain_head"
CHAIN_LOCK = 0x5EC0D1CA
UNHASHED = {"id", "row_sha256"}
UNCOMPARED = UNHASHED | {"created_at", "previous_sha256", "supersedes_id"}


def append(session: Session, verdict: Verdict) -> Verdict:
    """Add a verdict at the end of the chain and return it.

    A verdict with a request id that is on record already is returned from there, so that a request
    sent twice signs once.

    Raises:
        ConflictError: If the recorded request said something else.
    """
    _lock_chain(session)
    recorded = session.scalar(select(Verdict).where(Verdict.request_id == verdict.request_id))
    if recorded is not None:
        if _content(recorded, UNCOMPARED) != _content(verdict, UNCOMPARED):
            raise ConflictError("this request was already recorded with another content")
        return recorded
    head = session.get(Setting, HEAD_KEY)
    verdict.created_at = now()
    verdict.previous_sha256 = head.value["row_sha256"] if head else GENESIS
    verdict.row_sha256 = row_sha256(verdict)
    session.add(verdict)
    n_rows = (head.value["n_rows"] if head else 0) + 1
    session.merge(Setting(key=HEAD_KEY, value={"n_rows": n_rows, "row_sha256": verdict.row_sha256}))
    session.flush()
    return verdict


def row_sha256(verdict: Verdict) -> str:
    """Return the hash of a verdict's content and its predecessor's hash."""
    content = json.dumps(
        _content(verdict, UNHASHED), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    return hashlib.sha256(content.encode()).hexdigest()


def chain(session: Session) -> Iterator[Verdict]:
    """Yield every verdict in the order of signing, without holding them all in memory."""
    statement = select(Verdict).order_by(Verdict.id).execution_options(yield_per=500)
    return iter(session.scalars(statement))


def head(session: Session) -> tuple[int, str]:
    """Return how many verdicts were signed and the hash of the last."""
    found = session.get(Setting, HEAD_KEY)
    return (found.value["n_rows"], found.value["row_sha256"]) if found else (0, GENESIS)


def is_current() -> ColumnElement[bool]:
    """Select verdicts that are neither superseded nor withdrawn."""
    newer = aliased(Verdict)
    return (Verdict.opinion != Opinion.WITHDRAWN) & ~exists().where(
        newer.supersedes_id == Verdict.id
    )


def current(session: Session, prediction_id: int) -> Sequence[Verdict]:
    """Return the current verdicts on a prediction, one a reader at most, oldest first."""
    return session.scalars(
        select(Verdict)
        .where(Verdict.prediction_id == prediction_id, is_current())
        .order_by(Verdict.id)
    ).all()


def latest(session: Session, *, prediction_id: int, reader_id: int) -> Verdict | None:
    """Return what a reader signed last on a prediction, a withdrawal included."""
    return session.scalar(
        select(Verdict)
        .where(Verdict.prediction_id == prediction_id, Verdict.reader_id == reader_id)
        .order_by(Verdict.id.desc())
        .limit(1)
    )


def _lock_chain(session: Session) -> None:
    """Let one signer in at a time; on SQLite the transaction's write lock does so already."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CHAIN_LOCK})


def _content(verdict: Verdict, left_out: set[str]) -> dict[str, Any]:
    columns = Verdict.__table__.columns.keys()
    return {name: _plain(getattr(verdict, name)) for name in columns if name not in left_out}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value.value if isinstance(value, StrEnum) else value
