"""How long accesses are kept: for ever, unless the site says so many days.

Removing is an act of its own: the setting, and the horizon up to which was removed, are told by the
audit chain; what is left verifies from the horizon on.
"""

from datetime import timedelta

from db import accesses, audit
from db.tables import Setting
from db.types import now
from review.errors import SettingsError
from review.policy import Action, Actor, insist
from review.workspace import Workspace

KEPT_KEY = "access_days_kept"
MOST_DAYS = 36_500
BATCH = 5_000  # rows in one transaction: signing waits for no longer


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
    return remove_old(ws)


def days_kept(ws: Workspace, *, by: Actor) -> int | None:
    """Return for how many days accesses are kept; None is for ever."""
    with ws.read() as session:
        insist(session, by, Action.SEE_AUDIT)
        found = session.get(Setting, KEPT_KEY)
    return found.value["days"] if found else None


def remove_old(ws: Workspace) -> int:
    """Remove the accesses that are older than the site keeps; return how many there were."""
    with ws.read() as session:
        # As it was recorded: a row that somebody else altered removes nothing.
        told = audit.last_state(session.connection(), "settings", KEPT_KEY)
    days = told["value"]["days"] if told else None
    if days is None:
        return 0
    before, n_removed, n_more = now() - timedelta(days=days), 0, BATCH
    while n_more == BATCH:
        with ws.begin() as session:
            n_more = accesses.remove_before(session, before, limit=BATCH)
        n_removed += n_more
    return n_removed
