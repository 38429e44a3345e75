"""How fast passwords may be guessed, counted in the database so that a restart forgets nothing.

Who fails waits, and longer each time; how long depends on where the name is at home, so that
nobody's failures keep another out (docs/adr/0038-the-way-in.md):

- a name at one address has `FREE` failures a day before it waits there, wherever it is at home;
- a name that did not sign in at this address lately waits as well once it has failed `FREE_AWAY`
  times a day at all addresses together, or so many such names have failed at this one in an hour.
"""

import hashlib
import hmac
import ipaddress
import math
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from db import access
from db.access import Failures
from db.tables import SignInAttempt
from db.types import now
from review.errors import SignInLockedError
from review.whence import here

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
AT_HOME = timedelta(days=90)  # since a name last signed in from an address
FREE, FREE_AWAY = 5, 20
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=15), timedelta(minutes=15)  # doubled in between


def name_key(name: str, key: bytes) -> str:
    """Return what stands for a typed name: people type passwords there, so it is not kept."""
    return hmac.new(key, b"sign-in name\0" + name.encode(), hashlib.sha256).hexdigest()


def reserve(session: Session, name: str) -> SignInAttempt:
    """Count an attempt as failed before the password is looked at, so that none runs for free.

    Args:
        session: Open session; the caller commits, and says when it did not fail.
        name: The `name_key` of the name.

    Raises:
        SignInLockedError: If the name has to wait at this address.
    """
    access.one_attempt_at_a_time(session)
    at, address = now(), _network()
    home_at = access.last_success(session, name, address, since=at - AT_HOME)
    since = max(at - DAY, home_at or at - DAY)
    until = _until(access.failures(session, since, at, name=name, address=address), FREE)
    if home_at is None:
        of_name = access.failures(session, at - DAY, at, name=name)
        of_address = access.failures_of_strangers(
            session, address, at - HOUR, at, home_since=at - AT_HOME
        )
        until = max(until, _until(of_name, FREE_AWAY), _until(of_address, FREE_AWAY))
    if until > at:
        raise SignInLockedError(math.ceil((until - at).total_seconds()))
    return _attempt(session, name, address, at, succeeded=False)


def make_at_home(session: Session, name: str) -> None:
    """Note that a name signed in here without its password, as by a link."""
    _attempt(session, name, _network(), now(), succeeded=True)


def _attempt(
    session: Session, name: str, address: str, at: datetime, *, succeeded: bool
) -> SignInAttempt:
    attempt = SignInAttempt(name=name, address=address, succeeded=succeeded, attempted_at=at)
    session.add(attempt)
    session.flush()
    return attempt


def _until(failures: Failures, free: int) -> datetime:
    n_doublings = min(failures.n - free, 16)
    wait = min(FIRST_WAIT * 2**n_doublings, LONGEST_WAIT) if n_doublings >= 0 else timedelta()
    return failures.last_at + wait


def _network() -> str:
    """Return where the request comes from; of IPv6 the /64 network, which is one subscriber's."""
    address = here().address or "unknown"
    if ":" not in address:
        return address
    parsed = ipaddress.IPv6Address(address)
    return str(parsed.ipv4_mapped or ipaddress.ip_network(f"{parsed}/64", strict=False))
