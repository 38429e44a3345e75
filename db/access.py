"""Queries about accounts, their ways in, web sessions and attempts to sign in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, or_, select, text, update
from sqlalchemy.orm import Session, aliased

from db.errors import NotFoundError
from db.tables import (
    Account,
    OpenIdIdentity,
    PendingSignIn,
    RecoveryCode,
    SecondFactor,
    SignInAttempt,
    SignInToken,
    WebSession,
)
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


def local_administrators(session: Session) -> Sequence[Account]:
    """Return the administrators who may sign in without an OpenID provider, oldest first."""
    elsewhere = exists().where(
        OpenIdIdentity.account_id == Account.id, OpenIdIdentity.removed_at.is_(None)
    )
    return session.scalars(
        select(Account)
        .where(Account.role == Role.ADMINISTRATOR, Account.active, ~elsewhere)
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
    """End every session of an account, but for the one to keep, and void what would open one.

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
    session.execute(
        update(PendingSignIn)
        .where(PendingSignIn.account_id == account_id, PendingSignIn.spent_at.is_(None))
        .values(spent_at=at)
    )
    return sorted(ended)


def spend_pending(session: Session, token_sha256: str, *, at: datetime) -> PendingSignIn | None:
    """Use up a sign-in that waits for its second factor, and return it; None if it is no good."""
    return session.scalar(
        update(PendingSignIn)
        .where(
            PendingSignIn.token_sha256 == token_sha256,
            PendingSignIn.spent_at.is_(None),
            PendingSignIn.expires_at > at,
        )
        .values(spent_at=at)
        .returning(PendingSignIn)
    )


def second_factor(session: Session, account_id: int, *, lock: bool = False) -> SecondFactor | None:
    """Return an account's second factor, or None.

    Args:
        session: Open session.
        account_id: Whose.
        lock: Let nobody else try a code meanwhile.
    """
    found = select(SecondFactor).where(
        SecondFactor.account_id == account_id, SecondFactor.removed_at.is_(None)
    )
    return session.scalar(found.with_for_update() if lock else found)


def recovery_codes_left(session: Session, factor_id: int) -> int:
    """Return how many recovery codes were not used."""
    left = select(func.count()).where(*_unused(factor_id))
    return session.scalar(left.select_from(RecoveryCode)) or 0


def spend_recovery_code(
    session: Session, factor_id: int, code_sha256: str, *, at: datetime
) -> bool:
    """Use up a recovery code in one statement; return whether it was good."""
    spent = session.scalar(
        update(RecoveryCode)
        .where(*_unused(factor_id), RecoveryCode.code_sha256 == code_sha256)
        .values(used_at=at)
        .returning(RecoveryCode.code_sha256)
    )
    return spent is not None


def void_recovery_codes(session: Session, factor_id: int, *, at: datetime) -> None:
    """Let none of the recovery codes be used any more."""
    session.execute(update(RecoveryCode).where(*_unused(factor_id)).values(used_at=at))


def openid_identity(session: Session, account_id: int) -> OpenIdIdentity | None:
    """Return whom an account is at its OpenID provider; None for one that comes in here."""
    return session.scalar(
        select(OpenIdIdentity).where(
            OpenIdIdentity.account_id == account_id, OpenIdIdentity.removed_at.is_(None)
        )
    )


def identified(session: Session, issuer: str, subject: str) -> Account | None:
    """Return whose account this is of a provider's, or None."""
    return session.scalar(
        select(Account)
        .join(OpenIdIdentity, OpenIdIdentity.account_id == Account.id)
        .where(OpenIdIdentity.issuer == issuer, OpenIdIdentity.subject == subject)
        .where(OpenIdIdentity.removed_at.is_(None))
    )


def _unused(factor_id: int) -> tuple[ColumnElement[bool], ...]:
    return RecoveryCode.factor_id == factor_id, RecoveryCode.used_at.is_(None)


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
