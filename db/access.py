"""Queries about accounts, web sessions, one-time links and attempts to sign in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, or_, select, text, update
from sqlalchemy.orm import Session, aliased

from db.errors import NotFoundError
from db.tables import Account, SignInAttempt, SignInToken, WebSession
from db.types import Role

ATTEMPTS_LOCK = 0x5EC0D1CD


@dataclass(frozen=True)
class Failures:
    """Failed attempts to sign in: how many, and when the last one was."""

    n: int
    last_at: datetime


def account(session: Session, account_id: int) -> Account:
    """Return an account.

    Raises:
        NotFoundError: If there is none with this id.
    """
    if found := session.get(Account, account_id):
        return found
    raise NotFoundError(f"account {account_id} does not exist")


def account_named(session: Session, name: str) -> Account | None:
    """Return the account of this name, or None."""
    return session.scalar(select(Account).where(Account.name == name))


def accounts(session: Session) -> Sequence[Account]:
    """Return every account, by name."""
    return session.scalars(select(Account).order_by(Account.name)).all()


def active_administrators(session: Session) -> Sequence[Account]:
    """Return the administrators who may sign in, oldest first."""
    return session.scalars(
        select(Account)
        .where(Account.role == Role.ADMINISTRATOR, Account.active)
        .order_by(Account.id)
    ).all()


def last_seen(session: Session) -> dict[int, datetime]:
    """Return when each account was last seen signed in, by account id."""
    rows = session.execute(
        select(WebSession.account_id, func.max(WebSession.last_seen_at)).group_by(
            WebSession.account_id
        )
    )
    return {account_id: seen_at for account_id, seen_at in rows}


def web_session(session: Session, token_sha256: str) -> tuple[WebSession, Account] | None:
    """Return a web session with its account, or None."""
    row = session.execute(
        select(WebSession, Account)
        .join(Account, WebSession.account_id == Account.id)
        .where(WebSession.token_sha256 == token_sha256)
    ).one_or_none()
    return (row[0], row[1]) if row else None


def revoke_sessions(
    session: Session, account_id: int, *, at: datetime, keep_sha256: str | None = None
) -> Sequence[str]:
    """End every session of an account, but for the one to keep, and void its unused links.

    Returns:
        The hashes of the sessions that this ended.
    """
    ended = session.scalars(
        update(WebSession)
        .where(WebSession.account_id == account_id, WebSession.revoked_at.is_(None))
        .where(WebSession.expires_at > at, WebSession.token_sha256 != (keep_sha256 or ""))
        .values(revoked_at=at)
        .returning(WebSession.token_sha256)
    ).all()
    session.execute(
        update(SignInToken)
        .where(SignInToken.account_id == account_id, SignInToken.used_at.is_(None))
        .values(used_at=at)
    )
    return sorted(ended)


def idle_sessions(session: Session, *, at: datetime, idle_since: datetime) -> Sequence[WebSession]:
    """Return the sessions, not ended so far, that have run out or were not used since then."""
    return session.scalars(
        select(WebSession)
        .where(WebSession.revoked_at.is_(None))
        .where(or_(WebSession.expires_at <= at, WebSession.last_seen_at <= idle_since))
        .order_by(WebSession.expires_at)
    ).all()


def spend_link(session: Session, token_sha256: str, *, at: datetime, address: str) -> bool:
    """Use up a one-time link in one statement; return whether it was good."""
    spent = session.scalar(
        update(SignInToken)
        .where(
            SignInToken.token_sha256 == token_sha256,
            SignInToken.used_at.is_(None),
            SignInToken.expires_at > at,
        )
        .values(used_at=at, used_from=address)
        .returning(SignInToken.account_id)
    )
    return spent is not None


def one_attempt_at_a_time(session: Session) -> None:
    """Let one attempt be counted at a time; SQLite's transactions that write do so already."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ATTEMPTS_LOCK})


def last_success(session: Session, name: str, address: str, *, since: datetime) -> datetime | None:
    """Return when a name last signed in from an address, if it did since then."""
    return session.scalar(
        select(func.max(SignInAttempt.attempted_at)).where(
            SignInAttempt.name == name,
            SignInAttempt.address == address,
            SignInAttempt.succeeded,
            SignInAttempt.attempted_at > since,
        )
    )


def failures(
    session: Session, since: datetime, at: datetime, *, name: str, address: str | None = None
) -> Failures:
    """Return how a name failed after `since` and up to `at`, from one address or from all."""
    of_address = [] if address is None else [SignInAttempt.address == address]
    return _failures(session, since, at, SignInAttempt.name == name, *of_address)


def failures_of_strangers(
    session: Session, address: str, since: datetime, at: datetime, *, home_since: datetime
) -> Failures:
    """Return how names failed at an address from which they have not signed in lately."""
    success = aliased(SignInAttempt)
    at_home = exists().where(
        success.name == SignInAttempt.name,
        success.address == address,
        success.succeeded,
        success.attempted_at > home_since,
    )
    return _failures(session, since, at, SignInAttempt.address == address, ~at_home)


def _failures(
    session: Session, since: datetime, at: datetime, *conditions: ColumnElement[bool]
) -> Failures:
    # What is later than now was counted before the clock was put back.
    n, last_at = session.execute(
        select(func.count(), func.max(SignInAttempt.attempted_at)).where(
            ~SignInAttempt.succeeded,
            SignInAttempt.attempted_at > since,
            SignInAttempt.attempted_at <= at,
            *conditions,
        )
    ).one()
    return Failures(n, last_at or since)
