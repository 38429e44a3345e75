"""What somebody may know of others' verdicts: readers judge first, so as not to be led.

A reader may know the verdicts on a prediction once their own current one stands on that same
prediction; a verdict on another model's prediction of the case opens nothing. Before that not even
that there are any: no name, status, flag, count, filter, order or search tells. Engineers and
administrators may know all.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, false, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from db.tables import Account, Case, TriageFlag, Verdict
from db.types import CaseStatus, Opinion, TriageReason
from db.verdicts import is_current
from review.policy import Action, Actor, OperatingSystemUser, account_id, may, roles
from review.state.unread import judged_by

OF_VERDICTS = (
    TriageReason.REJECTED,
    TriageReason.MODIFIED,
    TriageReason.UNSOUND_REASONING,
    TriageReason.READERS_DISAGREE,
    TriageReason.IMPLAUSIBLE_EXPLANATION,
)
"""Flags that tell what a reader judged."""
_own, _other = aliased(Verdict), aliased(Verdict)  # once: to make one takes milliseconds


def may_know(by: Actor, prediction_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Tell whether somebody may know others' verdicts on a prediction."""
    return or_(knows_all(by), judged_by(account_id(by), prediction_id))


def knows_all(by: Actor) -> ColumnElement[bool]:
    """Tell whether somebody may know every verdict, whatever they judged themselves."""
    if isinstance(by, OperatingSystemUser):
        return true() if may(by, Action.KNOW_VERDICTS) else false()
    viewer = aliased(Account)
    return exists().where(viewer.id == by, viewer.role.in_(roles(Action.KNOW_VERDICTS)))


def may_know_flag(by: Actor) -> ColumnElement[bool]:
    """Select the flags of which somebody may know."""
    tells_nothing = TriageFlag.reason.not_in(OF_VERDICTS)
    return or_(tells_nothing, may_know(by, TriageFlag.prediction_id.expression))


def known_status(by: Actor) -> ColumnElement[CaseStatus]:
    """Return where a case stands for somebody: to read, where it was read and they may not know."""
    secret = and_(Case.status == CaseStatus.REVIEWED, ~_may_know_of_reading(by))
    return case((secret, CaseStatus.READY), else_=Case.status.expression)


def stands_at(status: CaseStatus, by: Actor) -> ColumnElement[bool]:
    """Select the cases that stand there for somebody; as `known_status`, but by an index."""
    plain = Case.status == status
    if status is CaseStatus.REVIEWED:
        return and_(plain, _may_know_of_reading(by))
    if status is CaseStatus.READY:
        return or_(plain, and_(Case.status == CaseStatus.REVIEWED, ~_may_know_of_reading(by)))
    return plain


def open_to(session: Session, reader_id: int, case_id: int) -> list[int]:
    """Return others' verdicts on a case that a reader may have seen by now, the oldest first.

    Those on a prediction that they judged; where they took that back, those of the time before.
    """
    last_own = (
        select(Verdict.prediction_id, func.max(Verdict.id).label("id"))
        .where(Verdict.case_id == case_id, Verdict.reader_id == reader_id)
        .group_by(Verdict.prediction_id)
        .subquery()
    )
    stood = or_(_own.opinion != Opinion.WITHDRAWN, _other.id < _own.id)
    judged = exists().where(
        _own.id == last_own.c.id, _own.prediction_id == _other.prediction_id, stood
    )
    return list(
        session.scalars(
            select(_other.id)
            .where(_other.case_id == case_id, _other.reader_id != reader_id)
            .where(or_(knows_all(reader_id), judged))
            .order_by(_other.id)
        )
    )


def _may_know_of_reading(by: Actor) -> ColumnElement[bool]:
    """Tell whether somebody may know that a case was read: somebody else, or by themselves."""
    own = aliased(Verdict)
    judged = exists().where(
        own.case_id == Case.id, own.reader_id == account_id(by), is_current(own)
    )
    return or_(knows_all(by), judged)
