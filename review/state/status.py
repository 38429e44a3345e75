"""Where a case stands, read from its text events, verdicts, predictions and jobs."""

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from db.tables import Case, Job, Prediction, Verdict
from db.types import CaseStatus, JobStatus
from db.verdicts import is_current
from review.state.held import is_held


def refresh_status(session: Session, case_id: int) -> None:
    """Bring a case's status up to date; the caller has changed its jobs or predictions."""
    session.flush()
    case = session.get_one(Case, case_id, with_for_update=True)
    case.status = _status(session, case_id)
    session.flush()


def refresh_abandoned(session: Session) -> None:
    """Bring cases up to date whose job was given up without a word from its worker."""
    running = exists().where(Job.case_id == Case.id, Job.status == JobStatus.RUNNING)
    explaining = select(Case.id).where(Case.status == CaseStatus.EXPLAINING, ~running)
    for case_id in session.scalars(explaining).all():
        refresh_status(session, case_id)


def _status(session: Session, case_id: int) -> CaseStatus:
    if is_held(session, case_id):
        return CaseStatus.HELD
    if session.scalar(select(exists().where(Verdict.case_id == case_id, is_current()))):
        return CaseStatus.REVIEWED
    if session.scalar(select(exists().where(Prediction.case_id == case_id))):
        return CaseStatus.READY
    jobs = set(session.scalars(select(Job.status).where(Job.case_id == case_id).distinct()))
    if JobStatus.RUNNING in jobs:
        return CaseStatus.EXPLAINING
    if JobStatus.QUEUED in jobs or not jobs:
        return CaseStatus.QUEUED
    return CaseStatus.FAILED
