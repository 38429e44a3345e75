"""The worker process: takes jobs from the table, computes outside any transaction, writes once.

A worker holds one device for as long as it lives; one more on the same machine stands by. A job
whose worker died is taken up again: at once by the next holder of the device, by any other worker
when the lease has run out.
"""

import logging
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import torch
from sqlalchemy.orm import Session

from db import jobs
from db.tables import Job
from db.types import JobKind
from review.burnt_in import pictures
from review.errors import EXPECTED, ReviewError, StaleCaseError, incident
from review.exporting import dataset, kept
from review.exporting.dataset import ExportFilter
from review.maps import check_job, explain_job
from review.maps.explain_job import Write
from review.processes.device_lock import DeviceLock
from review.state.status import refresh_abandoned, refresh_status
from review.triage.outdated import refresh_outdated
from review.workspace import Workspace
from xai_core.errors import Cancelled
from xai_core.model.loading import ModelCache
from xai_core.runtime.device import pick_device

LEASE_SECONDS = 120.0
REPORT_SECONDS = 0.25
SHORTEST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 0.3
STAND_BY_SECONDS = 1.0

PREPARED = {JobKind.EXPLAIN: explain_job.prepare, JobKind.CHECK: check_job.prepare}

Stopped = Callable[[], bool]
AfterJob = Callable[[Workspace], None]
_log = logging.getLogger(__name__)


def _nothing(_: Workspace) -> None:
    """Do nothing after a job."""


class _End(Protocol):
    def __call__(self, session: Session, job_id: int, *, worker: str) -> bool: ...


def run(
    ws: Workspace, device: str = "auto", *, stopped: Stopped, after_job: AfterJob = _nothing
) -> None:
    """Work until asked to stop; then the job at hand goes back to the queue.

    Args:
        ws: The installation.
        device: "auto" (a GPU that is free, else the CPU), "cpu", "cuda:0", …
        stopped: Asked between jobs and between chunks of work.
        after_job: Called when work begins and after each job.

    Raises:
        InputError: If the device does not exist.
    """
    with holding_device(ws, device, stopped=stopped, after_job=after_job) as worker:
        pause = SHORTEST_PAUSE_SECONDS
        while worker is not None and not stopped():
            if worker.do_next():
                pause = SHORTEST_PAUSE_SECONDS
            else:
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def run_once(
    ws: Workspace, device: str = "auto", *, stopped: Stopped, after_job: AfterJob = _nothing
) -> None:
    """Do as `run`, but end when no job waits."""
    with holding_device(ws, device, stopped=stopped, after_job=after_job) as worker:
        while worker is not None and not stopped() and worker.do_next():
            pass


@dataclass
class Worker:
    """Does one job after another on one device."""

    ws: Workspace
    name: str
    device: str
    stopped: Stopped
    after_job: AfterJob
    models: ModelCache = field(default_factory=ModelCache)

    def do_next(self) -> bool:
        """Do the next job, or return False if none waits."""
        with self.ws.begin() as session:
            job = jobs.claim(session, worker=self.name, lease_seconds=LEASE_SECONDS)
            refresh_abandoned(session)
            if job is None:
                return False
            _refresh_case(session, job)
        report = Report(self.ws, job.id, self.name, self.stopped)
        try:
            self._end(job, jobs.finish, self._compute(job, report))
        except Cancelled:
            self._end(job, jobs.cancelled if report.was_refused else jobs.give_back)
        except StaleCaseError:  # the picture was masked or held back: what it gave is dropped
            self._end(job, jobs.cancelled)
        except EXPECTED as exc:
            self._end(job, partial(jobs.fail, error=str(exc)))
        except Exception as exc:
            number = incident(_log, f"job {job.id}", exc)
            error = f"unexpected {type(exc).__name__}; the worker's log names incident {number}"
            self._end(job, partial(jobs.fail, error=error))
        self.after_job(self.ws)
        return True

    def _compute(self, job: Job, report: "Report") -> Write | None:
        """Do a job's work and return what writes its result, if that goes into the record."""
        if job.kind in PREPARED:
            return PREPARED[job.kind](
                self.ws,
                job,
                self.models,
                device=self.device,
                progress=report,
                cancelled=report.should_stop,
            )
        if job.kind is JobKind.EXPORT:
            _export(self.ws, job, report)
            return None
        raise ReviewError(f"this version does not know jobs of the kind {job.kind!r}")

    def _end(self, job: Job, end: _End, write: Write | None = None) -> None:
        """End a job and write its result in one transaction, or nothing if its lease is lost."""
        with self.ws.begin() as session:
            if not end(session, job.id, worker=self.name):
                _log.warning("job %d was taken over: its result is dropped", job.id)
                return
            if write is not None:
                write(session)
            _refresh_case(session, job)


class Report:
    """Tells the job table how far a job is, a few times a second, and hears whether to go on.

    Attributes:
        was_refused: Whether a cancel was asked for, or the job was taken over.
    """

    def __init__(self, ws: Workspace, job_id: int, worker: str, stopped: Stopped) -> None:
        self.was_refused = False
        self._ws, self._job_id, self._worker, self._stopped = ws, job_id, worker, stopped
        self._told_at = -REPORT_SECONDS

    def __call__(self, n_done: int, n_total: int, stage: str) -> None:
        """Report progress, unless that was done just now."""
        if time.monotonic() - self._told_at < REPORT_SECONDS:
            return
        with self._ws.begin() as session:
            self.was_refused = not jobs.report(
                session,
                self._job_id,
                worker=self._worker,
                n_done=n_done,
                n_total=n_total,
                stage=stage,
                lease_seconds=LEASE_SECONDS,
            )
        self._told_at = time.monotonic()

    def should_stop(self) -> bool:
        """Return whether to drop the work: the job was cancelled, or the worker is stopped."""
        return self.was_refused or self._stopped()


@contextmanager
def holding_device(
    ws: Workspace, device: str, *, stopped: Stopped, after_job: AfterJob
) -> Iterator[Worker | None]:
    """Yield a worker once a device is free; None if it was stopped before that.

    Raises:
        InputError: If the device does not exist.
    """
    name = f"{socket.gethostname()}-{secrets.token_hex(6)}"
    devices = _candidates(device)
    while (lock := DeviceLock.take(ws.settings.home / "locks", devices, name)) is None:
        if stopped():
            yield None
            return
        time.sleep(STAND_BY_SECONDS)
    try:
        with ws.begin() as session:
            jobs.release_expired(session, worker=lock.former)
        pictures.sweep(ws)
        refresh_outdated(ws)
        after_job(ws)
        _log.info("worker %s works on %s", name, lock.device)
        yield Worker(ws, name, lock.device, stopped, after_job)
    finally:
        lock.release()


def _candidates(device: str) -> list[str]:
    if device != "auto":
        return [str(pick_device(device))]
    n_gpus = torch.cuda.device_count()
    return [f"cuda:{index}" for index in range(n_gpus)] or ["cpu"]


def _export(ws: Workspace, job: Job, report: Report) -> None:
    def progress(n_done: int, n_total: int) -> None:
        report(n_done, n_total, f"Writing {n_done} of {n_total} files")
        if report.should_stop():
            raise Cancelled(f"cancelled after {n_done} of {n_total} files")

    payload = dict(job.payload)
    made_by = payload.pop("made_by", None)  # a job of an earlier version does not say
    dataset.write(
        ws,
        ExportFilter.from_json(payload),
        kept.path_of(ws, job.id),
        made_by=made_by,
        created_by=job.created_by,
        progress=progress,
    )


def _refresh_case(session: Session, job: Job) -> None:
    if job.kind is JobKind.EXPLAIN and job.case_id is not None:
        refresh_status(session, job.case_id)
