"""What somebody may know of others' verdicts: readers judge first, so as not to be led.

A reader may know the verdicts on a prediction once their own current one stands on that same
prediction; a verdict on another model's prediction of the case opens nothing. Engineers and
administrators may know all.
"""

from typing import Any

from sqlalchemy import ColumnElement, exists, or_
from sqlalchemy.orm import aliased

from db.tables import Account, TriageFlag
from db.types import Role, TriageReason
from review.state.unread import judged_by

KNOW_ALL = (Role.ENGINEER, Role.ADMINISTRATOR)
OF_VERDICTS = (
    TriageReason.REJECTED,
    TriageReason.MODIFIED,
    TriageReason.READERS_DISAGREE,
    TriageReason.IMPLAUSIBLE_EXPLANATION,
)
"""Flags that tell what a reader judged."""


def may_know(viewer_id: int, prediction_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Tell whether an account may know others' verdicts on a prediction."""
    viewer = aliased(Account)
    knows_all = exists().where(viewer.id == viewer_id, viewer.role.in_(KNOW_ALL))
    return or_(knows_all, judged_by(viewer_id, prediction_id))


def may_know_flag(viewer_id: int) -> ColumnElement[bool]:
    """Select the flags of which an account may know."""
    tells_nothing = TriageFlag.reason.not_in(OF_VERDICTS)
    return or_(tells_nothing, may_know(viewer_id, TriageFlag.prediction_id.expression))
