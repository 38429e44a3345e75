"""Signing in by the site's OpenID provider: whose account it is, and as what they come in.

An account is known by issuer and subject, never by name or e-mail. It is made when somebody with a
role comes first, and has the role that the provider tells each time. An account has one way in: one
that an administrator links to the provider forgets its password.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db import access, audit
from db.tables import Account, OpenIdIdentity
from db.types import AccessKind, Role, now
from review.access import accounts, openid_settings, sessions, ways
from review.access.openid_provider import Asked, claim, provider
from review.access.openid_settings import OpenIdSettings
from review.access.sealed import seal, unseal
from review.access.tokens import token_sha256
from review.errors import AccessError, OpenIdError
from review.policy import Action, Actor, insist
from review.whence import here
from review.workspace import Workspace

WAITS = timedelta(minutes=10)
PURPOSE = "sign-in by OpenID"
MAX_SUBJECT = 255
BEGIN_AGAIN = "This sign-in was begun in another browser or tab, or too long ago. Begin again."
USED = "This sign-in was used already. Begin again."
_ERROR = re.compile(r"[a-z_]{1,64}")


@dataclass(frozen=True)
class Entered:
    """Somebody who came in: their session's token, and where they wanted to go."""

    token: str
    next_path: str


def begin(ws: Workspace, next_path: str, redirect_uri: str) -> tuple[str, str]:
    """Return where to send the browser, and what it is to keep until it comes back.

    Raises:
        OpenIdError: If the site has no provider, or it cannot be reached.
    """
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    asked = Asked(state, nonce, verifier, redirect_uri)
    until = (now() + WAITS).isoformat()
    kept = json.dumps({"asked": asdict(asked), "next": next_path, "until": until})
    address = provider(_settings()).address_to_ask(asked)
    return address, seal(ws.settings.identity_key, kept, purpose=PURPOSE)


def enter(ws: Workspace, kept: str, answer: Mapping[str, str]) -> Entered:
    """Let in whom the provider sends back.

    Args:
        ws: The workspace.
        kept: What the browser kept since `begin`.
        answer: The query of the address at which it comes back.

    Raises:
        OpenIdError: If it was not begun here, the provider refused or said what is not right, it
            tells no role, the account is closed or another holds its name. That is on record.
    """
    settings = _settings()
    of, subject = None, None
    try:
        asked, next_path = _begun(ws, kept, answer.get("state", ""))
        if "code" not in answer:
            raise OpenIdError(_refusal(answer.get("error", "")))
        claims = provider(settings).person(asked, answer["code"], answer.get("iss"))
        subject = _subject(claims)
        with ws.read() as session:
            known = access.identified(session, settings.issuer, subject)
            of = known.id if known else None
        role = role_of(claims, settings)
        if role is None:
            _turn_out(ws, of, settings)
            raise OpenIdError(
                f"{settings.label} tells no role that opens Second Look. Who manages your groups "
                "there can give you one."
            )
        return Entered(_let_in(ws, settings, claims, role, asked.nonce), next_path)
    except OpenIdError as exc:
        kind = AccessKind.SIGN_IN_FAILED
        ws.trail.note_at_once(kind, of, way=sessions.OPENID, subject=subject, why=str(exc))
        raise


def address_to_leave(back: str) -> str | None:
    """Return where to sign out at the provider, too; None if it does not announce that.

    Raises:
        OpenIdError: If the site has no provider, or it cannot be reached.
    """
    return provider(_settings()).address_to_leave(back)


def link(ws: Workspace, account_id: int, subject: str, *, by: Actor) -> None:
    """Let an account come in by the provider alone, as somebody there; its password is forgotten.

    Args:
        ws: The workspace.
        account_id: The account.
        subject: Who it is there: `sub`, as a refused sign-in tells it.
        by: Who links it.

    Raises:
        AccessError: If the account or the subject is linked, or no administrator would be left who
            can come in when the provider is away.
    """
    issuer, subject = _settings().issuer, _subject({"sub": subject.strip()})
    with ws.begin() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
        account = access.account(session, account_id)
        ways.insist_on_local(session, account)
        ways.refuse_last_administrator(session, account)
        if other := access.identified(session, issuer, subject):
            raise AccessError(f"{subject} at {issuer} is the account {other.name}.")
        account.password_hash = None
        session.add(OpenIdIdentity(account_id=account_id, issuer=issuer, subject=subject))
        ways.end_sessions(session, account_id, by, "the account was linked to OpenID")


def unlink(ws: Workspace, account_id: int, *, by: Actor) -> None:
    """Let an account come in here again, by a new link, and no more by the provider.

    Raises:
        AccessError: If it was not linked.
    """
    with ws.begin() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
        identity = access.openid_identity(session, account_id)
        if identity is None:
            raise AccessError(f"{access.account(session, account_id).name} comes in here already.")
        identity.removed_at = now()
        ways.end_sessions(session, account_id, by, "the account was unlinked from OpenID")


def role_of(claims: Mapping[str, Any], settings: OpenIdSettings) -> Role | None:
    """Return the role that may do most of those that the claims tell; None if they tell none."""
    value = claim(claims, settings.role_claim)
    values = value if isinstance(value, list) else [value]
    roles = {settings.roles.get(each) for each in values if isinstance(each, str)}
    return next((role for role in reversed(Role) if role in roles), None)


def _settings() -> OpenIdSettings:
    settings = openid_settings.load()
    if settings is None:
        raise OpenIdError("This site has no OpenID provider.")
    return settings


def _begun(ws: Workspace, kept: str, state: str) -> tuple[Asked, str]:
    try:
        found = json.loads(unseal(ws.settings.identity_key, kept, purpose=PURPOSE))
    except AccessError as exc:
        raise OpenIdError(BEGIN_AGAIN) from exc
    asked = Asked(**found["asked"])
    in_time = now() < datetime.fromisoformat(found["until"])
    if not in_time or not hmac.compare_digest(asked.state.encode(), state.encode()):
        raise OpenIdError(BEGIN_AGAIN)
    return asked, str(found["next"])


def _refusal(error: str) -> str:
    if error == "access_denied":
        return "Signing in was refused: by you, or by the provider."
    return f"The provider answered: {error}." if _ERROR.fullmatch(error) else BEGIN_AGAIN


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
        raise OpenIdError(f"A subject has 1 to {MAX_SUBJECT} characters.")
    return subject


def _let_in(
    ws: Workspace, settings: OpenIdSettings, claims: Mapping[str, Any], role: Role, nonce: str
) -> str:
    """Find or make the account, give it the role, and return the token of a new session."""
    try:
        with ws.begin() as session:
            audit.acting(session, None, by=_by(settings), address=here().address)
            subject = _subject(claims)
            account = access.identified(session, settings.issuer, subject)
            if account is None:
                account = _made(session, settings, claims, role)
            if not account.active:
                raise OpenIdError("Your account here is closed. An administrator can open it.")
            account.role = role
            nonce_sha256, issuer = token_sha256(nonce), settings.issuer
            return sessions.open_session(
                session, account.id, nonce_sha256=nonce_sha256, issuer=issuer
            )
    except IntegrityError as exc:  # the same ID token again, or the first sign-in from two tabs
        raise OpenIdError(USED) from exc


def _made(
    session: Session, settings: OpenIdSettings, claims: Mapping[str, Any], role: Role
) -> Account:
    subject = _subject(claims)
    name = _name(claims)
    if access.account_named(session, name):
        raise OpenIdError(
            f"There is an account named {name} here already, and it is not known whether it is "
            f"yours. An administrator can link it: they need your subject, {subject}"
        )
    display_name = str(claims.get("name") or name).strip()[: accounts.MAX_DISPLAY_NAME] or name
    account = Account(name=name, display_name=display_name, role=role, active=True, demo=False)
    session.add(account)
    session.flush()
    session.add(OpenIdIdentity(account_id=account.id, issuer=settings.issuer, subject=subject))
    return account


def _name(claims: Mapping[str, Any]) -> str:
    """Return what colleagues can tell an account by; it opens nothing."""
    preferred = str(claims.get("preferred_username") or "").partition("@")[0].lower()
    name = re.sub(r"[^a-z0-9._-]+", "-", preferred).strip("._-")[: accounts.MAX_NAME]
    return name or f"openid-{hashlib.sha256(_subject(claims).encode()).hexdigest()[:12]}"


def _turn_out(ws: Workspace, account_id: int | None, settings: OpenIdSettings) -> None:
    """End the sessions of an account that has no role any more."""
    if account_id is not None:
        with ws.begin() as session:
            why = f"{settings.issuer} tells no role"
            ways.end_sessions(session, account_id, None, why)


def _by(settings: OpenIdSettings) -> str:
    return f"the OpenID provider {settings.issuer}"
