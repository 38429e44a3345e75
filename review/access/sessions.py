"""Signing in and out: sessions of the browser, and how they end.

Tokens are 256 random bits; only their SHA-256 is stored. A session ends after `IDLE` without
activity and after `SESSION` in any case.
"""

import logging
import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from db import access
from db.errors import RecordError
from db.tables import Account, SignInAttempt, SignInToken, WebSession
from db.types import AccessKind, now
from review.access import attempts, links, pending, ways
from review.access.accounts import AccountView, view
from review.access.passwords import matches
from review.access.tokens import token_sha256
from review.errors import AccessError, LinkError, SecondFactorNeededError, SignInLockedError
from review.trail import tell
from review.whence import Whence, coming_from, here
from review.workspace import Workspace

SESSION = timedelta(hours=12)
IDLE = timedelta(hours=1)
TOUCH_EVERY = timedelta(minutes=1)
PASSWORD, LINK, OPENID = "password", "link", "OpenID"  # ways to sign in
UNKNOWN = "unknown"

_log = logging.getLogger(__name__)
# When the holders of live sessions were active while that could not be recorded, by token's hash.
_unwritten: dict[str, datetime] = {}


def sign_in(ws: Workspace, name: str, password: str, address: str) -> str:
    """Check a name and password; return the token of a new session.

    An unknown name, a wrong password, a closed account and one without a password take the same
    time and give the same answer.

    Raises:
        SecondFactorNeededError: If they fit, and the account needs a second factor.
        SignInLockedError: After too many failures of the name or from the address.
        AccessError: If the name and password do not fit.
    """
    if ways.passwords_are_off():
        raise AccessError("At this site nobody signs in by a password.")
    name = name.strip().lower()[:64]
    key = attempts.name_key(name, ws.settings.identity_key)
    with ws.read() as session:
        account = access.account_named(session, name)
    # The name is told only where it is one: people type passwords there.
    of, known = (account.id, None) if account else (None, UNKNOWN)
    try:
        with ws.begin() as session:
            attempt_id = attempts.reserve(session, key, address[:64]).id
    except SignInLockedError:
        why = "too many attempts"
        ws.trail.note_at_once(AccessKind.SIGN_IN_FAILED, of, way=PASSWORD, why=why, name=known)
        raise
    may_enter = account is not None and account.active and not account.demo
    hashed = account.password_hash if account and may_enter else None
    if not matches(hashed, password) or account is None:
        with ws.begin() as session:
            tell(session, AccessKind.SIGN_IN_FAILED, of, way=PASSWORD, name=known)
        raise AccessError("The name and the password do not fit.")
    with ws.begin() as session:
        session.get_one(SignInAttempt, attempt_id).succeeded = True
        waiting = pending.begin(session, account.id)
        if waiting is None:
            return open_session(session, account.id)
    raise SecondFactorNeededError(waiting)


def redeem_link(ws: Workspace, token: str) -> str:
    """Use up a sign-in link; return the token of a new session.

    Raises:
        SecondFactorNeededError: If it is good, and the account needs a second factor.
        LinkError: If the link is unknown, was used, or has expired.
    """
    link_sha256, at, address = token_sha256(token), now(), here().address or "unknown"
    with ws.read() as session:
        link = session.get(SignInToken, link_sha256)
    waiting = None
    if link is not None:
        with ws.begin() as session:
            account = access.account(session, link.account_id)
            may_enter = account.active and not ways.links_are_off(account.role)
            if may_enter and access.spend_link(session, link_sha256, at=at, address=address):
                waiting = pending.begin(session, link.account_id, link_sha256=link_sha256)
                if waiting is None:
                    return open_session(session, link.account_id, link_sha256=link_sha256)
    if waiting is not None:
        raise SecondFactorNeededError(waiting)
    whose, known = (link.account_id, None) if link else (None, UNKNOWN)
    ws.trail.note_at_once(AccessKind.SIGN_IN_FAILED, whose, way=LINK, link=known)
    raise LinkError("This sign-in link was used or has expired.")


def account_of(ws: Workspace, session_token: str | None) -> AccountView | None:
    """Return who holds this session, or None if it is unknown, ended, or idle for too long."""
    if not session_token:
        return None
    with ws.read() as session:
        found = _live_session(session, session_token)
        return view(found[1]) if found else None


def touch(ws: Workspace, session_token: str) -> AccountView | None:
    """Do as `account_of`, and note that the holder is active (once in `TOUCH_EVERY`).

    Where nothing can be written, this process notes it: a full disk stops nobody's reading.
    """
    with ws.read() as session:
        found = _live_session(session, session_token)
        account = view(found[1]) if found else None
    if found and now() - _last_seen_at(found[0]) >= TOUCH_EVERY:
        sha256 = found[0].token_sha256
        try:
            with ws.begin() as session:
                session.get_one(WebSession, sha256).last_seen_at = now()
            _unwritten.pop(sha256, None)
        except (RecordError, OperationalError) as exc:
            _unwritten[sha256] = now()
            _log.warning("that a session is in use cannot be recorded: %s", exc)
    return account


def sign_out(ws: Workspace, session_token: str) -> str | None:
    """End a session and return the way that it came by; an unknown token is no error."""
    with ws.begin() as session:
        web_session = session.get(WebSession, token_sha256(session_token))
        if web_session and web_session.revoked_at is None:
            web_session.revoked_at = now()
            whence = replace(here(), session_sha256=web_session.token_sha256)
            tell(session, AccessKind.SIGNED_OUT, web_session.account_id, whence=whence)
        return _way(web_session) if web_session else None


def end_idle(ws: Workspace) -> int:
    """End the sessions that have run out or were idle for too long; return how many."""
    at = now()
    with ws.read() as session:
        if not access.idle_sessions(session, at=at, idle_since=at - IDLE):
            return 0
    with ws.begin() as session:
        ended = access.idle_sessions(session, at=at, idle_since=at - IDLE)
        for web_session in ended:
            web_session.revoked_at = at
            why = "its time was up" if at >= web_session.expires_at else "nobody was active"
            whence = Whence(web_session.token_sha256)
            of = web_session.account_id
            tell(session, AccessKind.SESSION_ENDED, of, whence=whence, why=why)
        return len(ended)


def open_session(
    session: Session,
    account_id: int,
    *,
    link_sha256: str | None = None,
    nonce_sha256: str | None = None,
    second_factor: str | None = None,
    issuer: str | None = None,
) -> str:
    """Add a session of the browser and return its token; the caller has checked who comes.

    Args:
        session: Open session; the caller commits.
        account_id: Who comes.
        link_sha256: The sign-in link that they came by.
        nonce_sha256: What stands for the ID token that they came by.
        second_factor: As what a second factor was shown.
        issuer: Whose ID token it is.
    """
    token = secrets.token_urlsafe(32)
    web_session = WebSession(
        token_sha256=token_sha256(token),
        account_id=account_id,
        expires_at=now() + SESSION,
        link_sha256=link_sha256,
        nonce_sha256=nonce_sha256,
    )
    session.add(web_session)
    session.flush()
    whence = replace(here(), session_sha256=token_sha256(token))
    with coming_from(whence):
        tell(
            session,
            AccessKind.SIGNED_IN,
            account_id,
            way=_way(web_session),
            by_link_of=links.by_link_of(session, account_id),
            second_factor=second_factor,
            issuer=issuer,
        )
    return token


def _live_session(session: Session, token: str) -> tuple[WebSession, Account] | None:
    found = access.web_session(session, token_sha256(token))
    if found is None:
        return None
    web_session, account = found
    at = now()
    ended = (
        web_session.revoked_at is not None
        or at >= web_session.expires_at
        or at - _last_seen_at(web_session) >= IDLE
    )
    return None if ended or not account.active else found


def _way(web_session: WebSession) -> str:
    if web_session.nonce_sha256:
        return OPENID
    return LINK if web_session.link_sha256 else PASSWORD


def _last_seen_at(web_session: WebSession) -> datetime:
    return max(
        web_session.last_seen_at, _unwritten.get(web_session.token_sha256, web_session.last_seen_at)
    )
