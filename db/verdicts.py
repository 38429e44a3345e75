"""The chain of verdicts: append-only rows, each hashed together with the one before it.

The chain shows an altered, missing or inserted row. The head (count and last hash) is kept in
`settings` in the same transaction, so a chain cut short shows too; only whoever rewrites every row
and the head goes unseen, which a copy of the head kept elsewhere reveals.

What a row's hash covers is fixed by its `hash_version` for ever: a column that is added to the
table some day belongs to a version of its own.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, exists, select, text
from sqlalchemy.orm import Session, aliased
from sqlalchemy.orm.util import AliasedClass

from db.errors import ConflictError, FidelityError
from db.hashing import content, sha256_of
from db.tables import Setting, Verdict
from db.types import Opinion, now

GENESIS = "0" * 64
HEAD_KEY = "verdict_chain_head"
CHAIN_LOCK = 0x5EC0D1CA
# What a reader sent, at first and now, and what else stands in the row.
SENT_AT_FIRST = (
    *("request_id", "case_id", "prediction_id", "reader_id", "opinion", "reasons"),
    *("corrected_label", "plausibility", "comment", "boxes", "exposure", "active_seconds"),
    "evidence",
)
SENT = (*SENT_AT_FIRST, "findings", "reasoning")
PLACE = ("id", "created_at", "previous_sha256", "supersedes_id")
# Which columns a hash covers, by version. Never edit one: add the next.
HASHED = {
    1: (*SENT_AT_FIRST, *PLACE),
    2: (*SENT_AT_FIRST, *PLACE, "hash_version"),
    3: (*SENT, *PLACE, "hash_version"),
}
HASH_VERSION = 3
_newer = aliased(Verdict)  # once: to make one takes milliseconds, and each signing needs several


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
        FidelityError: If the database would not give back what is signed.
    """
    lock(session)
    recorded = of_request(session, verdict.request_id)
    if recorded is not None:
        if _content(recorded, SENT) != _content(verdict, SENT):
            raise ConflictError("this request was already recorded with another content")
        return recorded
    n_rows, last_sha256 = head(session)
    verdict.id = n_rows + 1
    verdict.created_at = now()
    verdict.previous_sha256 = last_sha256
    verdict.hash_version = HASH_VERSION
    verdict.row_sha256 = row_sha256(verdict)
    session.add(verdict)
    value = {"n_rows": verdict.id, "row_sha256": verdict.row_sha256}
    session.merge(Setting(key=HEAD_KEY, value=value))
    session.flush()
    _check_read_back(session, verdict)
    return verdict


def row_sha256(verdict: Verdict) -> str:
    """Return the hash of a verdict's content and its predecessor's hash.

    Raises:
        KeyError: If this version does not know the row's hash version.
    """
    return sha256_of(_content(verdict, HASHED[verdict.hash_version]))


def _check_read_back(session: Session, verdict: Verdict) -> None:
    """Refuse what the database keeps in another form: it would never verify."""
    signed = verdict.row_sha256
    try:
        session.refresh(verdict)
        same = verdict.row_sha256 == signed == row_sha256(verdict)
    except (ValueError, TypeError, LookupError) as exc:
        raise FidelityError("the verdict cannot be read back: nothing was signed") from exc
    if not same:
        raise FidelityError(
            "the verdict would be read back otherwise than it was given: nothing was signed"
        )


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
    return (verdict.opinion != Opinion.WITHDRAWN) & ~exists().where(
        _newer.supersedes_id == verdict.id
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


def _content(verdict: Verdict, names: Sequence[str]) -> dict[str, object]:
    return content(verdict, Verdict.__table__, names)
