"""The durable job table: enqueue, claim under a lease, report, finish.

A worker holds a job by a lease that its reports renew. A job whose lease ran out is claimed again;
every change by a worker names the worker, so one that lost its lease changes nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from db.errors import NotFoundError
from db.inserting import insert_if_new
from db.tables import Job
from db.types import JobKind, JobStatus, now

MAX_ATTEMPTS = 3
FRESH = {"populate_existing": True}


def enqueue(
    session: Session,
    *,
    key: str,
    kind: JobKind,
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
    row = {"key": key, "kind": kind, "payload": dict(payload), "case_id": case_id}
    insert_if_new(session, Job, row | {"priority": priority, "created_by": created_by})
    job = session.scalars(
        select(Job).where(Job.key == key).with_for_update(), execution_options=FRESH
    ).one()
    if job.status in (JobStatus.FAILED, JobStatus.CANCELLED):
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
    while (job := _next(session, at)) is not None:
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
    job = session.get(Job, job_id, with_for_update=True, populate_existing=True)
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


def _next(session: Session, at: datetime) -> Job | None:
    """Return the job to take up next: one whose lease ran out before one that waits."""
    abandoned = select(Job).where(Job.status == JobStatus.RUNNING, Job.lease_until_at < at)
    highest = select(func.max(Job.priority)).where(Job.status == JobStatus.QUEUED)
    # Equality with the highest, rather than an order, lets the index find the first of many.
    waiting = select(Job).where(
        Job.status == JobStatus.QUEUED, Job.priority == highest.scalar_subquery()
    )
    for such in (abandoned, waiting):
        first = such.order_by(Job.id).limit(1).with_for_update(skip_locked=True)
        job = session.scalar(first, execution_options=FRESH)
        if job is not None:
            return job
    return None


def _held(session: Session, job_id: int, worker: str) -> Job | None:
    held = select(Job).where(
        Job.id == job_id, Job.worker == worker, Job.status == JobStatus.RUNNING
    )
    return session.scalar(held.with_for_update(), execution_options=FRESH)


def _requeue(job: Job) -> None:
    job.status, job.worker, job.lease_until_at = JobStatus.QUEUED, None, None
    job.cancel_requested, job.error, job.finished_at = False, None, None
    job.n_done, job.stage = 0, ""


def _end(job: Job, status: JobStatus) -> None:
    job.status, job.finished_at = status, now()
    job.lease_until_at, job.cancel_requested = None, False
