"""Signing in and out: sessions of the browser, and how they end.

Tokens are 256 random bits; only their SHA-256 is stored. A session ends when nobody was active for
as long as the site's settings say, and after `SESSION` in any case.
"""

import logging
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from db import access
from db.errors import RecordError
from db.tables import Account, SignInAttempt, SignInToken, WebSession
from db.types import AccessKind, now
from review.access import attempts, links
from review.access.accounts import AccountView, view
from review.access.links import Offer
from review.access.passwords import matches
from review.access.tokens import token_sha256
from review.errors import AccessError, LinkError, SignInLockedError
from review.trail import tell
from review.whence import Whence, coming_from, here
from review.workspace import Workspace

SESSION = timedelta(hours=12)
TOUCH_EVERY = timedelta(minutes=1)
SLACK = timedelta(minutes=5)  # by which the clock may be put back; what is later is not believed
PASSWORD, LINK = "password", "link"  # ways to sign in
UNKNOWN = "unknown"

_log = logging.getLogger(__name__)
# When the holders of live sessions were active while that could not be recorded, by token's hash.
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
        SignInLockedError: If too many attempts have failed; see `attempts`.
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
        return _open_session(session, account.id)


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
        LinkError: If the link is unknown, was used, or has expired.
    """
    link_sha256, at, address = token_sha256(token), now(), here().address or "unknown"
    with ws.read() as session:
        link = session.get(SignInToken, link_sha256)
    if link is not None:
        with ws.begin() as session:
            account = access.account(session, link.account_id)
            if account.active and access.spend_link(session, link_sha256, at=at, address=address):
                key = attempts.name_key(account.name, ws.settings.identity_key)
                attempts.make_at_home(session, key)
                return _open_session(session, link.account_id, link_sha256=link_sha256)
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

    Where nothing can be written, this process notes it: a full disk stops nobody's reading.
    """
    with ws.read() as session:
        found = _live_session(ws, session, session_token)
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


def _open_session(session: Session, account_id: int, *, link_sha256: str | None = None) -> str:
    token = secrets.token_urlsafe(32)
    session.add(
        WebSession(
            token_sha256=token_sha256(token),
            account_id=account_id,
            expires_at=now() + SESSION,
            link_sha256=link_sha256,
            address=here().address,
            browser=here().browser,
        )
    )
    session.flush()
    whence = replace(here(), session_sha256=token_sha256(token))
    way = LINK if link_sha256 else PASSWORD
    with coming_from(whence):
        of = links.by_link_of(session, account_id)
        tell(session, AccessKind.SIGNED_IN, account_id, way=way, by_link_of=of)
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


def _last_seen_at(web_session: WebSession) -> datetime:
    return max(
        web_session.last_seen_at, _unwritten.get(web_session.token_sha256, web_session.last_seen_at)
    )
