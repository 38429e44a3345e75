"""The chain of verdicts: append-only rows, each hashed together with the one before it.

The chain shows an altered, missing or inserted row. The head (count and last hash) is kept in
`settings` in the same transaction, so a chain cut short shows too; only whoever rewrites every row
and the head goes unseen, which a copy of the head kept elsewhere reveals.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Float, exists, select, text
from sqlalchemy.orm import Session, aliased
from sqlalchemy.orm.util import AliasedClass
from sqlalchemy.types import TypeEngine

from db.errors import ConflictError
from db.tables import Setting, Verdict
from db.types import Opinion, now

GENESIS = "0" * 64
HEAD_KEY = "verdict_chain_head"
CHAIN_LOCK = 0x5EC0D1CA
OWN_HASH = {"row_sha256"}
CHAINED = OWN_HASH | {"id", "created_at", "previous_sha256", "supersedes_id"}


def lock(session: Session) -> None:
    """Let one signer in at a time; on SQLite the transaction's write lock does so already."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CHAIN_LOCK})


def append(session: Session, verdict: Verdict) -> Verdict:
    """Add a verdict at the end of the chain and return it.

    A verdict with a request id that is on record already is returned from there, so that a request
    sent twice signs once.

    Raises:
        ConflictError: If the recorded request said something else.
    """
    lock(session)
    recorded = of_request(session, verdict.request_id)
    if recorded is not None:
        if _content(recorded, CHAINED) != _content(verdict, CHAINED):
            raise ConflictError("this request was already recorded with another content")
        return recorded
    n_rows, last_sha256 = head(session)
    verdict.id = n_rows + 1
    verdict.created_at = now()
    verdict.previous_sha256 = last_sha256
    verdict.row_sha256 = row_sha256(verdict)
    session.add(verdict)
    value = {"n_rows": verdict.id, "row_sha256": verdict.row_sha256}
    session.merge(Setting(key=HEAD_KEY, value=value))
    session.flush()
    return verdict


def row_sha256(verdict: Verdict) -> str:
    """Return the hash of a verdict's content and its predecessor's hash."""
    content = json.dumps(
        _content(verdict, OWN_HASH), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    return hashlib.sha256(content.encode()).hexdigest()


def head(session: Session) -> tuple[int, str]:
    """Return how many verdicts were signed and the hash of the last."""
    found = session.get(Setting, HEAD_KEY)
    return (found.value["n_rows"], found.value["row_sha256"]) if found else (0, GENESIS)


def of_request(session: Session, request_id: str) -> Verdict | None:
    """Return the verdict that this request signed, or None."""
    return session.scalar(select(Verdict).where(Verdict.request_id == request_id))


def is_current(
    verdict: type[Verdict] | AliasedClass[Verdict] = Verdict,
) -> ColumnElement[bool]:
    """Select verdicts that are neither superseded nor withdrawn."""
    newer = aliased(Verdict)
    return (verdict.opinion != Opinion.WITHDRAWN) & ~exists().where(
        newer.supersedes_id == verdict.id
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


def _content(verdict: Verdict, left_out: set[str]) -> dict[str, Any]:
    return {
        column.name: _plain(getattr(verdict, column.name), column.type)
        for column in Verdict.__table__.columns
        if column.name not in left_out
    }


def _plain(value: Any, kind: TypeEngine[Any]) -> object:
    """Return a value in the one form that it has before storing and after reading back."""
    if isinstance(kind, Float):
        return float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value.value if isinstance(value, StrEnum) else value
