"""By which ways an account comes in: its own password and links, or an OpenID provider alone.

And what closes all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import access
from db.tables import Account, OpenIdIdentity, SecondFactor
from db.types import AccessKind, Role, now
from review.access import openid_settings
from review.errors import AccessError
from review.policy import Action, Actor, insist, roles
from review.trail import tell
from review.whence import Whence
from review.workspace import Workspace


@dataclass(frozen=True)
class Ways:
    """How an account comes in.

    Attributes:
        issuer: The OpenID provider that it comes by, alone; None for one that comes in here.
        subject: Who it is there.
        second_factor: Whether it shows a second factor here.
    """

    issuer: str | None = None
    subject: str | None = None
    second_factor: bool = False


def ways_of_all(ws: Workspace, *, by: Actor) -> Mapping[int, Ways]:
    """Return the ways of those accounts that come in by more than a password or links, by id."""
    with ws.read() as session:
        insist(session, by, Action.MANAGE_ACCOUNTS)
        factors = select(SecondFactor.account_id).where(SecondFactor.removed_at.is_(None))
        identities = select(OpenIdIdentity).where(OpenIdIdentity.removed_at.is_(None))
        found = {each: Ways(second_factor=True) for each in session.scalars(factors)}
        return found | {each.account_id: _elsewhere(each) for each in session.scalars(identities)}


def own_ways(ws: Workspace, account_id: int) -> Ways:
    """Return how one's own account comes in."""
    with ws.read() as session:
        insist(session, account_id, Action.OWN_SECOND_FACTOR)
        if identity := access.openid_identity(session, account_id):
            return _elsewhere(identity)
        return Ways(second_factor=access.second_factor(session, account_id) is not None)


def passwords_are_off() -> bool:
    """Return whether the site lets people in by its OpenID provider only."""
    settings = openid_settings.load()
    return settings is not None and settings.only


def links_are_off(role: Role) -> bool:
    """Return whether accounts of a role cannot come by links: administrators always can."""
    return role not in roles(Action.MANAGE_ACCOUNTS) and passwords_are_off()


def insist_on_local(session: Session, account: Account) -> None:
    """Refuse what makes no sense for an account that comes in by an OpenID provider.

    Raises:
        AccessError: If it does.
    """
    if identity := access.openid_identity(session, account.id):
        raise AccessError(
            f"{account.name} comes in by {identity.issuer}, which tells its role: unlink it first."
        )


def refuse_last_administrator(session: Session, account: Account) -> None:
    """Refuse what would leave nobody to administer the site while an OpenID provider is away.

    Raises:
        AccessError: If the account is the only administrator who comes in here.
    """
    if [account.id] == [other.id for other in access.local_administrators(session)]:
        raise AccessError(f"{account.name} is the only administrator; appoint another first.")


def end_sessions(
    session: Session, account_id: int, by: Actor | None, why: str, *, keep_sha256: str | None = None
) -> None:
    """End an account's sessions, but for the one to keep; the record says whose doing it was."""
    for token in access.revoke_sessions(session, account_id, at=now(), keep_sha256=keep_sha256):
        of = Whence(token).session
        tell(session, AccessKind.SESSION_ENDED, by, of_account=account_id, of_session=of, why=why)


def _elsewhere(identity: OpenIdIdentity) -> Ways:
    return Ways(issuer=identity.issuer, subject=identity.subject)
