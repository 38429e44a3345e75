"""Signing in and out: sessions of the browser, and how they end.

Tokens are 256 random bits; only their SHA-256 is stored. A session ends after `IDLE` without
activity and after `SESSION` in any case.
"""

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from db import access
from db.tables import Account, SignInAttempt, SignInToken, WebSession
from db.types import AccessKind, now
from review.access import attempts, links
from review.access.accounts import AccountView, view
from review.access.passwords import matches
from review.access.tokens import token_sha256
from review.errors import AccessError, LinkError, SignInLockedError
from review.trail import tell
from review.whence import Whence, coming_from, here
from review.workspace import Workspace

SESSION = timedelta(hours=12)
IDLE = timedelta(hours=1)
TOUCH_EVERY = timedelta(minutes=1)
PASSWORD, LINK = "password", "link"  # ways to sign in
UNKNOWN = "unknown"

# When the holders of live sessions were active, by token's hash, until `write_seen` has written it.
_unwritten: dict[str, datetime] = {}


def sign_in(ws: Workspace, name: str, password: str, address: str) -> str:
    """Check a name and password; return the token of a new session.

    An unknown name, a wrong password, a closed account and one without a password take the same
    time and give the same answer.

    Raises:
        SignInLockedError: After too many failures of the name or from the address.
        AccessError: If the name and password do not fit.
    """
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
        return _open_session(session, account.id)


def redeem_link(ws: Workspace, token: str) -> str:
    """Use up a sign-in link; return the token of a new session.

    Raises:
        LinkError: If the link is unknown, was used, or has expired.
    """
    link_sha256, at, address = token_sha256(token), now(), here().address or "unknown"
    with ws.read() as session:
        link = session.get(SignInToken, link_sha256)
    if link is not None:
        with ws.begin() as session:
            active = access.account(session, link.account_id).active
            if active and access.spend_link(session, link_sha256, at=at, address=address):
                return _open_session(session, link.account_id, link_sha256=link_sha256)
    of, known = (link.account_id, None) if link else (None, UNKNOWN)
    ws.trail.note_at_once(AccessKind.SIGN_IN_FAILED, of, way=LINK, link=known)
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

    This process notes it, and `write_seen` records it: a page waits for no lock, and a full disk
    stops nobody's reading.
    """
    with ws.read() as session:
        found = _live_session(session, session_token)
        account = view(found[1]) if found else None
    if found and now() - _last_seen_at(found[0]) >= TOUCH_EVERY:
        _unwritten[found[0].token_sha256] = now()
    return account


def write_seen(ws: Workspace) -> None:
    """Record when the holders of sessions were last active.

    Raises:
        RecordError: If nothing can be written now; this process still knows it.
    """
    if not (seen := dict(_unwritten)):
        return
    with ws.begin() as session:
        for sha256, at in seen.items():
            if web_session := session.get(WebSession, sha256):
                web_session.last_seen_at = at
    for sha256, at in seen.items():
        if _unwritten.get(sha256) == at:
            del _unwritten[sha256]


def sign_out(ws: Workspace, session_token: str) -> None:
    """End a session; an unknown token is no error."""
    with ws.begin() as session:
        web_session = session.get(WebSession, token_sha256(session_token))
        if web_session and web_session.revoked_at is None:
            web_session.revoked_at = now()
            whence = replace(here(), session_sha256=web_session.token_sha256)
            tell(session, AccessKind.SIGNED_OUT, web_session.account_id, whence=whence)


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


def _open_session(session: Session, account_id: int, *, link_sha256: str | None = None) -> str:
    token = secrets.token_urlsafe(32)
    session.add(
        WebSession(
            token_sha256=token_sha256(token),
            account_id=account_id,
            expires_at=now() + SESSION,
            link_sha256=link_sha256,
        )
    )
    session.flush()
    whence = replace(here(), session_sha256=token_sha256(token))
    way = LINK if link_sha256 else PASSWORD
    with coming_from(whence):
        of = links.by_link_of(session, account_id)
        tell(session, AccessKind.SIGNED_IN, account_id, way=way, by_link_of=of)
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


def _last_seen_at(web_session: WebSession) -> datetime:
    return max(
        web_session.last_seen_at, _unwritten.get(web_session.token_sha256, web_session.last_seen_at)
    )
