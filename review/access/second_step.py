"""The second step of signing in: a code, or setting a second factor up where the site asks for it.

There is no session before: whoever has to set a second factor up sees nothing else until it is.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from db import access
from db.tables import PendingSignIn
from db.types import AccessKind, now
from review.access import pending, second_factor, sessions
from review.access.accounts import AccountView, view
from review.access.second_factor import WRONG
from review.errors import AccessError, CodesLockedError, SecondStepError
from review.policy import Action, insist
from review.trail import tell
from review.workspace import Workspace

WAY = "second factor"
ENDED = "Signing in took too long, or was ended elsewhere. Begin again."


@dataclass(frozen=True)
class Waiting:
    """A sign-in that waits.

    Attributes:
        account: Whose name and password, or link, it was.
        sets_up: Whether there is a second factor to set up first.
    """

    account: AccountView
    sets_up: bool


def waiting(ws: Workspace, token: str | None) -> Waiting | None:
    """Return the sign-in that waits under a token, or None."""
    with ws.read() as session:
        found = pending.live(session, token)
        if found is None:
            return None
        factor = access.second_factor(session, found.account_id)
        return Waiting(view(access.account(session, found.account_id)), factor is None)


def enter(ws: Workspace, token: str | None, code: str) -> str:
    """Take a code, or a recovery code; return the token of a new session.

    Raises:
        SecondStepError: If nothing waits under the token.
        CodesLockedError: If too many codes of the account were wrong of late.
        AccessError: If the code does not fit.
    """
    of = None
    try:
        with ws.begin() as session:
            found = _live(session, token)
            of = found.account_id
            factor = access.second_factor(session, of, lock=True)
            if factor is None:
                raise SecondStepError(ENDED)
            if taken := second_factor.accepted(ws, session, factor, code):
                return _into_session(session, found, taken)
            tell(session, AccessKind.SIGN_IN_FAILED, of, way=WAY)
    except CodesLockedError:
        ws.trail.note_at_once(AccessKind.SIGN_IN_FAILED, of, way=WAY, why="too many wrong codes")
        raise
    raise AccessError(WRONG)


def enter_by_setting_up(
    ws: Workspace, token: str | None, sealed: str, code: str
) -> tuple[str, tuple[str, ...]]:
    """Let an offered secret be the account's second factor, and let its holder in.

    Returns:
        The token of a new session, and the recovery codes.

    Raises:
        SecondStepError: If nothing waits under the token.
        AccessError: If the code does not fit, the offer is too old, or there is a second factor.
    """
    with ws.begin() as session:
        found = _live(session, token)
        insist(session, found.account_id, Action.OWN_SECOND_FACTOR)
        recovery_codes = second_factor.add(ws, session, found.account_id, sealed, code)
        return _into_session(session, found, "set up"), recovery_codes


def _live(session: Session, token: str | None) -> PendingSignIn:
    found = pending.live(session, token)
    if found is None:
        raise SecondStepError(ENDED)
    return found


def _into_session(session: Session, found: PendingSignIn, by: str) -> str:
    if access.spend_pending(session, found.token_sha256, at=now()) is None:
        raise SecondStepError(ENDED)
    link = found.link_sha256
    return sessions.open_session(session, found.account_id, link_sha256=link, second_factor=by)
