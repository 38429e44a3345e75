"""The durable job table: enqueue, claim under a lease, report, finish.

A worker holds a job by a lease that its reports renew. A job whose lease ran out is claimed again;
every change by a worker names the worker, so one that lost its lease changes nothing.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from db.errors import NotFoundError
from db.inserting import insert_if_new
from db.tables import Job
from db.types import JobKind, JobStatus, now

MAX_ATTEMPTS = 3
MAX_DEATHS = 3
BEHIND = -100  # priority of what has ended a worker: after all that has not
HELD = -1_000  # priority of what waits until its model is let go on
A_STEP = 4  # so many jobs of one account wait at one priority, the next so many behind them
MAX_FALL = 9
N_EARLY = 2_000  # among so many of equal priority, accounts take turns
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
        job.priority = priority if priority <= HELD else max(job.priority, priority)
        job.n_attempts = job.n_deaths = 0
    session.flush()
    return job


def fair(session: Session, priority: int, *, asker: int | None) -> int:
    """Return a priority that falls with what an account has waiting already.

    So whoever asks for much lets others, who ask for little, go first.
    """
    waiting = select(Job.id).where(Job.status == JobStatus.QUEUED, Job.created_by == asker)
    counted = waiting.limit(MAX_FALL * A_STEP).subquery()
    n_waiting = session.scalar(select(func.count()).select_from(counted))
    return priority - (n_waiting or 0) // A_STEP


def claim(
    session: Session, *, worker: str, lease_seconds: float, after: int | None = None
) -> Job | None:
    """Take the next job, or one whose worker fell silent; None when there is nothing to do.

    A job that was attempted too often is failed instead of being taken once more.

    Args:
        session: The caller's transaction.
        worker: Who takes it.
        lease_seconds: For how long it is taken.
        after: Whose job this worker had last: at equal priority, accounts come one after another.
    """
    at = _clock(session)
    while (job := _next(session, at, after or 0)) is not None:
        if job.cancel_requested:
            _end(job, JobStatus.CANCELLED)
        elif job.n_attempts >= MAX_ATTEMPTS:
            _end(job, JobStatus.FAILED)
            job.error = f"it was begun {job.n_attempts} times, and nobody told how it ended"
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
    job.lease_until_at = _clock(session) + timedelta(seconds=lease_seconds)
    session.flush()
    return not job.cancel_requested


def renew(session: Session, job_id: int, *, worker: str, lease_seconds: float) -> None:
    """Renew the lease of a job on which its worker is at work, if it has not lost it."""
    if job := _held(session, job_id, worker):
        job.lease_until_at = _clock(session) + timedelta(seconds=lease_seconds)
        session.flush()


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


def died(session: Session, *, worker: str, how: str) -> Job | None:
    """Return the job at which a worker was ended to the queue, behind all others; None without one.

    A job that was `MAX_DEATHS` workers' last is failed.

    Args:
        session: The caller's transaction.
        worker: What the worker's name is or begins with.
        how: What ended it, in words.
    """
    job = _of_worker(session, worker)
    if job is None:
        return None
    job.n_deaths += 1
    if job.n_deaths >= MAX_DEATHS:
        _end(job, JobStatus.FAILED)
        job.error = f"it ended {job.n_deaths} workers, the last of them by {how}"
    else:
        _requeue(job)
        job.priority = min(job.priority, BEHIND)
    session.flush()
    return job


def requeue(session: Session, job: Job) -> None:
    """Let a job that has ended be done once more."""
    _requeue(job)
    job.n_attempts = job.n_deaths = 0
    session.flush()


def give_back_of(session: Session, *, worker: str) -> Job | None:
    """Return the job of a worker that was stopped on purpose; the attempt does not count."""
    job = _of_worker(session, worker)
    if job is not None:
        _requeue(job)
        job.n_attempts -= 1
        session.flush()
    return job


def of_model(model_id: int) -> ColumnElement[bool]:
    """Return what holds of a model version's jobs."""
    its: ColumnElement[bool] = Job.payload["model_id"].as_integer() == model_id
    return its


def deaths_of_model(session: Session, model_id: int) -> int:
    """Return how many workers a model's jobs have ended since one of them was done."""
    last_done = select(func.max(Job.started_at)).where(
        Job.status == JobStatus.DONE, of_model(model_id)
    )
    deaths = select(func.sum(Job.n_deaths)).where(Job.n_deaths > 0, of_model(model_id))
    if (at := session.scalar(last_done)) is not None:
        deaths = deaths.where(Job.started_at > at)
    return session.scalar(deaths) or 0


def hold(session: Session, model_id: int) -> None:
    """Let what waits for a model wait on."""
    waiting = update(Job).where(Job.status == JobStatus.QUEUED, of_model(model_id))
    session.execute(waiting.values(priority=HELD))


def let_go(session: Session, model_id: int) -> None:
    """Let what was held go on, behind all others."""
    held = update(Job).where(
        Job.status == JobStatus.QUEUED, Job.priority <= HELD, of_model(model_id)
    )
    session.execute(held.values(priority=BEHIND))


def _clock(session: Session) -> datetime:
    """Return the time by which leases run: PostgreSQL's own, for its machines' clocks differ.

    Else one whose clock is ahead takes the others' jobs while they are at work.
    """
    if session.get_bind().dialect.name == "sqlite":
        return now()
    told: datetime = session.scalars(select(func.clock_timestamp())).one()
    return told.astimezone(UTC)


def _next(session: Session, at: datetime, after: int) -> Job | None:
    """Return the job to take up next: one whose lease ran out before one that waits."""
    abandoned = select(Job).where(Job.status == JobStatus.RUNNING, Job.lease_until_at < at)
    highest = select(func.max(Job.priority)).where(Job.status == JobStatus.QUEUED)
    # Equality with the highest, rather than an order, lets the index find the first of many.
    waiting = select(Job).where(
        Job.status == JobStatus.QUEUED,
        Job.priority == highest.scalar_subquery(),
        Job.priority > HELD,
    )
    account = func.coalesce(Job.created_by, 0)
    early = waiting.order_by(Job.id).limit(N_EARLY).with_only_columns(account.label("account"))
    asked = set(session.scalars(select(early.subquery().c.account).distinct()))
    turn = min(asked, key=lambda each: (each <= after, each), default=0)
    # Where another worker takes the last job of this account now, any other will do.
    for such in (abandoned, waiting.where(account == turn), waiting):
        first = such.order_by(Job.id).limit(1).with_for_update(skip_locked=True)
        job = session.scalar(first, execution_options=FRESH)
        if job is not None:
            return job
    return None


def _of_worker(session: Session, worker: str) -> Job | None:
    its = select(Job).where(
        Job.status == JobStatus.RUNNING, Job.worker.startswith(worker, autoescape=True)
    )
    return session.scalar(its.with_for_update(), execution_options=FRESH)


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
