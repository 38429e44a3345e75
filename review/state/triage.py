"""Whether a case is open in triage, and how it was closed.

A flagged case is open until an engineer closes it. It is open again as soon as somebody reopens it
or a flag appears that is newer than the closing. A case without a flag is not in triage: how it was
closed, while it was, stands.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, and_, func, or_, select
from sqlalchemy.orm import aliased
from sqlalchemy.orm.util import AliasedClass

from db.tables import TriageEvent, TriageFlag
from db.types import TriageAction

TURNS = (TriageAction.CLOSE, TriageAction.REOPEN)
Event = type[TriageEvent] | AliasedClass[TriageEvent]


def last_event(case_id: ColumnElement[Any], *actions: TriageAction) -> ScalarSelect[int]:
    """Return the id of a case's last event among these actions; null without any."""
    event = aliased(TriageEvent)
    on_it = select(func.max(event.id)).where(event.case_id == case_id)
    return on_it.where(event.action.in_(actions)).scalar_subquery()


def newest_flag(case_id: ColumnElement[Any]) -> ScalarSelect[datetime]:
    """Return when a case's newest flag appeared; null without any."""
    flag = aliased(TriageFlag)
    return select(func.max(flag.created_at)).where(flag.case_id == case_id).scalar_subquery()


def is_open(turn: Event, flagged_at: ColumnElement[Any]) -> ColumnElement[bool]:
    """Tell whether a case is open in triage.

    Args:
        turn: Its last event among `TURNS`, outer-joined.
        flagged_at: When its newest flag appeared.
    """
    stands = or_(
        turn.id.is_(None),
        turn.action == TriageAction.REOPEN,
        turn.created_at < flagged_at,
    )
    return and_(flagged_at.is_not(None), stands)
