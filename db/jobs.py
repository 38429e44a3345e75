"""The durable job table: enqueue, claim under a lease, report, finish.

A worker holds a job by a lease that its reports renew. A job whose lease ran out is claimed again;
every change by a worker names the worker, so one that lost its lease changes nothing.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from db.errors import NotFoundError
from db.tables import Job
from db.types import JobStatus, now

MAX_ATTEMPTS = 3
ENDED = (JobStatus.DONE, JobStatus.FAILED, JobStatus.CANCELLED)


def enqueue(
    session: Session,
    *,
    key: str,
    kind: str,
    payload: Mapping[str, Any],
    case_id: int | None = None,
    priority: int = 0,
    created_by: int | None = None,
) -> Job:
    """Return the job with this key, added if it is new; a failed or cancelled one is queued again.

    Args:
        session: The caller's transaction.
        key: SHA-256 over what the work depends on: equal keys are the same work.
        kind: What to do.
        payload: JSON-safe arguments.
        case_id: The case it belongs to.
        priority: Higher is claimed first; equal priorities in order of arrival.
        created_by: Account that asked for it.
    """
    job = session.scalar(select(Job).where(Job.key == key))
    if job is None:
        job = Job(
            key=key,
            kind=kind,
            payload=dict(payload),
            case_id=case_id,
            priority=priority,
            created_by=created_by,
        )
        session.add(job)
    elif job.status in (JobStatus.FAILED, JobStatus.CANCELLED):
        _requeue(job)
        job.priority = max(job.priority, priority)
        job.n_attempts = 0
    session.flush()
    return job


def claim(session: Session, *, worker: str, lease_seconds: float) -> Job | None:
    """Take the next job, or one whose worker fell silent; None when there is nothing to do.

    A job that was attempted too often is failed instead of being taken once more.
    """
    at = now()
    expired = and_(Job.status == JobStatus.RUNNING, Job.lease_until_at < at)
    for job in session.scalars(
        select(Job)
        .where(or_(Job.status == JobStatus.QUEUED, expired))
        .order_by(Job.priority.desc(), Job.id)
        .limit(8)
        .with_for_update(skip_locked=True)
    ):
        if job.cancel_requested:
            _end(job, JobStatus.CANCELLED)
        elif job.n_attempts >= MAX_ATTEMPTS:
            _end(job, JobStatus.FAILED)
            job.error = f"the worker stopped {job.n_attempts} times while working on this"
        else:
            job.status, job.worker = JobStatus.RUNNING, worker
            job.n_attempts += 1
            job.started_at, job.finished_at, job.error = at, None, None
            job.n_done, job.stage = 0, ""
            job.lease_until_at = at + timedelta(seconds=lease_seconds)
            session.flush()
            return job
    session.flush()
    return None


def report(
    session: Session,
    job_id: int,
    *,
    worker: str,
    n_done: int,
    n_total: int,
    stage: str,
    lease_seconds: float,
) -> bool:
    """Record progress and renew the lease; return whether to go on.

    False means that a cancel was asked for, or that the lease was lost to another worker.
    """
    job = _held(session, job_id, worker)
    if job is None:
        return False
    job.n_done, job.n_total, job.stage = n_done, n_total, stage
    job.lease_until_at = now() + timedelta(seconds=lease_seconds)
    session.flush()
    return not job.cancel_requested


def finish(session: Session, job_id: int, *, worker: str) -> bool:
    """Mark a job done; False if the lease was lost, and nothing must then be written."""
    job = _held(session, job_id, worker)
    if job is None:
        return False
    job.n_done = job.n_total
    _end(job, JobStatus.DONE)
    session.flush()
    return True


def fail(session: Session, job_id: int, *, worker: str, error: str) -> bool:
    """Mark a job failed with the reason; False if the lease was lost."""
    job = _held(session, job_id, worker)
    if job is None:
        return False
    _end(job, JobStatus.FAILED)
    job.error = error[:2000]
    session.flush()
    return True


def cancelled(session: Session, job_id: int, *, worker: str) -> bool:
    """Mark a job cancelled; False if the lease was lost."""
    job = _held(session, job_id, worker)
    if job is None:
        return False
    _end(job, JobStatus.CANCELLED)
    session.flush()
    return True


def give_back(session: Session, job_id: int, *, worker: str) -> bool:
    """Return a job to the queue because its worker is being stopped; the attempt does not count."""
    job = _held(session, job_id, worker)
    if job is None:
        return False
    _requeue(job)
    job.n_attempts -= 1
    session.flush()
    return True


def request_cancel(session: Session, job_id: int) -> None:
    """Ask for a job to stop: at once when it is queued, at the next report when it runs.

    Raises:
        NotFoundError: If there is no such job.
    """
    job = session.get(Job, job_id)
    if job is None:
        raise NotFoundError(f"job {job_id} does not exist")
    if job.status is JobStatus.QUEUED:
        _end(job, JobStatus.CANCELLED)
    elif job.status is JobStatus.RUNNING:
        job.cancel_requested = True
    session.flush()


def release_expired(session: Session, *, worker: str) -> None:
    """Let every lease of a worker that is known to be gone run out now."""
    session.execute(
        update(Job)
        .where(Job.status == JobStatus.RUNNING, Job.worker == worker)
        .values(lease_until_at=now() - timedelta(seconds=1))
    )


def _held(session: Session, job_id: int, worker: str) -> Job | None:
    return session.scalar(
        select(Job)
        .where(Job.id == job_id, Job.worker == worker, Job.status == JobStatus.RUNNING)
        .execution_options(populate_existing=True)
    )


def _requeue(job: Job) -> None:
    job.status, job.worker, job.lease_until_at = JobStatus.QUEUED, None, None
    job.cancel_requested, job.error, job.finished_at = False, None, None
    job.n_done, job.stage = 0, ""


def _end(job: Job, status: JobStatus) -> None:
    job.status, job.finished_at = status, now()
    job.lease_until_at, job.cancel_requested = None, False
