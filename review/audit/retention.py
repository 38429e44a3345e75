"""How long accesses are kept: for ever, unless the site says so many days.

Removing is an act of its own: the setting, and the horizon up to which was removed, are told by the
audit chain; what is left verifies from the horizon on.
"""

from datetime import datetime, timedelta

from sqlalchemy import select

from db import accesses, audit
from db.tables import Access, Setting
from db.types import now
from review.errors import SettingsError
from review.policy import Action, Actor, insist
from review.workspace import Workspace

KEPT_KEY = "access_days_kept"
MOST_DAYS = 36_500
BATCH = 2_000  # rows in one transaction: signing waits for no longer
DAY = timedelta(days=1)


def keep(ws: Workspace, days: int | None, *, by: Actor) -> int:
    """Say how long accesses are kept, remove what is older, and return how many were.

    Args:
        ws: The installation.
        days: Whole days; None keeps them for ever.
        by: Who says so.

    Raises:
        SettingsError: If the number is not allowed.
        AccessError: If the actor may not.
    """
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise SettingsError(f"accesses are kept for 1 to {MOST_DAYS} days or forever, not {days}")
    with ws.begin() as session:
        insist(session, by, Action.KEEP_AUDIT)
        session.merge(Setting(key=KEPT_KEY, value={"days": days}))
    return 0 if days is None else _remove_before(ws, now() - timedelta(days=days))


def days_kept(ws: Workspace, *, by: Actor) -> int | None:
    """Return for how many days accesses are kept; None is for ever."""
    with ws.read() as session:
        insist(session, by, Action.SEE_AUDIT)
        found = session.get(Setting, KEPT_KEY)
    return found.value["days"] if found else None


def remove_old(ws: Workspace) -> int:
    """Remove the accesses that are older than the site keeps, once a day; return how many."""
    with ws.read() as session:
        # As it was recorded: a row that somebody else altered removes nothing.
        told = audit.last_state(session.connection(), "settings", KEPT_KEY)
        oldest = session.scalar(select(Access.created_at).order_by(Access.id).limit(1))
    days = told["value"]["days"] if told else None
    if days is None or oldest is None:
        return 0
    before = now() - timedelta(days=days)
    # Each removal is an event of the audit chain, which would fill with one a minute.
    return _remove_before(ws, before) if oldest < before - DAY else 0


def _remove_before(ws: Workspace, at: datetime) -> int:
    n_removed, n_more = 0, BATCH
    while n_more == BATCH:
        with ws.begin() as session:
            n_more = accesses.remove_before(session, at, limit=BATCH)
        n_removed += n_more
    return n_removed
