"""Sign-ins that wait for the second factor: no sessions, and good for nothing but the second step.

The password or link was right. The browser that showed it keeps a token of 256 random bits, of
which only the hash is stored; it ends after `PENDING`, and once it has become a session.
"""

import secrets
from datetime import timedelta

from sqlalchemy.orm import Session

from db import access
from db.tables import PendingSignIn
from db.types import now
from review.access import second_factor
from review.access.tokens import token_sha256

PENDING = timedelta(minutes=10)


def begin(session: Session, account_id: int, *, link_sha256: str | None = None) -> str | None:
    """Let a sign-in wait for the account's second factor, or for its being set up.

    Args:
        session: Open session; the caller commits.
        account_id: Who signs in.
        link_sha256: The sign-in link that they came by.

    Returns:
        The token of the wait; None where no second factor is asked for.
    """
    required = access.account(session, account_id).role in second_factor.required_of()
    if not required and access.second_factor(session, account_id) is None:
        return None
    token = secrets.token_urlsafe(32)
    session.add(
        PendingSignIn(
            token_sha256=token_sha256(token),
            account_id=account_id,
            link_sha256=link_sha256,
            expires_at=now() + PENDING,
        )
    )
    return token


def live(session: Session, token: str | None) -> PendingSignIn | None:
    """Return the sign-in that waits under a token; None if it, or its account, has ended."""
    found = session.get(PendingSignIn, token_sha256(token or ""))
    if found is None or found.spent_at is not None or now() >= found.expires_at:
        return None
    return found if access.account(session, found.account_id).active else None
