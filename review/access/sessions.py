"""Signing in and out: sessions of the browser, and how they end.

Tokens are 256 random bits; only their SHA-256 is stored. A session ends when nobody was active for
as long as the site's settings say, and after `SESSION` in any case.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from db import access
from db.tables import Account, SignInAttempt, SignInToken, WebSession
from db.types import AccessKind, now
from review.access import attempts, links, pending, ways
from review.access.accounts import AccountView, view
from review.access.links import Offer
from review.access.passwords import matches
from review.access.tokens import token_sha256
from review.errors import AccessError, LinkError, SecondFactorNeededError, SignInLockedError
from review.trail import tell
from review.whence import Whence, coming_from, here
from review.workspace import Workspace

SESSION = timedelta(hours=12)
TOUCH_EVERY = timedelta(minutes=1)
SLACK = timedelta(minutes=5)  # by which the clock may be put back; what is later is not believed
PASSWORD, LINK, OPENID = "password", "link", "OpenID"  # ways to sign in
UNKNOWN = "unknown"

# When the holders of live sessions were active, by token's hash, until `write_seen` has written it.
_unwritten: dict[str, datetime] = {}


@dataclass(frozen=True)
class TimeLeft:
    """How long a session still lasts.

    Attributes:
        seconds: Until it ends, if nobody is active.
        may_stay: Whether somebody who is active stays signed in.
    """

    seconds: int
    may_stay: bool


def sign_in(ws: Workspace, name: str, password: str) -> str:
    """Check a name and password; return the token of a new session.

    An unknown name, a wrong password, a closed account and one without a password take the same
    time and give the same answer.

    Raises:
        SecondFactorNeededError: If they fit, and the account needs a second factor.
        SignInLockedError: If too many attempts have failed; see `attempts`.
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
            attempt_id = attempts.reserve(session, key).id
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


def look_at_link(ws: Workspace, token: str) -> Offer:
    """Return what a sign-in link offers, without using it up.

    Raises:
        LinkError: If the link is unknown, was used, or has expired.
    """
    with ws.read() as session:
        link = session.get(SignInToken, token_sha256(token))
        if link is not None and link.used_at is None and now() < link.expires_at:
            account = access.account(session, link.account_id)
            if account.active:
                return links.offer(session, link, account)
    raise _refused(ws, link)


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
                key = attempts.name_key(account.name, ws.settings.identity_key)
                attempts.make_at_home(session, key)
                waiting = pending.begin(session, link.account_id, link_sha256=link_sha256)
                if waiting is None:
                    return open_session(session, link.account_id, link_sha256=link_sha256)
    if waiting is not None:
        raise SecondFactorNeededError(waiting)
    raise _refused(ws, link)


def _refused(ws: Workspace, link: SignInToken | None) -> LinkError:
    of, known = (link.account_id, None) if link else (None, UNKNOWN)
    ws.trail.note_at_once(AccessKind.SIGN_IN_FAILED, of, way=LINK, link=known)
    return LinkError("This sign-in link was used or has expired.")


def account_of(ws: Workspace, session_token: str | None) -> AccountView | None:
    """Return who holds this session, or None if it is unknown, ended, or idle for too long."""
    if not session_token:
        return None
    with ws.read() as session:
        found = _live_session(ws, session, session_token)
        return view(found[1]) if found else None


def time_left(ws: Workspace, session_token: str | None) -> TimeLeft | None:
    """Return how long a session lasts if nobody is active; None where it is none or has ended."""
    if not session_token:
        return None
    with ws.read() as session:
        found = _live_session(ws, session, session_token)
        if found is None:
            return None
        idle_at = _last_seen_at(found[0]) + ws.settings.idle
        ends_at = found[0].expires_at
        seconds = (min(idle_at, ends_at) - now()).total_seconds()
        return TimeLeft(max(0, int(seconds)), may_stay=idle_at < ends_at)


def touch(ws: Workspace, session_token: str) -> AccountView | None:
    """Do as `account_of`, and note that the holder is active (once in `TOUCH_EVERY`).

    This process notes it, and `write_seen` records it: a page waits for no lock, and a full disk
    stops nobody's reading.
    """
    with ws.read() as session:
        found = _live_session(ws, session, session_token)
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
    since = at - ws.settings.idle
    with ws.read() as session:
        if not access.idle_sessions(session, at=at, idle_since=since):
            return 0
    with ws.begin() as session:
        ended = access.idle_sessions(session, at=at, idle_since=since)
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
        address=here().address,
        browser=here().browser,
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


def _live_session(ws: Workspace, session: Session, token: str) -> tuple[WebSession, Account] | None:
    found = access.web_session(session, token_sha256(token))
    if found is None:
        return None
    web_session, account = found
    at = now()
    lasts = (
        web_session.revoked_at is None
        and web_session.created_at - SLACK <= at < web_session.expires_at
        and -SLACK <= at - _last_seen_at(web_session) < ws.settings.idle
    )
    return found if lasts and account.active else None


def _way(web_session: WebSession) -> str:
    if web_session.nonce_sha256:
        return OPENID
    return LINK if web_session.link_sha256 else PASSWORD


def _last_seen_at(web_session: WebSession) -> datetime:
    return max(
        web_session.last_seen_at, _unwritten.get(web_session.token_sha256, web_session.last_seen_at)
    )
