"""Whether a case is held back: text may stand in its picture, and nobody has looked at it yet.

A case that is held back is in no list, is not explained and is not exported; nobody gets its
picture or its maps but who looks at it for text (`review.burnt_in.desk`).
"""

from sqlalchemy import ColumnElement, ScalarSelect, func, select
from sqlalchemy.orm import Session

from db.errors import NotFoundError
from db.tables import Case, TextEvent
from db.types import CaseStatus, TextStep
from review.errors import HeldError, StaleCaseError


def last_event(session: Session, case_id: int) -> TextEvent | None:
    """Return the last step with a case in whose picture text may stand; None without any."""
    return session.scalar(
        select(TextEvent).where(TextEvent.case_id == case_id).order_by(TextEvent.id.desc()).limit(1)
    )


def is_last(event: type[TextEvent] = TextEvent) -> ColumnElement[bool]:
    """Select the events that are the last of their case."""
    newer: ScalarSelect[int] = select(func.max(event.id)).group_by(event.case_id).scalar_subquery()
    return event.id.in_(newer)


def is_held(session: Session, case_id: int) -> bool:
    """Return whether a case is held back."""
    last = last_event(session, case_id)
    return last is not None and last.step is TextStep.HELD


def may_pass() -> ColumnElement[bool]:
    """Select the cases that are not held back."""
    return Case.status != CaseStatus.HELD


def insist_passed(case: Case | None, *, case_id: int) -> Case:
    """Refuse a case that is held back, or not there.

    Raises:
        NotFoundError: If there is no such case.
        HeldError: If it is held back.
    """
    if case is None:
        raise NotFoundError(f"case {case_id} does not exist")
    if case.status is CaseStatus.HELD:
        raise HeldError(
            f"case {case_id} is held back: text may stand in its picture, and an engineer or "
            "administrator looks at it first"
        )
    return case


def insist_same_picture(session: Session, case: Case) -> None:
    """Refuse to write what was computed from a picture that was masked or held back meanwhile.

    Raises:
        StaleCaseError: If the case's picture is another one now, or held back.
    """
    # One writer a case.
    now = session.get_one(Case, case.id, with_for_update=True, populate_existing=True)
    if now.image_sha256 != case.image_sha256 or now.status is CaseStatus.HELD:
        raise StaleCaseError(f"the picture of case {case.id} was masked or held back meanwhile")
