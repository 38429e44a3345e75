"""What somebody may know of others' verdicts: readers judge first, so as not to be led.

A reader may know the verdicts on a prediction once their own current one stands on that same
prediction; a verdict on another model's prediction of the case opens nothing. Engineers and
administrators may know all.
"""

from typing import Any

from sqlalchemy import ColumnElement, exists, false, or_, true
from sqlalchemy.orm import aliased

from db.tables import Account, TriageFlag
from db.types import TriageReason
from review.policy import Action, Actor, OperatingSystemUser, may, roles
from review.state.unread import judged_by

OF_VERDICTS = (
    TriageReason.REJECTED,
    TriageReason.MODIFIED,
    TriageReason.UNSOUND_REASONING,
    TriageReason.READERS_DISAGREE,
    TriageReason.IMPLAUSIBLE_EXPLANATION,
)
"""Flags that tell what a reader judged."""


def may_know(by: Actor, prediction_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Tell whether somebody may know others' verdicts on a prediction."""
    if isinstance(by, OperatingSystemUser):
        return true() if may(by, Action.KNOW_VERDICTS) else false()
    viewer = aliased(Account)
    knows_all = exists().where(viewer.id == by, viewer.role.in_(roles(Action.KNOW_VERDICTS)))
    return or_(knows_all, judged_by(by, prediction_id))


def may_know_flag(by: Actor) -> ColumnElement[bool]:
    """Select the flags of which somebody may know."""
    tells_nothing = TriageFlag.reason.not_in(OF_VERDICTS)
    return or_(tells_nothing, may_know(by, TriageFlag.prediction_id.expression))
