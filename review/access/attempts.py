"""The rate of attempts to sign in, counted in the database so that a restart forgets nothing."""

import hashlib
import hmac
import math
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from db import access
from db.tables import SignInAttempt
from db.types import now
from review.errors import SignInLockedError

WINDOW = timedelta(minutes=15)
MAX_PER_NAME = 5
MAX_PER_ADDRESS = 20


def name_key(name: str, key: bytes) -> str:
    """Return what stands for a typed name: people type passwords there, so it is not kept."""
    return hmac.new(key, b"sign-in name\0" + name.encode(), hashlib.sha256).hexdigest()


def reserve(session: Session, name: str, address: str) -> SignInAttempt:
    """Count an attempt as failed before the password is looked at, so that none runs for free.

    Args:
        session: Open session; the caller commits.
        name: The `name_key` of the name.
        address: Where the attempt comes from.

    Raises:
        SignInLockedError: If the name or the address has failed too often of late.
    """
    at = now()
    since = at - WINDOW
    by_name = access.failures_of_name(session, name, since=since)
    by_address = access.failures_from_address(session, address, since=since)
    until = [
        failures[-limit] + WINDOW
        for failures, limit in ((by_name, MAX_PER_NAME), (by_address, MAX_PER_ADDRESS))
        if len(failures) >= limit
    ]
    if until:
        raise SignInLockedError(_minutes(max(until), at))
    attempt = SignInAttempt(name=name, address=address, succeeded=False, attempted_at=at)
    session.add(attempt)
    session.flush()
    return attempt


def _minutes(until: datetime, at: datetime) -> int:
    return max(1, math.ceil((until - at).total_seconds() / 60))
