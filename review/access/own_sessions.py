"""One's own sessions: where one is signed in, and signing out there from here."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.tables import WebSession
from db.types import AccessKind, now
from review.policy import Action, insist
from review.trail import tell
from review.whence import Whence, here
from review.workspace import Workspace


@dataclass(frozen=True)
class OwnSession:
    """One of an account's open sessions.

    Attributes:
        key: Hash of its token, which names it.
        address: Where it was opened; None before schema 0009.
        browser: In which browser; None before schema 0009.
        is_this: Whether it is the one that asks.
    """

    key: str
    started_at: datetime
    last_active_at: datetime
    address: str | None
    browser: str | None
    is_this: bool


def own_sessions(ws: Workspace, account_id: int) -> tuple[OwnSession, ...]:
    """Return an account's open sessions: the one that asks, then the one last active, and so on."""
    with ws.read() as session:
        insist(session, account_id, Action.OWN_SESSIONS)
        found = [
            OwnSession(
                row.token_sha256,
                row.created_at,
                row.last_seen_at,
                row.address,
                row.browser,
                row.token_sha256 == here().session_sha256,
            )
            for row in _open(ws, session, account_id)
        ]
    return tuple(sorted(found, key=lambda own: (not own.is_this, -own.last_active_at.timestamp())))


def end_own_sessions(ws: Workspace, account_id: int, keys: tuple[str, ...]) -> None:
    """End those of an account's open sessions that are named; what is not its own stays."""
    with ws.begin() as session:
        insist(session, account_id, Action.OWN_SESSIONS)
        for row in _open(ws, session, account_id):
            if row.token_sha256 in keys:
                row.revoked_at = now()
                of = Whence(row.token_sha256).session
                why = "its holder ended it"
                tell(
                    session,
                    AccessKind.SESSION_ENDED,
                    account_id,
                    of_account=account_id,
                    of_session=of,
                    why=why,
                )


def _open(ws: Workspace, session: Session, account_id: int) -> list[WebSession]:
    at = now()
    return list(
        session.scalars(
            select(WebSession).where(
                WebSession.account_id == account_id,
                WebSession.revoked_at.is_(None),
                WebSession.expires_at > at,
                WebSession.last_seen_at > at - ws.settings.idle,
            )
        )
    )
