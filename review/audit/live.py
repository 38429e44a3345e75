"""Holding the audited rows against what the audit chain tells of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.audit import EVENTS, HEADS, SUBJECTS, Subject
from db.tables import AuditEvent
from review.audit.walk import BATCH, UNREADABLE
from review.audit.words import first_difference
from review.workspace import Workspace

# A sign-in link's name is the hash of its token: its beginning is enough to find it.
LONGEST_NAME = 40


def missing_rows(session: Session, events: Sequence[AuditEvent]) -> dict[int, str]:
    """Return the events whose rows are not there any more, in words, by event id."""
    found = {}
    for name, subject in SUBJECTS.items():
        told = {event.subject_id: event.id for event in events if event.subject == name}
        key = subject.table.c[subject.key]
        keys = [key.type.python_type(subject_id) for subject_id in told]
        there = {str(row[0]) for row in session.execute(select(key).where(key.in_(keys)))}
        for subject_id in told.keys() - there:
            found[told[subject_id]] = f"the {_name(subject, subject_id)} is not on record any more"
    return found


def row_problems(ws: Workspace) -> Iterator[str | None]:
    """Yield a problem or None for each audited row, by table and key."""
    for name, subject in SUBJECTS.items():
        yield from _problems_of(ws, name, subject)


def n_rows(session: Session) -> int:
    """Return how many rows are audited."""
    return sum(
        session.scalar(select(func.count()).select_from(subject.table)) or 0
        for subject in SUBJECTS.values()
    )


def _problems_of(ws: Workspace, name: str, subject: Subject) -> Iterator[str | None]:
    key = subject.table.c[subject.key]
    statement = select(key).order_by(key).limit(BATCH)
    last: Any = None
    while True:
        with ws.read() as session:
            after = statement if last is None else statement.where(key > last)
            keys = list(session.scalars(after))
            states = _last_states(session, name, keys)
            rows = _rows(session, subject, keys)
        if not keys:
            return
        for found in keys:
            # Each chain's walk looks at its head.
            told = found not in HEADS
            problem = _problem(rows.get(found), states.get(str(found))) if told else None
            yield f"{_name(subject, str(found))}: {problem}" if problem else None
        last = keys[-1]


def _rows(
    session: Session, subject: Subject, keys: Sequence[Any]
) -> dict[Any, Mapping[str, Any] | None]:
    """Return the present state of each row, by key; None for one that cannot be read."""
    key = subject.table.c[subject.key]
    try:
        found = session.execute(select(subject.table).where(key.in_(keys)))
        return {getattr(row, subject.key): subject.state(row) for row in found}
    except UNREADABLE:
        if len(keys) == 1:
            return {keys[0]: None}
    return {one: state for each in keys for one, state in _rows(session, subject, [each]).items()}


def _last_states(session: Session, name: str, keys: Sequence[Any]) -> dict[str, Any]:
    """Return the state that the last event tells of each row."""
    last = (
        select(func.max(EVENTS.c.id))
        .where(EVENTS.c.subject == name, EVENTS.c.subject_id.in_([str(key) for key in keys]))
        .group_by(EVENTS.c.subject_id)
    )
    try:
        events = session.execute(
            select(EVENTS.c.subject_id, EVENTS.c.content).where(EVENTS.c.id.in_(last))
        ).all()
        return {subject_id: content["state"] for subject_id, content in events}
    except UNREADABLE:
        return {}


def _problem(row: Mapping[str, Any] | None, recorded: Mapping[str, Any] | None) -> str | None:
    if row is None:
        return "a value was altered and cannot be read"
    if recorded is None:
        return "the audit chain does not tell that it was added"
    # An older version told less of a row.
    difference = first_difference(recorded, {name: row.get(name) for name in recorded})
    if difference is None:
        return None
    field = " ".join(map(str, difference.path))
    if field.endswith("_sha256"):
        return f"its {field.removesuffix('_sha256')} was changed after it was recorded"
    return f"its {field} {difference.told('recorded')}"


def _name(subject: Subject, subject_id: str) -> str:
    short = subject_id if len(subject_id) <= LONGEST_NAME else f"{subject_id[:16]}…"
    return f"{subject.word} {short}"
