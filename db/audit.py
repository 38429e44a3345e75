"""The audit chain: what was done beside signing, each event hashed together with the one before.

A row of an audited table that is added or changed through a session of `db.engine` gets an event in
the same transaction, by itself: no use case can forget it. The event holds the state that the
application gave the row, so that `verify` finds a row that somebody changed, added or removed
otherwise. Secrets and free text are held as hashes only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Table, insert, inspect, select, text, update
from sqlalchemy.orm import Session

from db import accesses, verdicts
from db.hashing import content, sha256_of
from db.tables import (
    Account,
    AuditEvent,
    Base,
    Export,
    Model,
    OpenIdIdentity,
    SecondFactor,
    Setting,
    SignInToken,
    TextEvent,
    TriageEvent,
)
from db.types import AuditKind, now

GENESIS = verdicts.GENESIS
HEAD_KEY = "audit_chain_head"
HEADS = (HEAD_KEY, verdicts.HEAD_KEY, accesses.HEAD_KEY)
LOCK = 0x5EC0D1CB
# Which columns a hash covers, by version. Never edit one: add the next.
HASHED = {
    1: (
        *("id", "kind", "actor_id", "subject", "subject_id", "content", "created_at"),
        *("hash_version", "previous_sha256"),
    ),
}
HASH_VERSION = 1
EVENTS: Table = AuditEvent.__table__  # type: ignore[assignment]
SETTINGS: Table = Setting.__table__  # type: ignore[assignment]


@dataclass(frozen=True)
class Subject:
    """An audited table.

    Attributes:
        table: The table.
        word: What one of its rows is called.
        added: The kind of event that tells of a new row.
        changed: The kind that tells of a changed one.
        kept: Columns whose values an event holds.
        hashed: Columns of which it holds a hash, by the name of that hash.
        actor: The column that says who did it, where the table has one.
    """

    table: Table
    word: str
    added: AuditKind
    changed: AuditKind
    kept: tuple[str, ...] = ()
    hashed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    actor: str | None = None

    @property
    def key(self) -> str:
        """Name of the primary key's one column."""
        return self.table.primary_key.columns.keys()[0]

    def state(self, row: Row[Any]) -> dict[str, Any]:
        """Return what an event holds of a row as the database gives it."""
        held = content(row, self.table, self.kept)
        for name, columns in self.hashed.items():
            found = content(row, self.table, columns)
            empty = all(value is None for value in found.values())
            held[name] = None if empty else sha256_of(found)
        return held


def _subject(table: type[Base], word: str, added: AuditKind, **fields: Any) -> Subject:
    fields.setdefault("changed", added)
    return Subject(table.__table__, word, added, **fields)  # type: ignore[arg-type]


STEP = ("id", "case_id", "actor_id", "action", "assignee_id", "disposition", "comment")
EXPORT = ("id", "schema_version", "filters", "manifest", "created_by", "created_at")
SUBJECTS: dict[str, Subject] = {
    "accounts": _subject(
        Account,
        "account",
        AuditKind.ACCOUNT_ADDED,
        changed=AuditKind.ACCOUNT_CHANGED,
        kept=("name", "display_name", "role", "active", "demo"),
        hashed={"password_sha256": ("password_hash",)},
    ),
    "models": _subject(
        Model,
        "model",
        AuditKind.MODEL_IMPORTED,
        changed=AuditKind.MODEL_CHANGED,
        kept=("name", "version", "architecture", "weights_sha256", "active"),
        hashed={"card_sha256": ("card",)},
        actor="created_by",
    ),
    "settings": _subject(Setting, "setting", AuditKind.SETTING_CHANGED, kept=("value",)),
    "triage_events": _subject(
        TriageEvent,
        "triage event",
        AuditKind.TRIAGE_STEP,
        hashed={"content_sha256": (*STEP, "created_at")},
        actor="actor_id",
    ),
    "text_events": _subject(
        TextEvent,
        "text event",
        AuditKind.TEXT_STEP,
        kept=("case_id", "actor_id", "step", "image_sha256", "masks", "removed", "created_at"),
        actor="actor_id",
    ),
    "exports": _subject(
        Export,
        "export",
        AuditKind.EXPORTED,
        hashed={"content_sha256": EXPORT},
        actor="created_by",
    ),
    "sign_in_tokens": _subject(
        SignInToken,
        "sign-in link",
        AuditKind.LINK_ISSUED,
        kept=("account_id", "issued_by", "expires_at"),
    ),
    "second_factors": _subject(
        SecondFactor,
        "second factor",
        AuditKind.SECOND_FACTOR_SET,
        changed=AuditKind.SECOND_FACTOR_REMOVED,
        kept=("account_id", "created_at", "removed_at"),
        hashed={"secret_sha256": ("secret",)},
    ),
    "openid_identities": _subject(
        OpenIdIdentity,
        "identity",
        AuditKind.OPENID_LINKED,
        changed=AuditKind.OPENID_UNLINKED,
        kept=("account_id", "issuer", "subject", "created_at", "removed_at"),
    ),
}


def acting(session: Session, account_id: int | None, /, **known: str | None) -> None:
    """Say on whose behalf a session acts.

    Args:
        session: The session.
        account_id: The account; None is the site itself or whoever runs it.
        known: What else its events tell of who acts, as `by="the operating system's user grace"`
            or `address="10.0.0.7"`; what is None is left out.
    """
    told = {name: value for name, value in known.items() if value is not None}
    session.info.update(actor_id=account_id, actor_known=told)


def known_of_actor(session: Session) -> dict[str, str]:
    """Return what `acting` told of who acts, beside the account."""
    return dict(session.info.get("actor_known", {}))


def head(session: Session) -> tuple[int, str]:
    """Return how many events there were and the hash of the last."""
    return _head(session.connection())


def row_sha256(row: Any) -> str:
    """Return the hash of an event's content and its predecessor's hash.

    Raises:
        KeyError: If this version does not know the row's hash version.
    """
    return sha256_of(content(row, EVENTS, HASHED[row.hash_version]))


def record_added(session: Session, name: str, key: int | str) -> None:
    """Append an event of a row that a statement has added, not a flush."""
    _record(session, name, key, changed=None)


def record_flushed(session: Session, _: object = None) -> None:
    """Append an event for every audited row that a flush has added or changed."""
    touched: list[tuple[str, Any, frozenset[str] | None]] = []
    for row in session.new | session.dirty:
        name = row.__tablename__
        if name in SUBJECTS:
            altered = frozenset(a.key for a in inspect(row).attrs if a.history.has_changes())
            key = getattr(row, SUBJECTS[name].key)
            touched.append((name, key, None if row in session.new else altered))
    for name, key, changed in sorted(touched, key=lambda found: found[:2]):
        if name != "settings" or key not in HEADS:
            _record(session, name, key, changed=changed)


def _record(session: Session, name: str, key: int | str, *, changed: frozenset[str] | None) -> None:
    """Append an event with a row's state; with `changed`, only those columns count as given."""
    subject, connection = SUBJECTS[name], session.connection()
    row = connection.execute(select(subject.table).where(subject.table.c[subject.key] == key)).one()
    state: dict[str, Any] | None = subject.state(row)
    if changed is not None:
        # What the application did not change stays as it was recorded: a row altered behind its
        # back does not become right by the next honest change.
        recorded = last_state(connection, name, key)
        state = recorded and recorded | _altered(subject, subject.state(row), changed)
        if state == recorded:
            return
    by, known = session.info.get("actor_id"), known_of_actor(session)
    append(
        connection,
        kind=subject.added if changed is None else subject.changed,
        actor_id=by if by or not subject.actor else getattr(row, subject.actor),
        subject=name,
        subject_id=str(key),
        content={**known, "state": state},
    )


def _altered(subject: Subject, state: Mapping[str, Any], changed: frozenset[str]) -> dict[str, Any]:
    names = {name for name in subject.kept if name in changed}
    names |= {name for name, columns in subject.hashed.items() if changed.intersection(columns)}
    return {name: state[name] for name in names}


def last_state(connection: Connection, name: str, key: int | str) -> dict[str, Any] | None:
    """Return the state that the last event tells of a row; None if there is no event."""
    found = last_event(connection, name, key)
    return found["state"] if found else None


def last_event(connection: Connection, name: str, key: int | str) -> dict[str, Any] | None:
    """Return the content of the last event that tells of a row; None if there is none."""
    found: dict[str, Any] | None = connection.scalar(
        select(EVENTS.c.content)
        .where(EVENTS.c.subject == name, EVENTS.c.subject_id == str(key))
        .order_by(EVENTS.c.id.desc())
        .limit(1)
    )
    return found


def append(
    connection: Connection,
    *,
    kind: AuditKind,
    actor_id: int | None,
    subject: str,
    subject_id: str,
    content: Mapping[str, Any],
) -> None:
    """Add an event at the end of the chain; one writer at a time."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    n_rows, last_sha256 = _head(connection)
    row = AuditEvent(
        id=n_rows + 1,
        kind=kind,
        actor_id=actor_id,
        subject=subject,
        subject_id=subject_id,
        content=dict(content),
        created_at=now(),
        hash_version=HASH_VERSION,
        previous_sha256=last_sha256,
    )
    row.row_sha256 = row_sha256(row)
    connection.execute(insert(EVENTS).values({c.name: getattr(row, c.name) for c in EVENTS.c}))
    value = {"n_rows": row.id, "row_sha256": row.row_sha256}
    values = {"value": value, "updated_at": row.created_at}
    moved = connection.execute(update(SETTINGS).where(SETTINGS.c.key == HEAD_KEY).values(values))
    if not moved.rowcount:
        connection.execute(insert(SETTINGS).values(key=HEAD_KEY, **values))


def _head(connection: Connection) -> tuple[int, str]:
    found = connection.scalar(select(SETTINGS.c.value).where(SETTINGS.c.key == HEAD_KEY))
    return (found["n_rows"], found["row_sha256"]) if found else (0, GENESIS)
