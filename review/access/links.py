"""One-time sign-in links: who made them, and what the account is told of their use.

Whoever may manage accounts can make a link for anybody, and so sign in as anybody. So the account
is told, and what is signed in such a session says it.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from db import audit
from db.tables import Account, SignInToken, WebSession
from db.types import now
from review.access import ways
from review.access.tokens import token_sha256
from review.errors import AccessError
from review.policy import OPERATOR, Actor, account_id
from review.whence import here
from review.workspace import Workspace

LINK = timedelta(hours=12)


@dataclass(frozen=True)
class LinkNotice:
    """That a link for one's account, made by somebody else, was used."""

    issuer: str
    issued_at: datetime
    used_at: datetime
    used_from: str


@dataclass(frozen=True)
class Offer:
    """What a link offers to whoever opens it: as whom they would sign in, and who made it."""

    name: str
    display_name: str
    issuer: str
    expires_at: datetime


def offer(session: Session, link: SignInToken, account: Account) -> Offer:
    """Return what a link offers."""
    maker = session.get(Account, link.issued_by) if link.issued_by else None
    issuer = _issuer(session, link, maker.display_name if maker else None)
    return Offer(account.name, account.display_name, issuer, link.expires_at)


def issue(session: Session, account: Account, *, by: Actor) -> str:
    """Add a link for an account, good for one use within `LINK`, and return its token.

    Raises:
        AccessError: If the account is inactive or a demonstration's, or somebody who came by
            another's link makes one for the account that they came as: it would pass for its own.
    """
    if by == account.id and by_link_of(session, account.id) is not None:
        raise AccessError(
            "You came by a link that somebody else made. A link for your own account is made by "
            "another administrator, or after signing in with your password."
        )
    if not account.active or account.demo:
        kind = "a demo reader" if account.demo else "inactive"
        raise AccessError(f"{account.name} is {kind} and cannot sign in.")
    ways.insist_on_local(session, account)
    if ways.links_are_off(account.role):
        raise AccessError("At this site links let administrators in alone; others come by OpenID.")
    token = secrets.token_urlsafe(32)
    link = SignInToken(
        token_sha256=token_sha256(token),
        account_id=account.id,
        issued_by=account_id(by),
        expires_at=now() + LINK,
    )
    session.add(link)
    return token


def notices(ws: Workspace, of_account_id: int) -> tuple[LinkNotice, ...]:
    """Return the uses of links that an account has not taken note of, the newest first.

    An account without a password comes by links alone, and those of whoever runs the server are its
    way in: they are told once it has one.
    """
    has_password = (
        exists()
        .where(Account.id == of_account_id, Account.password_hash.is_not(None))
        .correlate(None)
    )
    with ws.read() as session:
        return tuple(
            LinkNotice(
                _issuer(session, link, name),
                link.created_at,
                link.used_at or link.created_at,
                link.used_from or "",
            )
            for link, name in session.execute(
                select(SignInToken, Account.display_name)
                .outerjoin(Account, Account.id == SignInToken.issued_by)
                .where(*_untold(of_account_id))
                .where(or_(SignInToken.issued_by.is_not(None), has_password))
                .order_by(SignInToken.used_at.desc())
            )
        )


def take_note(ws: Workspace, of_account_id: int, session_token: str | None) -> bool:
    """Tell an account no more of the uses so far; return whether that was for this session to do.

    Whoever came by somebody else's link may not be the holder: they cannot take note for them.
    """
    with ws.begin() as session:
        found = session.get(WebSession, token_sha256(session_token or ""))
        if found is None or found.account_id != of_account_id or _foreign_link(session, found):
            return False
        for link in session.scalars(select(SignInToken).where(*_untold(of_account_id))):
            link.told_at = now()
        return True


def by_link_of(session: Session, of_account_id: int) -> dict[str, Any] | None:
    """Return who made the link that the present session came by; None if it was the account.

    It is as the record names them: `policy.named`, and an account's id.
    """
    token = here().session_sha256
    found = session.get(WebSession, token) if token else None
    if found is None or found.account_id != of_account_id:
        return None
    link = _foreign_link(session, found)
    if link is None:
        return None
    if link.issued_by is None:
        return {"operating_system_user": _operator(session, link).removeprefix(f"{OPERATOR} ")}
    return {
        "account_id": link.issued_by,
        "name": session.get_one(Account, link.issued_by).name,
    }


def issuer_words(evidence: Mapping[str, Any]) -> str | None:
    """Return whose link a verdict was signed by, as its evidence tells, if not by the reader's."""
    issuer = evidence.get("session", {}).get("by_link_of")
    if issuer is None:
        return None
    return (
        str(issuer["name"]) if "name" in issuer else f"{OPERATOR} {issuer['operating_system_user']}"
    )


def _foreign_link(session: Session, web_session: WebSession) -> SignInToken | None:
    """Return the link that opened a session, if somebody else than the account made it."""
    if web_session.link_sha256 is None:
        return None
    link = session.get_one(SignInToken, web_session.link_sha256)
    return None if link.issued_by == web_session.account_id else link


def _untold(of_account_id: int) -> tuple[Any, ...]:
    return (
        SignInToken.account_id == of_account_id,
        SignInToken.used_from.is_not(None),
        SignInToken.told_at.is_(None),
        or_(SignInToken.issued_by.is_(None), SignInToken.issued_by != of_account_id),
    )


def _issuer(session: Session, link: SignInToken, name: str | None) -> str:
    return name or _operator(session, link)


def _operator(session: Session, link: SignInToken) -> str:
    """Return who made a link at the command line, as the audit chain tells."""
    told = audit.last_event(session.connection(), "sign_in_tokens", link.token_sha256)
    return str(told.get("by") or OPERATOR) if told else OPERATOR
